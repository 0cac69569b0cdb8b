from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.detector import EXCESS, LEVEL
from edge.detectors.embedding import Embedder
from edge.detectors.loudness import Loudness, RecentLoudness, mel_loudness
from edge.features.feature_stream import FeatureBlock, FeatureStream
from edge.features.frontend import DCASE, PANNS, FrontEnd
from edge.features.logmel_backbone import NOTHING, LogMelBackbone

Float32 = NDArray[np.float32]

BANDS = 3


def arrays(bands: int = BANDS) -> dict[str, Arrays]:
    return {
        EXCESS: {
            "mean": np.repeat(-20.0 + np.arange(bands, dtype=np.float32)[:, None], 4, axis=1),
            "deviation": np.tile(np.array([2.0, 2.0, 2.0, 1.0], np.float32), (bands, 1)),
            "unit": np.ones(bands, np.float32),
        },
        LEVEL: {
            "bank_0": np.array([[-50.0], [-40.0]], np.float16),
            "folds": np.array([1, 1]),
            "mean": np.array([5.0], np.float32),
            "deviation": np.array([2.0], np.float32),
        },
    }


def block(first_cell: int, seed: int = 0, mels: int = 64) -> FeatureBlock:
    rng = np.random.default_rng(seed)
    return FeatureBlock(
        first_cell, rng.normal(-20.0, 5.0, (36, mels)).astype(np.float32), rng.normal(-45.0, 9.0, 8).astype(np.float32), NOTHING
    )


def slow_loudness(frames: Float32, bands: int) -> NDArray[np.float64]:
    """Cell by cell, shape = (cell, band, mel), of (frame, mel)."""
    cells = len(frames) // 4
    means = [[frames[4 * c : 4 * c + 4, mel].astype(float).mean() for mel in range(4 * bands)] for c in range(cells)]
    return np.array(means).reshape(cells, bands, 4)


@pytest.mark.parametrize(("mels", "bands"), [(64, 16), (64, 11), (128, 32), (128, 1)])
def test_mel_loudness_is_the_mean_of_a_cells_own_frames(mels: int, bands: int) -> None:
    heard = block(0, mels=mels)
    np.testing.assert_allclose(mel_loudness(heard, bands), slow_loudness(heard.log_mel[2:34], bands), rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), lag_cells=st.integers(0, 45), bands=st.integers(1, 16))
def test_recent_loudness_is_that_of_the_cells_asked_for_whatever_the_lag(data: st.DataObject, lag_cells: int, bands: int) -> None:
    blocks = [block(first_cell, seed=first_cell + 8) for first_cell in range(-8, 80, 8)]
    loudness = slow_loudness(np.concatenate([one.log_mel[2:34] for one in blocks]), bands)
    levels_db = np.concatenate([one.level_db for one in blocks])
    recent = RecentLoudness(bands, lag_cells)
    for one in blocks:
        recent.push(one)
        first = data.draw(st.integers(max(-8, one.first_cell - lag_cells), one.first_cell + 7))
        count = data.draw(st.integers(1, one.first_cell + 8 - first))
        found_db, found_levels_db = recent.of(first, count)
        np.testing.assert_allclose(found_db, loudness[first + 8 : first + 8 + count], rtol=1e-5)
        np.testing.assert_array_equal(found_levels_db, levels_db[first + 8 : first + 8 + count])


@pytest.mark.parametrize(("first_cell", "count"), [(2, 1), (3, 14), (16, 1), (12, -1)])
def test_recent_loudness_of_cells_that_are_not_kept_is_refused(first_cell: int, count: int) -> None:
    recent = RecentLoudness(BANDS, 5)
    for first in (0, 8):
        recent.push(block(first))
    assert [len(values) for values in recent.of(3, 13)] == [13, 13]
    with pytest.raises(AssertionError, match="cells that are not kept"):
        recent.of(first_cell, count)


