from __future__ import annotations

import json

import pytest

from edge.console.cli import run_command


def benchmark(*options: str) -> int:
    return run_command("benchmarks.commands.benchmark", "auscult benchmark", ["detectors", "--minutes", "1", *options])


@pytest.mark.slow
def test_detectors_are_fitted_and_run_as_a_user_would(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark("--detector", "patchcore", "--format", "json", "--", "--coreset", "20", "--backbone", "logmel") == 0
    small = json.loads(capsys.readouterr().out)["detectors"]["patchcore"]
    assert small["fit_s"] > 0
    assert 20 < small["run_peak_mb"] < 1000
    assert 20 < small["fit_peak_mb"] < 2000
    assert 0 < small["ms_per_s"] < 1000
    assert benchmark("--detector", "patchcore", "--format", "markdown", "--", "--coreset", "200", "--backbone", "logmel") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| detector | fitting, s |")
    larger_mb = float(lines[2].split("|")[4])
    assert larger_mb > 1.5 * small["bundle_mb"]


def test_detectors_that_do_not_exist_or_cannot_be_fitted_are_reported_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark("--detector", "oracle") == 2
    assert "no such detector" in capsys.readouterr().err
    assert benchmark("--detector", "patchcore", "--", "--backbone", "nosuch") == 1
    assert "nosuch: no such backbone" in capsys.readouterr().err
