from __future__ import annotations

import json

import numpy as np
import pytest

import benchmarks.tail
from benchmarks.noises import NOISES, STEP_S, exponential, loads
from benchmarks.tail import FURTHEST, Given, TrueRate, measure_tails
from edge.console.cli import run_command
from edge.judgement.tail import SECONDS_PER_WEEK


@pytest.fixture(scope="module")
def truth() -> TrueRate:
    return TrueRate(exponential, seed=0, weeks=2)


@pytest.mark.parametrize("threshold", [6.0, 8.0, 10.0, 12.0])
def test_true_rate_of_exponential_noise_is_the_known_one(truth: TrueRate, threshold: float) -> None:
    chance = np.exp(-threshold)  # of a block; those within a window and the cooldown are one event
    expected = SECONDS_PER_WEEK / STEP_S * chance * (1 - chance) ** (15.0 / STEP_S)
    assert truth.per_week(threshold) == pytest.approx(expected, rel=0.4)


def test_true_rate_beyond_what_was_counted_falls_off_on(truth: TrueRate) -> None:
    rates = [truth.per_week(threshold) for threshold in (10.0, 14.0, 20.0, 40.0)]
    assert rates == sorted(rates, reverse=True)
    assert 0.0 < rates[-1] < 1e-6


@pytest.mark.parametrize("name", NOISES)
def test_noise_is_as_many_windows_as_asked_and_repeats_itself(name: str) -> None:
    first, again = (NOISES[name](np.random.default_rng(1), 2000) for _ in range(2))
    assert first.shape == (2000,)
    assert np.isfinite(first).all()
    assert (first == again).all()


def test_noise_of_a_load_that_is_held_long_stays_where_it_is() -> None:
    lively, calm = (loads(np.random.default_rng(0), 100_000, hold_s) for hold_s in (20.0, 300.0))
    apart = round(60.0 / STEP_S)
    assert np.corrcoef(calm[:-apart], calm[apart:])[0, 1] > 0.5 > 0.2 > np.corrcoef(lively[:-apart], lively[apart:])[0, 1]


def test_given_tells_what_is_typical_and_what_is_too_many() -> None:
    given = Given("any", 5, "1/week", np.array([-1.0, 0.0, 0.4, 1.0]))
    assert given.typical == pytest.approx(0.1)
    assert given.too_many == 0.25
    assert given.quantile(0.5) == pytest.approx(0.2)


def test_measure_tails_of_little_sound_is_right_where_it_supports_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks.tail, "NOISES", {"exponential": exponential})
    done: list[float] = []
    given = measure_tails(20, 3, minutes=(5, 60), weeks=1, report=done.append)
    assert sum(done) == 1 + 2 * 20
    supported = [one for one in given if one.promise == "supported"]
    assert [one.minutes for one in supported] == [5, 60]
    assert all(abs(one.typical) < 0.3 and one.too_many <= 0.1 for one in supported)
    rare = [one for one in given if one.promise == "1/week"]
    assert all(np.abs(one.decades).max() <= FURTHEST for one in rare)
    assert rare[0].quantile(0.9) - rare[0].quantile(0.1) > 1.0  # five minutes know little of a week


def test_tail_command_in_text_and_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(benchmarks.tail, "NOISES", {"exponential": exponential})
    options = ["tail", "--draws", "3", "--weeks", "1", "--minutes", "15", "5"]
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", [*options, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(one["minutes"], one["promise"]) for one in document["noises"][:3]] == [(5, "1/week"), (5, "1/day"), (5, "supported")]
    assert set(document["criterion"]) == {"too_many_where_supported", "decades_from_promise", "too_many"}
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["noise", "promise", "5", "min", "15", "min"]
    assert lines[3].startswith("exponential  1/week")
