"""A few hundred hostile files; `make fuzz` hands over many more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.attempts import TARGETS, Hang, Target, attempt, warm_up
from tests.fuzz.bundle_cases import large_manifest
from tests.fuzz.runner import fuzz
from tests.fuzz.seeds import bundles

SEED = 20261121
CASES: dict[Target, int] = {"bundle": 150, "config": 25, "audio": 150, "command": 400}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    warm_up(folder)
    return folder


@pytest.mark.parametrize("target", TARGETS)
def test_hostile_files_are_taken_or_refused_in_one_line(target: Target, folder: Path) -> None:
    outcomes = [attempt(target, SEED, number, folder) for number in range(CASES[target])]
    assert [(number, outcome) for number, outcome in enumerate(outcomes) if outcome.ending == "failed"] == []
    assert any(outcome.ending == "refused" for outcome in outcomes)


@pytest.mark.parametrize("number", [12584, 16392, 17956])  # text that is no UTF-8, an array of no axis, a name of thousands of letters
def test_bundles_that_once_failed_are_refused_and_print_nothing(number: int, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = attempt("bundle", 4, number, folder)
    assert (outcome.ending, capfd.readouterr().out) == ("refused", "")


def test_manifest_of_megabytes_is_refused_before_it_is_parsed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.attempts.bundle_case", lambda rng: ("large_manifest", large_manifest(rng, dict(bundles()[0]))))
    outcome = attempt("bundle", SEED, 1, folder)
    assert (outcome.ending, "larger than 4 MB" in outcome.detail) == ("refused", True)


def test_attempt_that_takes_too_long_is_a_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.attempts.LONGEST_S", 0.2)

    def load(path: Path) -> None:
        try:
            while True:
                pass
        except Exception as error:
            raise AssertionError("a hang must not look like an ordinary error") from error

    monkeypatch.setattr("tests.fuzz.attempts._load_config", load)
    outcome = attempt("config", SEED, 0, folder)
    assert (outcome.ending, Hang.__name__ in outcome.detail) == ("failed", True)


def test_runner_counts_cases_in_a_process_with_bounded_memory() -> None:
    summary = fuzz(SEED, seconds=60.0, targets=("audio",), cases=20)
    assert sum(summary.counts.values()) == 20
    assert summary.failures == []
    assert summary.peak_mb >= summary.base_mb > 0
