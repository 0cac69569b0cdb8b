from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.features.cell_averages import OCTAVES, AverageLayout, AverageStream
from edge.features.feature_extractor import FeatureExtractor, PlacedBlock
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import CLAP, DCASE, PANNS, FrontEnd, mel_edges_hz, mels_below
from edge.features.logmel import offline_log_mel
from edge.features.logmel_backbone import NOTHING, LogMelBackbone
from edge.features.low_bands import LowBands, low_edges_hz

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

FRONT_ENDS = (PANNS, CLAP, DCASE)
BY_CELL = ("power", "decibels", "inverse", "square", "flux")


def layout_of(front_end: FrontEnd, bandwidth_hz: float = 8000.0) -> AverageLayout:
    return AverageLayout(front_end, mels_below(front_end, bandwidth_hz))


def noise(samples: int, seed: int = 0) -> Float32:
    return (0.05 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def block(first_cell: int, sound_db: Float64 | Float32, low_db: Float32 | None = None) -> FeatureBlock:
    """A block of which only its own frames matter."""
    low = np.zeros(0, np.float32) if low_db is None else low_db
    return FeatureBlock(
        first_cell, np.zeros((36, 64), np.float32), np.zeros(8, np.float32), NOTHING, sound_db=sound_db.astype(np.float32), low_db=low
    )


def rows_of(front_end: FrontEnd, sound: Float32, cuts: list[int], bandwidth_hz: float = 8000.0) -> Float32:
    """The rows of all real cells of sound that is pushed in parts."""
    extractor = FeatureExtractor(LogMelBackbone(front_end), front_end.sample_rate_hz, bandwidth_hz, lag_blocks=0)
    stream = AverageStream(layout_of(front_end, bandwidth_hz))
    found = []
    for part in [*np.split(sound, sorted(cuts)), None]:
        for heard in extractor.finish() if part is None else extractor.push(part):
            assert isinstance(heard, PlacedBlock)
            rows = stream.push(heard.block, heard.cells)
            if heard.block.first_cell >= 0:
                found.append(rows[: max(0, heard.cells - heard.block.first_cell)])
    return np.concatenate(found)


def banded(log_mel: Float32, layout: AverageLayout) -> Float64:
    """The frames of bands, shape = (frame, band) dB."""
    wide = log_mel[:, : layout.mels].astype(np.float64)
    if layout.front_end.mel_bands == 64:
        return wide
    pairs = 10.0 ** (0.1 * wide)
    return 10.0 * np.log10(0.5 * (pairs[:, 0 : 2 * layout.bands : 2] + pairs[:, 1 : 2 * layout.bands : 2]))


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
def test_layout_has_at_most_64_bands_and_says_where_they_are(front_end: FrontEnd) -> None:
    layout = AverageLayout(front_end, front_end.mel_bands)
    assert (layout.bands, layout.groups) == (64, 16)
    edges = mel_edges_hz(front_end)
    step = front_end.mel_bands // 64
    for band in (0, 10, 63):
        assert layout.edges_hz[band].tolist() == [edges[step * band], edges[step * band + step + 1]]
        assert layout.edges_hz[band, 0] < layout.centres_hz[band] < layout.edges_hz[band, 1]
    assert layout.width == 5 * 64 + 16 + 5 * 16 + len(low_edges_hz(front_end)) - 1
    ends = [(columns.start, columns.stop) for columns in layout.columns.values()]
    assert [start for start, _ in ends] == [0, *(stop for _, stop in ends[:-1])]
    assert len(layout.low_centres_hz) == len(low_edges_hz(front_end)) - 1


@pytest.mark.parametrize("bandwidth_hz", [2000.0, 3999.0, 7000.0])
def test_layout_of_a_narrow_microphone_has_the_bands_that_it_carries(bandwidth_hz: float) -> None:
    for front_end in FRONT_ENDS:
        layout = layout_of(front_end, bandwidth_hz)
        assert layout.edges_hz[-1, 1] <= bandwidth_hz
        assert layout.groups == layout.bands // 4
        assert layout.bands == layout.mels // (front_end.mel_bands // 64)


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
def test_averages_are_those_of_the_frames_of_each_cell(front_end: FrontEnd) -> None:
    layout, sound = layout_of(front_end), noise(5 * front_end.block_samples + 3333)
    rows = rows_of(front_end, sound, []).astype(np.float64)
    frames = banded(offline_log_mel(sound, front_end), layout)
    assert len(rows) == len(frames) // 4 == 5 * 8 + (3333 // front_end.hop_samples + 1) // 4
    by_cell = frames[: 4 * len(rows)].reshape(len(rows), 4, -1)
    column = {name: rows[:, columns] for name, columns in layout.columns.items()}
    np.testing.assert_allclose(column["power"], (10.0 ** (0.1 * by_cell)).mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(column["decibels"], by_cell.mean(axis=1), atol=1e-4)
    np.testing.assert_allclose(column["inverse"], (10.0 ** (-0.1 * by_cell)).mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(column["square"], np.square(by_cell).mean(axis=1), rtol=1e-5)
    steps = np.abs(np.diff(frames, axis=0))[3 : 4 * len(rows) - 1].reshape(-1, 4, layout.bands)  # of the first cell, one is of the mirror
    np.testing.assert_allclose(column["flux"][1:], steps.mean(axis=1), atol=1e-4)
    groups = frames[: 5 * 32, : 4 * layout.groups].reshape(5, 32, layout.groups, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(column["slow"][:40], np.repeat(np.square(groups), 8, axis=0), rtol=1e-5)
    np.testing.assert_array_equal(column["low"][:40].astype(np.float32), np.repeat(LowBands(front_end).push(sound), 8, axis=0))


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
@pytest.mark.parametrize("rest", [0, 5000])
def test_averages_unknown_are_the_modulation_of_the_first_block_and_all_that_is_counted_by_block_where_one_is_cut_off(
    front_end: FrontEnd, rest: int
) -> None:
    rows = rows_of(front_end, noise(4 * front_end.block_samples + rest), [])
    layout = layout_of(front_end)
    for name in BY_CELL:
        assert np.isfinite(rows[:, layout.columns[name]]).all(), name
    cells = np.arange(len(rows))
    assert len(cells) > 32 or not rest
    for name, known in (("slow", cells < 32), ("low", cells < 32), ("modulation", (cells >= 8) & (cells < 32))):
        unknown = np.isnan(rows[:, layout.columns[name]])
        np.testing.assert_array_equal(unknown, np.repeat(~known[:, None], unknown.shape[1], axis=1), name)


def test_averages_of_a_block_without_low_bands_leave_them_open() -> None:
    """A spectrogram that was never sound has none."""
    layout = layout_of(PANNS)
    rows = AverageStream(layout).push(block(0, np.full((32, 64), -40.0)), 100)
    assert np.isnan(rows[:, layout.columns["low"]]).all()
    assert np.isfinite(rows[:, layout.columns["slow"]]).all()


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
@pytest.mark.parametrize(("line", "octave"), [(1, 0), (2, 1), (3, 1), (4, 2), (7, 2), (8, 3), (12, 3), (15, 3), (16, 4), (24, 4), (31, 4)])
def test_modulation_of_a_band_is_in_its_octave_and_in_its_group(front_end: FrontEnd, line: int, octave: int) -> None:
    """A group of bands that swells by 6 dB: other groups hear nothing, and other octaves little."""
    layout = layout_of(front_end)
    frequency_hz = line / (64 * front_end.frame_s)
    time_s = front_end.frame_s * np.arange(6 * 32)
    frames = np.full((6 * 32, front_end.mel_bands), -40.0)
    width = 4 * layout.mels_per_band
    frames[:, 2 * width : 3 * width] += 3.0 * np.sin(2.0 * np.pi * frequency_hz * time_s)[:, None]
    stream = AverageStream(layout)
    rows = np.concatenate([stream.push(block(8 * k, frames[32 * k : 32 * k + 32]), 1000) for k in range(6)])
    powers = rows[:, layout.columns["modulation"]].reshape(48, len(OCTAVES), layout.groups)
    assert np.isnan(powers[:8]).all()
    for now in powers[8:]:
        assert divmod(int(np.argmax(now)), layout.groups) == (octave, 2)
        assert now[octave, 2] > 2.0 * max(np.delete(now[:, 2], octave))
        assert np.delete(now, 2, axis=1).max() < 1e-6


def test_modulation_at_10_hz_is_between_6_and_12_hz_and_grows_with_its_square() -> None:
    layout, reached = layout_of(PANNS), []
    for decibels in (1.0, 2.0):
        frames = -40.0 + decibels * np.sin(2.0 * np.pi * 10.0 * 0.01 * np.arange(96))[:, None] * np.ones(64)
        stream = AverageStream(layout)
        rows = [stream.push(block(8 * k, frames[32 * k : 32 * k + 32]), 24) for k in range(3)][2]
        reached.append(rows[0, layout.columns["modulation"]].reshape(5, -1).mean(axis=1))
    assert [int(np.argmax(octaves)) for octaves in reached] == [2, 2]  # lines 4 to 7, of 1.56 Hz each
    assert reached[1][2] == pytest.approx(4.0 * reached[0][2], rel=1e-3)


@settings(max_examples=20, deadline=None)
@given(front_end=st.sampled_from(FRONT_ENDS), cuts=st.lists(st.integers(0, 100_000), max_size=10), samples=st.integers(20_000, 100_000))
def test_averages_are_the_same_for_any_pushes(front_end: FrontEnd, cuts: list[int], samples: int) -> None:
    sound = noise(samples, seed=1)
    np.testing.assert_array_equal(rows_of(front_end, sound, cuts), rows_of(front_end, sound, []))
