"""Fitting an STFPM. The students here have hardly learned anything, except for the slow test's."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")
pytest.importorskip("onnx")

from calibrate.calibration import Calibration, calibrate
from calibrate.detector_arguments import add_detector_arguments, fitter_settings
from calibrate.embeddings import Recording, heard_blocks
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.stfpm import StfpmFitter, StfpmSettings
from calibrate.held_out import HeldOut
from calibrate.settings import CalibrationSettings
from edge.detectors.detector import EXCESS, Parts
from edge.detectors.stfpm import CARD_MEMBER, STFPM, STUDENT_MEMBER, Stfpm
from edge.errors import AudioError, UserError
from edge.features.backbone import DEFAULT_BACKBONE, Backbone
from edge.features.card import decode_card
from edge.features.feature_stream import FeatureBlock
from edge.features.logmel_backbone import LogMelBackbone
from edge.judgement.window import Window
from edge.model import Model
from edge.pipeline import Listener
from edge.scoring import score_file
from export.parity import BOUNDS
from export.synthesis import MachineDesign, RotatingMachine, inject, knock_fault, tone_fault
from tests.noise import RATE_HZ, noise_recordings

SMALL = StfpmSettings(steps=6, batch=2)
BANDWIDTH_HZ = 8000.0
AT_NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


@pytest.fixture(scope="module", autouse=True)
def _little_statistics() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("export.stfpm.student.STATISTICS_BATCHES", 2)
        patch.setattr("export.stfpm.network.CLIPS", 2)
        yield


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return Backbone.load(DEFAULT_BACKBONE)


@dataclass(frozen=True)
class Fit:
    """Three recordings of noise, the last of which is held out, and what was fitted on them."""

    recordings: list[Recording]
    fitted: FittedDetector


@pytest.fixture(scope="module")
def noise(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    recordings = noise_recordings(tmp_path_factory.mktemp("noise"), 4.0, 5.0, 4.5)
    return Fit(recordings, StfpmFitter(backbone, BANDWIDTH_HZ, SMALL).fit(recordings))


@pytest.mark.slow
def test_student_that_int8_cannot_hold_stays_fp32_and_says_so(
    backbone: Backbone, noise: Fit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert decode_card(noise.fitted.blobs[CARD_MEMBER], CARD_MEMBER).precision == "int8"
    monkeypatch.setattr("export.parity.BOUNDS", (*BOUNDS, ("int8_streamed_vs_fp32", "relative_rms", "most", 0.0)))
    fitted = StfpmFitter(backbone, BANDWIDTH_HZ, SMALL).fit(noise.recordings)
    assert decode_card(fitted.blobs[CARD_MEMBER], CARD_MEMBER).precision == "fp32"
    assert len(fitted.blobs[STUDENT_MEMBER]) > 3 * len(noise.fitted.blobs[STUDENT_MEMBER])
    assert "do not survive int8, so it stays fp32" in caplog.text
    difference = fitted.deviations[2][STFPM] - noise.fitted.deviations[2][STFPM]
    assert 0.0 < float(np.sqrt(np.mean(np.square(difference)))) < 0.5


def test_fit_judges_only_what_the_student_has_not_heard(noise: Fit) -> None:
    bands = noise.fitted.features[STFPM]
    assert noise.fitted.features == {STFPM: bands, EXCESS: bands}
    assert [one[STFPM].shape for one in noise.fitted.deviations] == [(100, bands), (125, bands), (112, bands)]
    assert [bool(np.isnan(one[STFPM]).all()) for one in noise.fitted.deviations] == [True, True, False]
    assert np.isfinite(noise.fitted.deviations[2][STFPM]).all()
    assert all(np.isfinite(one[EXCESS]).all() for one in noise.fitted.deviations)  # it is compared with nothing
    assert noise.fitted.unheard_share == pytest.approx(112 / 337)
    np.testing.assert_allclose(noise.fitted.deviations[2][STFPM].mean(axis=0, dtype=np.float64), 0.0, atol=1e-4)
    np.testing.assert_allclose(noise.fitted.deviations[2][STFPM].std(axis=0, dtype=np.float64), 1.0, rtol=1e-4)


def test_fit_detector_says_of_sound_held_out_what_the_fit_said(noise: Fit, backbone: Backbone) -> None:
    """Cell by cell and bit by bit: the student as it travels, streamed as it will be."""
    detector = Stfpm.load(Parts(noise.fitted.arrays, noise.fitted.features[STFPM], noise.fitted.blobs))
    stream = detector.stream()
    said = [
        one.values
        for heard in heard_blocks(noise.recordings[2], backbone, BANDWIDTH_HZ)
        for one in stream.push(heard.block, heard.cells)
        if one.feature == STFPM
    ]
    np.testing.assert_array_equal(np.concatenate(said), noise.fitted.deviations[2][STFPM])


def test_fit_student_is_as_precise_as_its_teacher_and_says_where_it_comes_from(noise: Fit) -> None:
    card = decode_card(noise.fitted.blobs[CARD_MEMBER], "card")
    assert (card.precision, card.front_end, card.seed) == ("int8", "panns-32k", 0)
    assert card.training_data == ["normal recordings of one machine"]
    assert card.parity["features"]["fp32_streamed_vs_torch"]["block4"]["largest_difference"] <= 1e-4
    assert len(noise.fitted.blobs[STUDENT_MEMBER]) < 6e6


def test_fit_of_a_single_recording_trains_on_its_beginning_and_judges_its_end(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export.stfpm.lesson import Lesson

    learned: list[int] = []
    add = Lesson.add

    def overheard(self: Lesson, block: FeatureBlock) -> None:
        learned.append(block.first_cell)
        add(self, block)

    monkeypatch.setattr(Lesson, "add", overheard)
    fitted = StfpmFitter(backbone, BANDWIDTH_HZ, SMALL).fit(noise_recordings(tmp_path, 12.0))
    assert learned == list(range(-8, 233, 8))  # 300 cells, of which 240 are learned from: the last whole block before begins at 232
    heard = ~np.isnan(fitted.deviations[0][STFPM]).any(axis=1)
    assert np.flatnonzero(heard).tolist() == list(range(240, 300))


def test_fit_does_not_learn_across_a_gap(backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from export.stfpm.lesson import Lesson

    samples = 0.05 * np.random.default_rng(0).standard_normal(10 * RATE_HZ)
    samples[4 * RATE_HZ : 5 * RATE_HZ] = 0.0
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ)
    lesson = Lesson(np.random.default_rng(0))
    recording = Recording(tmp_path / "a.wav", 0, 250)
    StfpmFitter(backbone, BANDWIDTH_HZ, SMALL)._learn(lesson, 0, recording, HeldOut([recording]))
    lengths = [len(stretch.log_mel) // 32 for stretch in lesson.stretches]
    assert lengths == [1 + 13 + 1, 1 + (200 - 125) // 8]  # a mirrored block before and after; up to the sound that is held out


def test_fit_too_little_to_train_on_says_so(backbone: Backbone, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="longer ones are needed"):
        StfpmFitter(backbone, BANDWIDTH_HZ, SMALL).fit(noise_recordings(tmp_path, 0.5, 0.5, 0.5))


def test_settings_refuse_a_backbone_without_a_network() -> None:
    with pytest.raises(UserError, match=r"^--backbone logmel: has no network that a student could imitate; take cnn14-distilled$"):
        SMALL.fitter(LogMelBackbone(), BANDWIDTH_HZ, "stream")


def test_settings_come_from_the_options() -> None:
    parser = ArgumentParser()
    parser.add_argument("--seed", type=int)
    add_detector_arguments(parser)
    given = ["--detector", "stfpm", "--stfpm-steps", "40", "--stfpm-batch", "3", "--device", "cpu", "--seed", "5"]
    assert fitter_settings(parser.parse_args(given)) == StfpmSettings(steps=40, batch=3, device="cpu", seed=5)
    assert fitter_settings(parser.parse_args(["--detector", "stfpm", "--seed", "0"])) == StfpmSettings()


@dataclass(frozen=True)
class Calibrated:
    """A bundle on the disk, and what was said of it."""

    paths: list[Path]
    bundle: Path
    summary: Calibration


def calibrated(folder: Path, paths: list[Path], settings: StfpmSettings = SMALL) -> Calibrated:
    bundle = folder / "machine.auscult"
    return Calibrated(paths, bundle, calibrate(paths, bundle, CalibrationSettings(fitting=settings, created_at=AT_NOON)))


@pytest.mark.slow
def test_calibrate_is_the_same_bundle_for_the_same_seed_and_listens_alike_in_any_pieces(tmp_path: Path) -> None:
    paths = [recording.path for recording in noise_recordings(tmp_path, 4.0, 5.0, 12.0, 4.0)]
    one = calibrated(tmp_path, paths)
    first = one.bundle.read_bytes()
    assert calibrated(tmp_path, paths).bundle.read_bytes() == first
    assert len(first) < 8e6
    assert one.summary.supported_false_alarms_per_week == pytest.approx(3 * 7 * 86400 / 4.0)  # of 25 s, the last recording was new to it

    model = Model.load(one.bundle)
    expected = score_file(model, paths[2]).windows
    assert len(expected) >= 4
    samples = soundfile.read(paths[2], dtype="float32")[0]
    listener = Listener(model, RATE_HZ)
    found = [said for part in np.split(samples, np.cumsum([1, 777, 31, 40_000, 12_345, 99_999])) for said in listener.push(part)]
    found += listener.finish()
    windows = [said for said in found if isinstance(said, Window)]
    assert [(w.t_end_s, w.score, w.heads) for w in windows] == [(w.t_end_s, w.score, w.heads) for w in expected]
    for window, wanted in zip(windows, expected, strict=True):
        np.testing.assert_array_equal(window.localization.time_scores, wanted.localization.time_scores)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_calibrate_hears_a_knock_and_a_tone_in_a_machine(tmp_path: Path) -> None:
    machine = RotatingMachine(3, RATE_HZ, MachineDesign(load_hold_s=1000.0, slip=0.001))
    heard = machine.render(132.0)
    paths = []
    for number, part in enumerate(np.split(heard[: 120 * RATE_HZ], 12)):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], part, RATE_HZ, subtype="FLOAT")
    model = Model.load(calibrated(tmp_path, paths, StfpmSettings(steps=30, batch=4)).bundle)
    new = heard[120 * RATE_HZ :]
    scores, by_student = {}, {}
    faults = {"nothing": None, "knock": knock_fault(RATE_HZ, 1, peak=0.8), "tone": tone_fault(RATE_HZ, 1, 5.0, 3150.0, -34.0)}
    for name, fault in faults.items():
        samples = new if fault is None else inject(new, fault.heard_through(machine.colour), 5.0)
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE_HZ, subtype="FLOAT")
        result = score_file(model, tmp_path / f"{name}.wav")
        scores[name] = result.score
        by_student[name] = max(window.heads["stfpm_moment"] for window in result.windows)
    assert scores["nothing"] < 1.0 < min(scores["knock"], scores["tone"])
    assert by_student["nothing"] < 0.3  # 0.1
    assert by_student["knock"] > 2.1  # 2.6; of a student that has learned for one step only, 1.4
