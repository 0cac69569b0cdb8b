from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.judgement.tail import Tail
from edge.judgement.threshold import Moved
from edge.remote.adjustments import MOST, Adjustment, Adjustments
from edge.remote.remote import tell_unused

TAIL = Tail(3.0, 0.01, 0.8, 0.05)


def adjustment(source: str = "pump1", bundle: str = "b", factor: float = 1.5) -> Adjustment:
    return Adjustment(source=source, bundle=bundle, factor=factor, tail=TAIL, false_alarms_per_week=1.0, t="2026-11-20T10:00:00.000Z")


def test_adjustments_belong_to_a_source_and_a_bundle_and_survive(tmp_path: Path) -> None:
    path = tmp_path / "state" / "thresholds.json"
    adjustments = Adjustments(path)
    assert adjustments.moved("pump1", "b") is None
    adjustments.set(adjustment(factor=2.0))
    adjustments.set(adjustment(factor=1.5))
    adjustments.set(adjustment(source="fan2", factor=0.75))
    for one in (adjustments, Adjustments(path)):
        assert one.moved("pump1", "b") == Moved(1.5, TAIL)
        assert one.moved("fan2", "b") == Moved(0.75, TAIL)
        assert one.moved("pump1", "another bundle") is None
    adjustments.reset("pump1", "b")
    assert Adjustments(path).moved("pump1", "b") is None
    assert Adjustments(path).moved("fan2", "b") is not None


def test_adjustments_are_bounded(tmp_path: Path) -> None:
    adjustments = Adjustments(tmp_path / "thresholds.json")
    for number in range(MOST + 1):
        adjustments.set(adjustment(bundle=str(number)))
    assert adjustments.of("pump1", "0") is None
    assert adjustments.of("pump1", str(MOST)) is not None


@pytest.mark.parametrize("change", [{"factor": 0.0}, {"factor": 50.0}, {"tail": {"onset": 1, "rate_per_s": 0, "scale": 1, "shape": 0}}])
def test_adjustments_that_make_no_sense_are_left_out(tmp_path: Path, change: dict[str, object], caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "thresholds.json"
    Adjustments(path).set(adjustment())
    (content,) = json.loads(path.read_text())["content"]
    path.write_text(json.dumps([{**content, **change}, {**content, "source": "fan2"}]))
    adjustments = Adjustments(path)
    assert adjustments.moved("pump1", "b") is None
    assert adjustments.moved("fan2", "b") is not None
    assert "the threshold of pump1 is not valid" in caplog.text


def test_adjustments_that_are_not_applied_are_reported_at_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tell_unused(tmp_path)
    adjustments = Adjustments(tmp_path / "thresholds.json")
    adjustments.set(adjustment())
    tell_unused(tmp_path)
    adjustments.reset("pump1", "b")
    tell_unused(tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/thresholds.json: not applied, because commands are off (commands.enabled): each threshold is the bundle's own"
    ]
