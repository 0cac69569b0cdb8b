from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.faithfulness import as_probability
from benchmarks.spectrogram_score import spectrogram_map, spectrogram_score
from calibrate.anomaly_map import anomaly_map
from edge.console.cli import run_command
from edge.features.logmel import offline_log_mel
from edge.judgement.steady import STEADY_HEADS
from edge.model import Model
from edge.scoring import score_file
from tests.benchmarks.test_envmix import manifest  # noqa: F401  # a fixture
from tests.bundles import RATE_HZ, CalibratedMachine, tampered

pytest.importorskip("sklearn", reason="the figures need the extra [benchmark]")


def test_spectrogram_is_scored_and_mapped_as_the_sound_that_it_is_of(machine: CalibratedMachine, tmp_path: Path) -> None:
    samples = machine.samples[: round(7.3 * RATE_HZ)].copy()
    samples[3 * RATE_HZ : 3 * RATE_HZ + 400] += 0.5
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="FLOAT")
    log_mel = offline_log_mel(samples, machine.model.front_end)

    def lose_low(_: object, arrays: dict[str, dict[str, Any]], blobs: object) -> None:
        """A spectrogram has no finer bands than mels."""
        arrays["steady"] = {name: array for name, array in arrays["steady"].items() if not name.startswith("low_")}

    without_low = Model.load(tampered(machine.bundle, tmp_path / "b.auscult", lose_low))
    expected = score_file(without_low, tmp_path / "a.wav")
    assert set(expected.windows[0].heads) >= set(STEADY_HEADS)
    assert spectrogram_score(machine.model)(log_mel) == pytest.approx(expected.score, rel=1e-4)
    np.testing.assert_allclose(
        spectrogram_map(machine.model, log_mel), anomaly_map(machine.model, tmp_path / "a.wav"), rtol=1e-4, atol=1e-6
    )


def test_probability_is_half_at_the_alarm_threshold() -> None:
    empty = np.zeros((0, 64), np.float32)
    assert [as_probability(lambda _, s=score: s)(empty) for score in (0.0, 1.0, 3.0)] == [0.0, 0.5, 0.75]  # type: ignore[misc]


def test_faithfulness_prints_the_papers_table_with_ours_beside(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    options = ["--manifest", str(manifest), "--snr", "12", "--backbone", "logmel"]
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", ["faithfulness", *options, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["detectors"]["patchcore"]
    assert found["recordings"] == 6  # three test clips, a bark and a tick each
    assert list(found["skipped"]) == ["siren"]
    assert found["v2"]["mean"] > 0.0  # where the map points, it gives way to the background
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", ["faithfulness", *options, "--format", "markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| | CFA | PaDiM | PatchCore | STFPM |"
    assert f"{found['v2']['mean']:.3f} ± {found['v2']['std']:.3f} / 0.062 ± 0.151" in lines[5]
