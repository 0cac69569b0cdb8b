from __future__ import annotations

import pytest

from calibrate.signal_watch import AGAIN_AFTER_S, DEAD_AFTER_S, SILENT_AFTER_S, SignalWatch
from edge.audio.level_meter import Level

FINE = Level(-30.0, -12.0, 0.0, dead=False)
CLIPPED = Level(-6.0, 0.0, 0.02, dead=False)
SILENT = Level(-95.0, -90.0, 0.0, dead=False)
DEAD = Level(None, None, 0.0, dead=True)


def warnings(levels: list[Level]) -> list[str]:
    watch = SignalWatch()
    return [warning.partition(":")[0] for level in levels for warning in watch.push(level)]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([FINE] * 100, []),
        ([CLIPPED], ["clipping"]),
        ([CLIPPED] * (AGAIN_AFTER_S + 1), ["clipping"] * 2),
        ([DEAD] * (DEAD_AFTER_S - 1) + [FINE], []),
        ([DEAD] * DEAD_AFTER_S, ["dead channel"]),
        ([SILENT] * (SILENT_AFTER_S - 1) + [FINE] + [SILENT], []),
        ([SILENT] * SILENT_AFTER_S, ["silence"]),
        ([CLIPPED, DEAD, DEAD], ["clipping", "dead channel"]),
    ],
)
def test_signal_watch_warns_once_per_trouble(levels: list[Level], expected: list[str]) -> None:
    assert warnings(levels) == expected


def test_signal_watch_verdict_counts_seconds() -> None:
    watch = SignalWatch()
    for level in [FINE, FINE, CLIPPED, DEAD]:
        watch.push(level)
    assert watch.verdict() == ["clipping in 1 of 4 s", "dead channel in 1 of 4 s"]
    assert watch.peak_dbfs == 0.0


def test_signal_watch_level_is_the_mean_power() -> None:
    watch = SignalWatch()
    assert watch.dbfs is None
    watch.push(FINE)
    assert watch.dbfs == pytest.approx(-30)
    watch.push(DEAD)
    assert watch.dbfs == pytest.approx(-33.01, abs=0.01)
