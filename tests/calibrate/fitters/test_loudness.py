from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import calibrate.feature_pass
from calibrate.embeddings import Recording, heard_blocks
from calibrate.fitters.excess import fit_excess
from calibrate.fitters.loudness import fit_loudness, loudness_store
from edge.detectors.detector import EXCESS
from edge.detectors.loudness import Loudness
from edge.features.feature_extractor import PlacedBlock, file_features
from edge.features.feature_stream import FeatureSource
from edge.features.frontend import DCASE, PANNS, FrontEnd
from edge.features.logmel_backbone import LogMelBackbone
from tests.noise import noise_recordings

BANDWIDTH_HZ = 8000.0


@pytest.mark.parametrize(("front_end", "bands"), [(PANNS, 13), (DCASE, 32)])
def test_fit_loudness_detector_says_of_a_recording_what_the_fit_said(front_end: FrontEnd, bands: int, tmp_path: Path) -> None:
    """To half precision."""
    recordings = noise_recordings(tmp_path, 4.0, 3.0, 5.0)
    fitted = fit_loudness(loudness_store(recordings, front_end, BANDWIDTH_HZ), front_end.cell_s)
    assert fitted.features == {EXCESS: bands}
    assert set(fitted.arrays) == {EXCESS}
    assert fitted.heard == [0, 1, 2]
    loudness = Loudness(fitted.arrays, bands)
    for recording, deviations in zip(recordings, fitted.deviations, strict=True):
        stream = loudness.stream()
        said: dict[str, list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]] = {EXCESS: []}
        for heard in file_features(recording.path, 0, LogMelBackbone(front_end), BANDWIDTH_HZ):
            assert isinstance(heard, PlacedBlock)
            stream.push(heard.block)
            first, end = max(0, heard.block.first_cell), min(heard.cells, heard.block.first_cell + 8)
            for one in stream.deviations(first, end - first) if end > first else []:
                said[one.feature].append(one.values)
        np.testing.assert_allclose(np.concatenate(said[EXCESS]), deviations[EXCESS], atol=0.05)


def test_fit_loudness_of_a_recording_without_sound_and_one_with_a_gap(tmp_path: Path) -> None:
    samples = 0.05 * np.random.default_rng(0).standard_normal(8 * 32000)
    samples[3 * 32000 : 5 * 32000] = 0.0
    soundfile.write(tmp_path / "gap.wav", samples, 32000)
    soundfile.write(tmp_path / "silence.wav", np.zeros(3 * 32000), 32000)
    recordings = [Recording(tmp_path / "silence.wav", 0, 75), Recording(tmp_path / "gap.wav", 0, 200), *noise_recordings(tmp_path, 2.0)]
    fitted = fit_loudness(loudness_store(recordings, PANNS, BANDWIDTH_HZ), PANNS.cell_s)
    assert fitted.heard == [1, 2]
    assert [one[EXCESS].shape for one in fitted.deviations] == [(200, 13), (50, 13)]
    assert np.flatnonzero(np.isnan(fitted.deviations[0][EXCESS]).any(axis=1)).tolist() == list(range(75, 125))
    own = [np.zeros((200, 13), np.float32), np.ones((50, 13), np.float32)]
    beside = fitted.beside("own", own)
    assert [list(one) for one in beside] == [["own", EXCESS]] * 2
    for one, values, loudness in zip(beside, own, fitted.deviations, strict=True):
        assert one["own"] is values
        assert one[EXCESS] is loudness[EXCESS]


def test_fit_loudness_hears_each_recording_once_and_has_the_excess_of_the_other_detectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = noise_recordings(tmp_path, 3.0, 3.0, 3.0)
    heard: list[Path] = []

    def overheard(recording: Recording, backbone: FeatureSource, bandwidth_hz: float, lag_blocks: int = 1) -> Iterator[PlacedBlock]:
        heard.append(recording.path)
        return heard_blocks(recording, backbone, bandwidth_hz, lag_blocks)

    monkeypatch.setattr(calibrate.feature_pass, "heard_blocks", overheard)
    fitted = fit_loudness(loudness_store(recordings, PANNS, BANDWIDTH_HZ), PANNS.cell_s)
    assert heard == [recording.path for recording in recordings]
    alone, _ = fit_excess(loudness_store(recordings, PANNS, BANDWIDTH_HZ), PANNS.cell_s)
    for name, array in alone.items():
        np.testing.assert_array_equal(fitted.arrays[EXCESS][name], array)
