from __future__ import annotations

import pytest

from edge.doctor import headroom
from edge.doctor.headroom import check_headroom, cost_per_second, judge_load, known_models
from edge.model import Model
from tests.bundles import CalibratedMachine


@pytest.mark.parametrize(("costs", "verdict"), [([0.1], "OK"), ([0.3, 0.3], "OK"), ([0.3, 0.6], "WARN"), ([0.6, 0.6], "FAIL")])
def test_judge_load_adds_up_all_sources(costs: list[float], verdict: str) -> None:
    finding = judge_load(costs)
    assert finding.verdict == verdict
    assert finding.found.startswith(f"{len(costs)} source")


def test_cost_per_second_is_measured(machine: CalibratedMachine) -> None:
    assert cost_per_second(machine.model, 48000) > 0.0


def test_headroom_measures_each_pair_of_model_and_rate_once(machine: CalibratedMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def cost(_: Model, rate_hz: int) -> float:
        asked.append(rate_hz)
        return 0.25

    monkeypatch.setattr(headroom, "cost_per_second", cost)
    models = {"a": machine.model, "b": machine.model, "c": machine.model, "broken": None}
    finding = check_headroom(known_models(models, {"a": 32000, "b": 32000, "c": None}))
    assert asked == [32000, headroom.USUAL_RATE_HZ]
    assert finding.verdict == "WARN"
    assert "3 sources take 750 ms" in finding.found
