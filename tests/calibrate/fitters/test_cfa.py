from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")
pytest.importorskip("onnx")

from calibrate.detector_arguments import add_detector_arguments, fitter_settings
from calibrate.embeddings import Recording, heard_blocks
from calibrate.fitters.cfa import CfaFitter, CfaSettings
from edge.detectors.cfa import MEMBER, Cfa
from edge.detectors.detector import Parts
from edge.errors import AudioError, UserError
from edge.features.backbone import Backbone
from edge.features.logmel_backbone import LogMelBackbone
from tests.noise import noise_recordings

SMALL = CfaSettings(centres=8, epochs=2, device="cpu")
BANDWIDTH_HZ = 8000.0


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return Backbone.load("cnn14-random")


def test_fit_judges_the_fold_that_it_held_out_and_only_that(tmp_path: Path, backbone: Backbone) -> None:
    fitted = CfaFitter(backbone, BANDWIDTH_HZ, SMALL).fit(noise_recordings(tmp_path, 4.0, 3.0, 3.0))
    bands = fitted.features["cfa"]
    assert fitted.features == {"cfa": bands, "excess": bands}
    assert [one["cfa"].shape for one in fitted.deviations] == [(100, bands), (75, bands), (75, bands)]
    assert [bool(np.isfinite(one["cfa"]).any()) for one in fitted.deviations] == [False, False, True]
    assert np.isfinite(fitted.deviations[2]["cfa"]).all()
    assert all(np.isfinite(one["excess"]).all() for one in fitted.deviations)
    assert fitted.unheard_share == pytest.approx(75 / 250)
    np.testing.assert_allclose(fitted.deviations[2]["cfa"].astype(np.float64).std(axis=0), 1.0, rtol=1e-4)


def test_fit_of_one_recording_holds_its_last_fifth_out(tmp_path: Path, backbone: Backbone) -> None:
    (one,) = CfaFitter(backbone, BANDWIDTH_HZ, SMALL).fit(noise_recordings(tmp_path, 10.0)).deviations
    assert np.flatnonzero(np.isfinite(one["cfa"]).all(axis=1)).tolist() == list(range(200, 250))


def test_fit_with_a_recording_that_holds_no_sound_judges_what_it_held_out(tmp_path: Path, backbone: Backbone) -> None:
    """That there is nothing of the first does not make the others change their places."""
    silence = Recording(tmp_path / "silence.wav", 0, 50)
    soundfile.write(silence.path, np.zeros(2 * 32000), 32000)
    fitted = CfaFitter(backbone, BANDWIDTH_HZ, SMALL).fit([silence, *noise_recordings(tmp_path, 2.0, 3.0, 4.0)])
    assert [one["cfa"].shape for one in fitted.deviations] == [one["excess"].shape for one in fitted.deviations]
    assert [len(one["excess"]) for one in fitted.deviations] == [50, 75, 100]
    assert [bool(np.isfinite(one["cfa"]).all()) for one in fitted.deviations] == [False, False, True]


def test_fit_never_trains_on_what_it_held_out(tmp_path: Path, backbone: Backbone) -> None:
    """Whatever the last recording holds, the network and the centres are the same."""
    recordings = noise_recordings(tmp_path, 3.0, 3.0, 3.0, 3.0)
    one = CfaFitter(backbone, BANDWIDTH_HZ, SMALL).fit(recordings[:3])
    other = CfaFitter(backbone, BANDWIDTH_HZ, SMALL).fit([*recordings[:2], recordings[3]])
    assert one.blobs == other.blobs
    np.testing.assert_array_equal(one.arrays["spheres"]["centres"], other.arrays["spheres"]["centres"])
    assert not np.array_equal(one.deviations[2]["cfa"], other.deviations[2]["cfa"])


def test_fitted_detector_says_of_the_held_out_fold_what_the_fit_said_and_hears_new_sound_alike(tmp_path: Path, backbone: Backbone) -> None:
    *known, new = noise_recordings(tmp_path, 6.0, 6.0, 6.0, 8.0)
    fitted = CfaFitter(backbone, BANDWIDTH_HZ, SMALL).fit(known)
    detector = Cfa.load(Parts(fitted.arrays, fitted.features["cfa"], fitted.blobs))
    heard = {}
    for name, recording in {"held out": known[2], "new": new}.items():
        stream = detector.stream()
        said = [one for block in heard_blocks(recording, backbone, BANDWIDTH_HZ, 0) for one in stream.push(block.block, block.cells)]
        heard[name] = np.concatenate([one.values for one in said if one.feature == "cfa"])
    np.testing.assert_allclose(heard["held out"], fitted.deviations[2]["cfa"], atol=1e-4)
    assert heard["new"].mean() == pytest.approx(0.0, abs=0.3)


def test_fit_with_the_same_seed_gives_the_same_and_with_another_another(tmp_path: Path, backbone: Backbone) -> None:
    recordings = noise_recordings(tmp_path, 2.0, 2.0, 2.0)
    one, again, other = (CfaFitter(backbone, BANDWIDTH_HZ, CfaSettings(8, 2, seed, "cpu")).fit(recordings) for seed in (0, 0, 1))
    assert one.blobs == again.blobs
    assert one.blobs[MEMBER] != other.blobs[MEMBER]
    np.testing.assert_array_equal(one.arrays["spheres"]["centres"], again.arrays["spheres"]["centres"])


def test_fit_on_sound_of_which_nothing_is_left_to_train_on_is_refused_in_one_line(tmp_path: Path, backbone: Backbone) -> None:
    samples = np.zeros(10 * 32000)
    samples[8 * 32000 :] = 0.05 * np.random.default_rng(0).standard_normal(2 * 32000)
    soundfile.write(tmp_path / "late.wav", samples, 32000)
    with pytest.raises(AudioError, match="recordings: hold no sound that could be trained on; longer ones are needed"):
        CfaFitter(backbone, BANDWIDTH_HZ, SMALL).fit([Recording(tmp_path / "late.wav", 0, 250)])


def test_fit_on_sound_of_which_nothing_is_left_to_judge_is_refused_in_one_line(tmp_path: Path, backbone: Backbone) -> None:
    samples = np.zeros(10 * 32000)
    samples[: 6 * 32000] = 0.05 * np.random.default_rng(0).standard_normal(6 * 32000)
    soundfile.write(tmp_path / "early.wav", samples, 32000)
    with pytest.raises(AudioError, match="recordings: hold too little sound to hold some back for the threshold"):
        CfaFitter(backbone, BANDWIDTH_HZ, SMALL).fit([Recording(tmp_path / "early.wav", 0, 250)])


def test_settings_refuse_a_backbone_without_a_network_in_one_line() -> None:
    with pytest.raises(UserError, match=r"^--backbone logmel: has no features for cfa; leave it out to use cnn14-distilled$"):
        SMALL.fitter(LogMelBackbone(), BANDWIDTH_HZ, "stream")


def test_settings_come_from_their_options() -> None:
    parser = ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    add_detector_arguments(parser)
    assert fitter_settings(parser.parse_args(["--detector", "cfa"])) == CfaSettings()
    chosen = parser.parse_args(["--detector", "cfa", "--cfa-epochs", "5", "--cfa-centres", "9", "--device", "cpu", "--seed", "3"])
    assert fitter_settings(chosen) == CfaSettings(centres=9, epochs=5, seed=3, device="cpu")
