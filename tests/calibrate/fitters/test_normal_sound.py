from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from calibrate.embeddings import Recording
from calibrate.fitters.fitter import FittedDetector
from calibrate.fitters.normal_sound import NormalSound, require_log_mel_16k, stretches_of
from edge.detectors.detector import EXCESS, Detector, DetectorStream, Deviation, Parts, real_cells
from edge.detectors.standard import Standard
from edge.errors import AudioError, UserError
from edge.features.backbone import Backbone
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import DCASE
from edge.features.logmel_backbone import LogMelBackbone

RATE_HZ = 16000
BACKBONE = LogMelBackbone(DCASE)


def noise(folder: Path, *seconds: float) -> list[Recording]:
    recordings = []
    for index, duration_s in enumerate(seconds):
        path = folder / f"{index}.wav"
        soundfile.write(path, 0.05 * np.random.default_rng(index).standard_normal(round(duration_s * RATE_HZ)), RATE_HZ)
        recordings.append(Recording(path, 0, round(duration_s / DCASE.cell_s)))
    return recordings


class Loudness:
    """A detector that needs no network: what it says of a cell is its mean in each band. It is two blocks late."""

    lag_blocks = 2

    def __init__(self, parts: Parts) -> None:
        self.bands = parts.bands
        self.features: Mapping[str, int] = {"loudness": self.bands}
        self.standard = Standard("loudness", parts.arrays["loudness"], self.bands)

    @classmethod
    def load(cls, parts: Parts) -> Detector:
        assert EXCESS in parts.arrays
        return cls(parts)

    def stream(self) -> LoudnessStream:
        return LoudnessStream(self)


class LoudnessStream(DetectorStream):
    def __init__(self, detector: Loudness) -> None:
        self.detector = detector
        self.held: list[tuple[int, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]] = []

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        frames = block.log_mel[2:34, : 4 * self.detector.bands]
        self.held.append((block.first_cell, frames.reshape(8, 4, -1, 4).mean(axis=(1, 3))))
        if len(self.held) < 3:
            return []
        first_cell, values = self.held.pop(0)
        real = real_cells(first_cell, cells)
        return [self.detector.standard.deviation(first_cell + real.start, values[real])] if real.stop > real.start else []


def test_stretches_of_a_recording_with_a_gap_are_its_parts(tmp_path: Path) -> None:
    samples = 0.05 * np.random.default_rng(0).standard_normal(8 * RATE_HZ)
    samples[3 * RATE_HZ : 5 * RATE_HZ] = 0.0
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ)
    found = stretches_of([Recording(tmp_path / "a.wav", 0, 62)], BACKBONE, 8000.0)
    assert [stretch.recording for stretch in found] == [0, 0]
    assert found[0].first_cell == 0
    assert found[1].first_cell * DCASE.cell_s == pytest.approx(5.0, abs=DCASE.cell_s)
    assert [len(stretch.frames) * DCASE.frame_s for stretch in found] == pytest.approx([3.0, 3.0], abs=0.3)
    assert all(len(stretch.frames) % 4 == 0 for stretch in found)


@pytest.mark.parametrize(("seconds", "learned"), [((4.0,) * 5, [124] * 4), ((10.0,), [252]), ((10.0, 5.0), [252, 128])])
def test_normal_sound_learned_is_all_but_one_fold(seconds: tuple[float, ...], learned: list[int], tmp_path: Path) -> None:
    """Frames: of five recordings the last is held out, of one or two the last fifth of each."""
    runs = NormalSound(noise(tmp_path, *seconds), BACKBONE, 8000.0).learned()
    assert [len(run) for run in runs] == learned


def test_normal_sound_fitted_judges_the_held_out_fold_alone(tmp_path: Path) -> None:
    fitted = NormalSound(noise(tmp_path, 4.0, 4.0, 5.0), BACKBONE, 8000.0).fitted(Loudness, "loudness", {"x": b"y"}, "stream")
    assert isinstance(fitted, FittedDetector)
    assert fitted.features == {"loudness": 32, EXCESS: 32}
    assert fitted.blobs == {"x": b"y"}
    assert [one["loudness"].shape for one in fitted.deviations] == [(31, 32), (31, 32), (39, 32)]
    assert [bool(np.isfinite(one["loudness"]).all()) for one in fitted.deviations] == [False, False, True]
    assert all(np.isnan(one["loudness"]).all() for one in fitted.deviations[:2])
    assert all(np.isfinite(one[EXCESS]).all() for one in fitted.deviations)  # nothing is held out
    assert fitted.unheard_share == pytest.approx(39 / 101)
    np.testing.assert_allclose(fitted.deviations[2]["loudness"].mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(fitted.arrays["loudness"]["mean"].astype(np.float32), -20.0, atol=1.5)


def test_normal_sound_fitted_of_one_recording_judges_its_end(tmp_path: Path) -> None:
    (one,) = NormalSound(noise(tmp_path, 10.0), BACKBONE, 8000.0).fitted(Loudness, "loudness", {}, "stream").deviations
    known = np.isfinite(one["loudness"]).all(axis=1)
    assert np.flatnonzero(known).tolist() == list(range(63, 78))


def test_normal_sound_fitted_least_is_what_a_deviation_is_at_the_least(tmp_path: Path) -> None:
    fitted = NormalSound(noise(tmp_path, 4.0, 4.0, 5.0), BACKBONE, 8000.0).fitted(Loudness, "loudness", {}, "stream", 77.0)
    np.testing.assert_array_equal(fitted.arrays["loudness"]["deviation"], np.full(32, 77.0, np.float32))


def test_normal_sound_of_silence_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(4 * RATE_HZ), RATE_HZ)
    with pytest.raises(AudioError, match="hold no sound"):
        NormalSound([Recording(tmp_path / "a.wav", 0, 31)], BACKBONE, 8000.0)


def test_require_log_mel_16k_refuses_other_front_ends_in_one_line() -> None:
    require_log_mel_16k("auddsr", BACKBONE)
    with pytest.raises(UserError, match=r"^--backbone logmel: is not what auddsr takes; use logmel-16k$"):
        require_log_mel_16k("auddsr", LogMelBackbone())
    with pytest.raises(UserError, match=r"^--backbone cnn14-random: is not what auddsr takes; use logmel-16k$"):
        require_log_mel_16k("auddsr", Backbone.load("cnn14-random"))
