from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.compare import compare, figures
from edge.console.cli import run_command
from edge.errors import UserError


def machines(areas: dict[str, float], snr_db: float | None = None, *, single: bool = False) -> dict[str, Any]:
    units = {key: {"roc_auc": area} for key, area in areas.items()}
    return {"units": units, "snr_db": snr_db, "single": single, "seed": 0, "repeats": None}


def envmix(areas: dict[str, list[float]]) -> dict[str, Any]:
    """Each class at 6 and -6 dB; the spectrogram and temporal levels are a tenth and two tenths lower."""
    lower = {"sample": 0.0, "spectrogram": 0.1, "temporal": 0.2}
    return {
        "classes": {
            name: {
                snr: {level: {"roc_auc": area - less} for level, less in lower.items()} for snr, area in zip(("6", "-6"), both, strict=True)
            }
            for name, both in areas.items()
        },
        "snr_db": [6.0, -6.0],
        "seed": 0,
        "repeats": 1,
    }


def test_compare_pairs_backgrounds_of_one_level_and_clean_results_from_before_there_were_any() -> None:
    noisy = {level: {**machines({"fan": 0.5 + level / 100}), "noise_db": level} for level in (0.0, 6.0)}
    clean = {**machines({"fan": 0.9}), "noise_db": None}
    before = figures([("old", machines({"fan": 0.8})), ("a", noisy[0.0]), ("b", noisy[6.0])])
    after = figures([("b", noisy[6.0]), ("a", noisy[0.0]), ("new", clean)])
    assert compare(before, after)["sample"].sets["machine fan"] == pytest.approx((1.86 / 3, 1.96 / 3))
    with pytest.raises(UserError, match=r"was measured in one of the two only \(noise \+6 dB, "):
        compare(before, figures([("old", machines({"fan": 0.8})), ("a", noisy[0.0])]))
    with pytest.raises(UserError, match="was measured in one of the two only"):
        compare(figures([("a", noisy[6.0])]), figures([("b", machines({"fan": 0.8}, 6.0))]))


def test_compare_averages_what_one_machine_was_measured_in_and_pairs_by_machine() -> None:
    before = figures([("a", machines({"fan": 0.9, "pump": 0.6})), ("b", machines({"fan": 0.7}, -6.0))])
    after = figures([("c", machines({"fan": 1.0, "pump": 0.7})), ("d", machines({"fan": 0.9}, -6.0))])
    compared = compare(before, after)
    assert list(compared) == ["sample"]
    sample = compared["sample"]
    assert sample.sets == {"machine fan": pytest.approx((0.8, 0.95)), "machine pump": pytest.approx((0.6, 0.7))}
    assert (sample.before, sample.after) == pytest.approx((0.7, 0.825))
    assert sample.interval == pytest.approx((0.10, 0.15))
    assert sample.better


def test_compare_of_all_levels_of_envmix_and_machines() -> None:
    before = figures([("a", envmix({"siren": [0.9, 0.7]})), ("b", machines({"siren": 0.5})), ("c", machines({"siren": 0.5}, single=True))])
    compared = compare(before, before)
    assert sorted(compared["sample"].sets) == ["envmix siren", "machine siren", "single siren"]
    assert compared["temporal"].sets == {"envmix siren": pytest.approx((0.6, 0.6))}
    assert not compared["sample"].better
    assert compared["sample"].interval == (0.0, 0.0)


def test_compare_interval_over_sets_equals_the_t_interval_of_many_sets() -> None:
    random = np.random.default_rng(0)
    gains = random.normal(0.02, 0.05, 100)
    before = figures([("a", machines({f"m{i}": 0.7 for i in range(100)}))])
    after = figures([("b", machines({f"m{i}": 0.7 + gain for i, gain in enumerate(gains)}))])
    low, high = compare(before, after)["sample"].interval
    half = 1.96 * np.std(gains, ddof=1) / 10
    assert (low, high) == pytest.approx((gains.mean() - half, gains.mean() + half), abs=0.002)


@pytest.mark.parametrize(
    "other",
    [machines({"fan": 0.9}), machines({"fan": 0.9, "pump": 0.8}, -6.0), machines({"fan": 0.9, "pump": 0.8}, single=True)],
)
def test_compare_of_unpaired_results_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="was measured in one of the two only"):
        compare(figures([("a", machines({"fan": 0.9, "pump": 0.6}))]), figures([("b", other)]))


@pytest.mark.parametrize("result", [{}, {"units": {"fan": {}}}, {"naive_ms_per_s": 1.0}, {"classes": [], "snr_db": []}])
def test_figures_of_something_else_are_refused(result: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"cost\.json: "):
        figures([("cost.json", result)])


def test_figures_given_twice_are_refused() -> None:
    with pytest.raises(UserError, match=r"b.json: measures machine fan \(clean, .*\) again"):
        figures([("a.json", machines({"fan": 0.9})), ("b.json", machines({"fan": 0.9}))])


def test_compare_command_in_json_and_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.json").write_text(json.dumps(machines({"fan": 0.8, "pump": 0.9})), encoding="utf-8")
    (tmp_path / "new.json").write_text(json.dumps(machines({"fan": 0.9, "pump": 0.95})), encoding="utf-8")
    options = ["compare", "--before", str(tmp_path / "old.json"), "--after", str(tmp_path / "new.json")]
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", [*options, "--format", "json"]) == 0
    sample = json.loads(capsys.readouterr().out)["sample"]
    assert (sample["difference"], sample["better"]) == (pytest.approx(0.075), True)
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", options) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(": better")


@pytest.mark.parametrize(("text", "problem"), [("{", "is not JSON"), ("[1]", "is not a JSON result"), (None, "cannot be read")])
def test_compare_command_of_a_broken_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, problem: str
) -> None:
    path = tmp_path / "result.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", ["compare", "--before", str(path), "--after", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert problem in captured.err