def delayed(front_end: FrontEnd, samples: Float32, pieces: list[int], lag_cells: int) -> tuple[Float32, Float32]:
    """Excess and level of all cells of a segment, as a detector hears them that is so many cells late."""
    bands = front_end.bands
    features = FeatureStream(LogMelBackbone(front_end), front_end.sample_rate_hz / 2, lag_blocks=-(-lag_cells // 8))
    loudness = Loudness(arrays(bands), bands).stream(lag_cells)
    said: dict[str, list[Float32]] = {EXCESS: [], LEVEL: []}

    def hear(heard: FeatureBlock) -> None:
        loudness.push(heard)
        first, end = max(0, heard.first_cell - lag_cells), min(features.cells, heard.first_cell - lag_cells + 8)
        if end > first:
            deviations = loudness.deviations(first, end - first)
            assert [(one.feature, one.first_cell) for one in deviations] == [(EXCESS, first), (LEVEL, first)]
            for one in deviations:
                said[one.feature].append(one.values)

    start = 0
    while start < len(samples):
        size = pieces.pop(0) if pieces else len(samples)
        for heard in features.push(samples[start : start + size]):
            hear(heard)
        start += size
    for heard in features.finish():
        hear(heard)
    return np.concatenate(said[EXCESS]), np.concatenate(said[LEVEL])


@settings(max_examples=25, deadline=None)
@given(
    pieces=st.lists(st.integers(1, 30000), max_size=12),
    lag_cells=st.integers(0, 40),
    samples=st.integers(20000, 130000),
    front_end=st.sampled_from([PANNS, DCASE]),
)
def test_loudness_of_a_cell_does_not_depend_on_the_lag_or_on_how_the_sound_came_in(
    pieces: list[int], lag_cells: int, samples: int, front_end: FrontEnd
) -> None:
    sound = 0.05 * np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    whole = delayed(front_end, sound, [], 0)
    late = delayed(front_end, sound, pieces, lag_cells)
    assert len(whole[0]) == (samples // (front_end.block_samples // 32) + 1) // 4
    for one, other in zip(late, whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_loudness_deviations_are_in_units_of_what_normal_sound_varies_by() -> None:
    loudness = Loudness(arrays(), BANDS)
    assert dict(loudness.features) == {EXCESS: BANDS, LEVEL: 1}
    mels_db = np.repeat(np.array([[-20.0, -15.0, -18.0], [-16.0, -19.0, -28.0]], np.float32)[:, :, None], 4, axis=2)
    mels_db[:, :, 3] = -40.0
    mels_db[0, 2, 3] = -11.0  # a tone
    excess, level = loudness.deviations(40, mels_db, np.array([-45.0, -30.0], np.float32))
    assert (excess.feature, excess.first_cell, level.feature, level.first_cell) == (EXCESS, 40, LEVEL, 40)
    np.testing.assert_allclose(excess.values, [[0.0, 2.0, 7.0], [2.0, 0.0, -5.0]])
    np.testing.assert_allclose(level.values, [[0.0], [5.0]], atol=1e-5)  # both folds left out in turn: 5 and 15 dB away


def test_loudness_of_a_bundle_without_an_excess_is_the_level_alone_and_the_same() -> None:
    earlier = Loudness({LEVEL: arrays()[LEVEL]}, BANDS)
    assert dict(earlier.features) == {LEVEL: 1}
    streams = earlier.stream(3), Loudness(arrays(), BANDS).stream(3)
    for stream in streams:
        stream.push(block(0, 1))
        stream.push(block(8, 2))
    (level,), (_, expected) = (stream.deviations(5, 8) for stream in streams)
    assert (level.feature, level.first_cell) == (LEVEL, 5)
    np.testing.assert_array_equal(level.values, expected.values)


def test_loudness_is_what_the_embedder_says_of_the_same_cells() -> None:
    embedder, recent = Embedder({}, 11), RecentLoudness(11, 1)
    for first_cell in (0, 8, 16):
        heard = block(first_cell, first_cell)
        embeddings = embedder.push(heard)
        recent.push(heard)
        mels_db, levels_db = recent.of(embeddings.first_cell, 8)
        np.testing.assert_array_equal(embeddings.of(EXCESS), mels_db)
        np.testing.assert_array_equal(embeddings.of(LEVEL), levels_db[:, None, None])
        own = embeddings.logmel.reshape(8, 11, 8, 4)[:, :, 2:-2].mean(axis=2)  # the frames of the cell itself among those of its patch
        np.testing.assert_allclose(mels_db, own, rtol=1e-5)


@pytest.mark.parametrize(
    ("feature", "name", "array"),
    [
        (EXCESS, "mean", np.zeros((BANDS + 1, 4), np.float32)),
        (EXCESS, "mean", np.zeros(BANDS, np.float32)),
        (EXCESS, "unit", np.zeros(BANDS, np.float32)),
        (EXCESS, "deviation", np.eye(BANDS, 4, dtype=np.float32)),
        (EXCESS, "deviation", np.full((BANDS, 4), np.nan, np.float32)),
        (LEVEL, "bank_0", np.zeros((2, 2), np.float16)),
        (LEVEL, "folds", np.array([1, 2])),
    ],
)
def test_loudness_of_arrays_that_do_not_belong_together_is_refused(feature: str, name: str, array: NDArray[np.generic]) -> None:
    fitted = {member: dict(one) for member, one in arrays().items()}
    fitted[feature][name] = array
    with pytest.raises(ValueError, match=feature if feature == EXCESS or name == "bank_0" else "folds"):
        Loudness(fitted, BANDS)


@pytest.mark.parametrize(
    ("feature", "name"), [(EXCESS, "mean"), (EXCESS, "deviation"), (EXCESS, "unit"), (LEVEL, "bank_0"), (LEVEL, "folds")]
)
def test_loudness_with_half_of_an_array_is_refused(feature: str, name: str) -> None:
    fitted = {member: dict(one) for member, one in arrays().items()}
    del fitted[feature][name]
    with pytest.raises((KeyError, ValueError)):
        Loudness(fitted, BANDS)


def test_loudness_of_a_bundle_without_a_level_is_the_excess_alone_and_the_same() -> None:
    later = Loudness({EXCESS: arrays()[EXCESS]}, BANDS)
    assert dict(later.features) == {EXCESS: BANDS}
    streams = later.stream(3), Loudness(arrays(), BANDS).stream(3)
    for stream in streams:
        stream.push(block(0, 1))
        stream.push(block(8, 2))
    (excess,), (expected, _) = (stream.deviations(5, 8) for stream in streams)
    assert (excess.feature, excess.first_cell) == (EXCESS, 5)
    np.testing.assert_array_equal(excess.values, expected.values)


def test_loudness_of_neither_is_refused() -> None:
    with pytest.raises(KeyError, match=LEVEL):
        Loudness({}, BANDS)
