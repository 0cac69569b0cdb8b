from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.detectors.auddsr import AUDDSR, CHUNK_CELLS, CONTEXT_FRAMES, MEMBER, SEEN_FRAMES, AudDsr
from edge.detectors.detector import EXCESS, LEVEL, Parts
from edge.errors import BundleError
from edge.features.feature_stream import FeatureBlock
from edge.features.logmel_backbone import NOTHING
from tests.networks import RATE_HZ, auddsr_network, frames_of, parts_of, said, sound


@pytest.fixture(scope="module")
def detector() -> AudDsr:
    return AudDsr.load(parts_of(AUDDSR, 32))


def test_auddsr_map_equals_that_of_the_whole_recording(detector: AudDsr) -> None:
    """Chunks see all that they depend on; the recording's ends, behind which lies a mirror image, are left out."""
    samples = sound(12.0)
    frames = frames_of(samples)[: 11 * 32]
    with torch.inference_mode():
        whole = auddsr_network().cells(torch.from_numpy(frames)).numpy()
    streamed = said(detector, samples, [3000])[AUDDSR]
    inner = slice(CONTEXT_FRAMES // 4, len(whole) - CONTEXT_FRAMES // 4)
    assert np.ptp(whole[inner]) > 0.05
    np.testing.assert_allclose(streamed[: len(whole)][inner], whole[inner], atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(pieces=st.lists(st.integers(200, 60000), min_size=1, max_size=4), seconds=st.sampled_from([0.3, 2.9, 7.3]))
def test_auddsr_map_is_the_same_for_any_sizes_of_the_pushes(detector: AudDsr, pieces: list[int], seconds: float) -> None:
    whole = said(detector, sound(seconds), [round(seconds * RATE_HZ)])
    again = said(detector, sound(seconds), pieces)
    cells = (round(seconds * RATE_HZ) // 512 + 1) // 4
    assert whole[AUDDSR].shape == (cells, 32)
    assert whole[EXCESS].shape == (cells, 32)
    assert whole[LEVEL].shape == (cells, 1)
    for feature in whole:
        np.testing.assert_array_equal(again[feature], whole[feature])


@pytest.mark.parametrize("frames", [9 * 4, 32, 33 * 4, 64 * 4, 65 * 4])
def test_auddsr_every_cell_is_judged_whatever_the_length(detector: AudDsr, frames: int) -> None:
    samples = sound((frames - 1) * 512 / RATE_HZ + 0.01)
    assert len(said(detector, samples, [5000])[AUDDSR]) == frames // 4


def test_auddsr_first_chunk_sees_the_mirror_image_of_the_beginning(monkeypatch: pytest.MonkeyPatch, detector: AudDsr) -> None:
    seen = []

    def look(self: AudDsr, frames: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> object:
        seen.append(frames[:, 0].copy())
        return np.zeros((CHUNK_CELLS, 32), np.float32)

    monkeypatch.setattr(AudDsr, "anomalies", look)
    stream = detector.stream()
    numbers = np.arange(-32, 320, dtype=np.float32)
    for block in range(-1, 9):
        log_mel = np.zeros((36, 128), np.float32)
        log_mel[2:34, 0] = numbers[32 * (block + 1) : 32 * (block + 2)]
        found = stream.push(FeatureBlock(8 * block, log_mel, np.arange(8 * block, 8 * block + 8, dtype=np.float32), NOTHING), cells=70)
        assert bool(found) == (block in (4, 6, 8))
    np.testing.assert_array_equal(seen[0], np.abs(np.arange(-96, 160)))
    np.testing.assert_array_equal(seen[1], np.abs(np.arange(-32, 224)))
    np.testing.assert_array_equal(seen[2], np.arange(32, 288))
    assert all(len(frames) == SEEN_FRAMES for frames in seen)


def test_auddsr_level_is_that_of_the_same_cells(detector: AudDsr) -> None:
    stream = detector.stream()
    found = []
    for block in range(9):
        levels_db = np.arange(8 * block - 40, 8 * block - 32, dtype=np.float32)
        found += stream.push(FeatureBlock(8 * block, np.zeros((36, 128), np.float32), levels_db, NOTHING), cells=40)
    values = np.concatenate([one.values[:, 0] for one in found if one.feature == LEVEL])
    # The bank holds -50 and -40 dB, each a fold of its own: the mean distance to both, of the levels -40, -39, ... dB.
    np.testing.assert_allclose(values, 5.0 + np.arange(40), atol=1e-4)


@pytest.mark.parametrize("seconds", [3.0, 9.3])
def test_auddsr_excess_is_the_loudness_of_the_same_cells(detector: AudDsr, seconds: float) -> None:
    samples = sound(seconds)
    frames = frames_of(samples)
    loudness = frames.reshape(-1, 4, frames.shape[1] // 4, 4).mean(axis=1).max(axis=2)
    np.testing.assert_allclose(said(detector, samples, [777])[EXCESS], loudness, rtol=1e-5)


def test_auddsr_bands_without_sound_are_no_part_of_it() -> None:
    narrow = AudDsr.load(parts_of(AUDDSR, 20))
    assert said(narrow, sound(2.0), [16000], bandwidth_hz=3000.0)[AUDDSR].shape == (15, 20)


@pytest.mark.parametrize("member", [AUDDSR])
def test_auddsr_without_an_array_is_refused(member: str) -> None:
    whole = parts_of(AUDDSR, 32)
    with pytest.raises(KeyError):
        AudDsr.load(Parts({name: one for name, one in whole.arrays.items() if name != member}, 32, whole.blobs, whole.front_end))


def test_auddsr_for_another_front_end_is_refused() -> None:
    whole = parts_of(AUDDSR, 16)
    with pytest.raises(BundleError, match=f"its network {MEMBER} does not take"):
        AudDsr.load(Parts(whole.arrays, 16, whole.blobs))
