from __future__ import annotations

from calibrate.meter_line import meter_line
from edge.audio.level_meter import Level


def test_meter_line_shows_time_bar_and_figures() -> None:
    line = meter_line(Level(-40.0, -8.0, 0.0, dead=False), 133.4, 1800, 0.0)
    assert line == "02:13 / 30:00 [" + "#" * 15 + " " * 12 + "|" + " " * 2 + "]  -40.0 dBFS  peak   -8.0"


def test_meter_line_dead_signal_is_not_a_level() -> None:
    assert meter_line(Level(None, None, 0.0, dead=True), 0, 60, 0.0).endswith("] no signal")


def test_meter_line_says_clipped_and_lost() -> None:
    line = meter_line(Level(0.0, 0.0, 0.5, dead=False), 1, 60, 2.04)
    assert line.endswith("CLIPPED  lost 2.0 s")
    assert "#|]" in line
