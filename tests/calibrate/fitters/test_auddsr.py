from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")
pytest.importorskip("onnx")

from calibrate.calibration import calibrate
from calibrate.detector_arguments import add_detector_arguments, fitter_settings
from calibrate.fitters.auddsr import MOST_CHANNELS, MOST_CODES, AudDsrSettings
from calibrate.settings import CalibrationSettings
from edge.bundles.bundle import Bundle
from edge.detectors.auddsr import AUDDSR, MEMBER
from edge.errors import AudioError, BundleError, UserError
from edge.features.frontend import DCASE
from edge.features.onnx_graph import check_graph
from edge.judgement.steady import STEADY_HEADS
from edge.model import Model
from edge.scoring import score_file
from export.auddsr.discrete_autoencoder import DiscreteAutoencoder
from export.auddsr.network import AnomalyDetection, AudDsrNetwork, ObjectDecoder
from export.auddsr.training import exported
from export.synthesis import MachineDesign, RotatingMachine
from tests.bundles import tampered

RATE_HZ = 16000
TINY = AudDsrSettings(
    autoencoder_steps=3, autoencoder_batch=4, steps=2, batch=4, learning_rate=1e-3, codes=8, channels=4, synthesised_minutes=0.0
)
QUICK = CalibrationSettings(fitting=TINY, created_at=datetime(2026, 1, 1, tzinfo=timezone.utc))


@pytest.fixture(scope="module")
def normal(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("normal")
    machine = RotatingMachine(3, RATE_HZ, MachineDesign(load_hold_s=1e6))
    paths = [folder / f"{number}.wav" for number in range(3)]
    for path in paths:
        soundfile.write(path, machine.render(6.0), RATE_HZ)
    return paths


@pytest.fixture(scope="module")
def bundle(normal: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return calibrate(normal, tmp_path_factory.mktemp("bundle") / "machine.auscult", QUICK).bundle


def test_auddsr_bundle_scores(bundle: Path, normal: list[Path]) -> None:
    """It has learned next to nothing; that it learns is for tests/calibrate/fitters/test_auddsr_learns.py."""
    result = score_file(Model.load(bundle), normal[0])
    assert np.isfinite(result.score)
    assert all(window.heads.keys() == {"auddsr_moment", "auddsr_sustained", "excess_moment", *STEADY_HEADS} for window in result.windows)


def test_auddsr_manifest_says_what_was_chosen_but_not_where(bundle: Path) -> None:
    parameters = Bundle.read(bundle).manifest.detector.parameters
    assert parameters["steps"] == 2
    assert parameters["codes"] == 8
    assert not {"device", "state", "general", "outliers"} & set(parameters)


def test_auddsr_same_seed_gives_the_same_bundle_also_when_it_was_stopped(bundle: Path, normal: list[Path], tmp_path: Path) -> None:
    kept = replace(QUICK, fitting=replace(TINY, state=str(tmp_path / "state")))
    first = calibrate(normal, tmp_path / "kept.auscult", kept).bundle
    assert first.read_bytes() == bundle.read_bytes()
    (tmp_path / "state" / "faults.pt").unlink()
    again = calibrate(normal, tmp_path / "again.auscult", kept).bundle  # the second stage once more
    assert again.read_bytes() == bundle.read_bytes()


def test_auddsr_outliers_and_general_sound_change_what_is_learned(bundle: Path, normal: list[Path], tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    soundfile.write(tmp_path / "others" / "a.wav", RotatingMachine(4, RATE_HZ).render(4.0), RATE_HZ)
    blobs = [Bundle.read(bundle).blobs[MEMBER]]
    others = str(tmp_path / "others")
    for number, fitting in enumerate((replace(TINY, outliers=others), replace(TINY, general=others))):
        made = calibrate(normal, tmp_path / f"{number}.auscult", replace(QUICK, fitting=fitting)).bundle
        blobs.append(Bundle.read(made).blobs[MEMBER])
    assert len(set(blobs)) == 3


def test_auddsr_outliers_that_carry_less_than_the_machine_are_refused(normal: list[Path], tmp_path: Path) -> None:
    soundfile.write(tmp_path / "narrow.wav", RotatingMachine(4, 8000).render(2.0), 8000)
    settings = replace(QUICK, fitting=replace(TINY, outliers=str(tmp_path)))
    with pytest.raises(AudioError, match=r"narrow\.wav: carries only 4000 Hz"):
        calibrate(normal, tmp_path / "b.auscult", settings)


def test_auddsr_with_another_backbone_is_refused(normal: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"is not what {AUDDSR} takes; use logmel-16k"):
        calibrate(normal, tmp_path / "b.auscult", replace(QUICK, backbone="logmel"))


def test_auddsr_bundle_with_a_damaged_network_is_refused_in_one_line(bundle: Path, tmp_path: Path) -> None:
    def damage(manifest: object, arrays: object, blobs: dict[str, bytes]) -> None:
        blobs[MEMBER] = b"\0" * 100

    with pytest.raises(BundleError, match=r"broken\.auscult: its network auddsr\.onnx holds ") as refusal:
        Model.load(tampered(bundle, tmp_path / "broken.auscult", damage))
    assert "\n" not in str(refusal.value)


def test_auddsr_options_reach_the_training(tmp_path: Path) -> None:
    parser = ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    add_detector_arguments(parser)
    given = [
        "--detector",
        "auddsr",
        "--auddsr-steps",
        "7",
        "--auddsr-state",
        "kept",
        "--outliers",
        "faults",
        "--seed",
        "3",
        "--device",
        "cpu",
    ]
    assert fitter_settings(parser.parse_args(given)) == AudDsrSettings(steps=7, state="kept", outliers="faults", seed=3, device="cpu")
    assert fitter_settings(parser.parse_args(["--detector", "auddsr"])) == AudDsrSettings()


def test_auddsr_of_the_largest_size_that_may_be_chosen_is_a_network_that_a_bundle_may_hold() -> None:
    autoencoder = DiscreteAutoencoder(MOST_CHANNELS, MOST_CODES)
    parts = autoencoder, ObjectDecoder(MOST_CHANNELS, DCASE.mel_bands), AnomalyDetection(MOST_CHANNELS)
    check_graph(exported(AudDsrNetwork(*parts, (-20.0, 8.0)).eval(), DCASE.mel_bands))


@pytest.mark.parametrize("option", [["--auddsr-codes", str(MOST_CODES + 1)], ["--auddsr-channels", str(MOST_CHANNELS + 1)]])
def test_auddsr_larger_than_a_bundle_may_hold_is_refused_before_it_is_trained(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    parser = ArgumentParser()
    add_detector_arguments(parser)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(option)
    assert f"from 4 to {int(option[1]) - 1}" in capsys.readouterr().err
