"""What `calibrate` refuses, and that nothing is lost of an older bundle when it fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from calibrate.calibration import calibrate
from calibrate.embeddings import Recording
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.patchcore import PatchCoreFitter, PatchCoreSettings
from calibrate.settings import CalibrationSettings
from calibrate.workers_here import WorkersHere
from edge.bundles.bundle import Bundle
from edge.errors import AudioError, AuscultError, BackboneError, BundleError

RATE_HZ = 16000
SMALL = PatchCoreSettings(coreset=60)
QUICK = CalibrationSettings(fitting=SMALL)


def write(path: Path, samples: NDArray[np.float32], subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, RATE_HZ, subtype=subtype)
    return path


def noise(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    return (0.05 * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


@pytest.mark.parametrize("name", ["cnn15", "missing.onnx"])
def test_calibrate_with_an_unknown_backbone_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BackboneError):
        calibrate([], tmp_path / "b.auscult", CalibrationSettings(backbone=name))


@pytest.mark.parametrize("bad", ["text", "silent", "short", "duplicate"])
def test_calibrate_with_an_unusable_recording_names_it_or_leaves_it_out(bad: str, tmp_path: Path) -> None:
    good = [write(tmp_path / f"{index}.wav", noise(6.0, index)) for index in range(2)]
    path = tmp_path / "bad.wav"
    if bad == "text":
        path.write_text("not a sound")
    else:
        write(path, {"silent": np.zeros(6 * RATE_HZ, np.float32), "short": noise(0.2), "duplicate": noise(6.0, 0)}[bad])
    output = tmp_path / "b.auscult"
    with pytest.raises(AudioError, match=r"bad\.wav") as refused:
        calibrate([*good, path], output, QUICK)
    assert "\n" not in str(refused.value)
    assert not output.exists()
    said: list[str] = []
    summary = calibrate([*good, path], output, CalibrationSettings(fitting=SMALL, bad_recordings="drop"), said.append)
    assert (summary.recordings, summary.dropped) == (2, (str(path),))
    assert Bundle.read(output).manifest.data.dropped == ("bad.wav",)
    assert "bad.wav: left out" in said[0]


@pytest.mark.parametrize("seconds", [(), (9.0,)])
def test_calibrate_on_too_little_sound_is_refused(seconds: tuple[float, ...], tmp_path: Path) -> None:
    recordings = [write(tmp_path / "a.wav", noise(length)) for length in seconds]
    with pytest.raises(AudioError, match="at least 10 s are needed"):
        calibrate(recordings, tmp_path / "b.auscult", QUICK)


def test_calibrate_on_sound_below_the_lowest_band_is_refused(tmp_path: Path) -> None:
    rumble = (3e-4 * np.sin(2 * np.pi * 20.0 * np.arange(12 * RATE_HZ) / RATE_HZ)).astype(np.float32)
    with pytest.raises(AudioError, match="hold no sound above"):
        calibrate([write(tmp_path / "a.wav", rumble, subtype="FLOAT")], tmp_path / "b.auscult", QUICK)


def test_calibrate_output_that_cannot_be_written_is_said_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = write(tmp_path / "a.wav", noise(1.0))
    before = recording.read_bytes()
    monkeypatch.delattr("calibrate.calibration.check_recordings")
    for output, problem in (
        (tmp_path / "missing" / "b.auscult", "there is no folder .*missing; make it first"),
        (recording / "b.auscult", "there is no folder .*a.wav; make it first"),
        (tmp_path, "exists and is not a bundle"),
        (recording, "exists and is not a bundle"),
        (Path(os.devnull), "exists and is not a bundle"),
    ):
        with pytest.raises(BundleError, match=problem):
            calibrate([recording], output, QUICK)
    assert recording.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [recording]


def _full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _ctrl_c(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("place", "fails", "error"),
    [
        ("edge.atomic_file.os.fsync", _full_disk, BundleError),
        ("edge.atomic_file.os.fsync", _ctrl_c, KeyboardInterrupt),
        ("calibrate.fitted_bundle.write_bundle", _ctrl_c, KeyboardInterrupt),
        ("calibrate.fitters.banks.greedy_k_center", _ctrl_c, KeyboardInterrupt),
    ],
)
def test_calibrate_that_fails_late_leaves_the_older_bundle_and_nothing_else(
    place: str, fails: object, error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = write(tmp_path / "a.wav", noise(12.0))
    output = tmp_path / "b.auscult"
    calibrate([recording], output, QUICK)
    before = output.read_bytes()
    monkeypatch.setattr(place, fails)
    with pytest.raises(error):
        calibrate([recording], output, CalibrationSettings(fitting=PatchCoreSettings(60, seed=1)))
    assert output.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [recording, output]


def test_calibrate_recording_that_vanishes_after_the_checks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = write(tmp_path / "a.wav", noise(12.0))
    fit = PatchCoreFitter.fit

    def fit_too_late(self: PatchCoreFitter, recordings: list[Recording], workers: WorkersHere) -> FittedDetector:
        recording.unlink()
        return fit(self, recordings, workers)

    monkeypatch.setattr(PatchCoreFitter, "fit", fit_too_late)
    with pytest.raises(AuscultError, match=r"a\.wav: cannot be read: No such file"):
        calibrate([recording], tmp_path / "b.auscult", QUICK)
