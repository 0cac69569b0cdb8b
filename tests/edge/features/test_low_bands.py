from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.features.feature_stream import FeatureBlock, FeatureStream
from edge.features.frontend import CLAP, DCASE, FLOOR_DB, PANNS, FrontEnd
from edge.features.logmel import offline_log_mel
from edge.features.logmel_backbone import LogMelBackbone
from edge.features.low_bands import LowBands, low_edges_hz

Float32 = NDArray[np.float32]

FRONT_ENDS = (PANNS, CLAP, DCASE)
# A spectrum spans a quarter of a second, as nearly as a power of two can.
WINDOW = {PANNS: 8192, CLAP: 8192, DCASE: 4096}


def sine(front_end: FrontEnd, frequency_hz: float, amplitude: float, samples: int) -> Float32:
    time_s = np.arange(samples) / front_end.sample_rate_hz
    return (amplitude * np.sin(2.0 * np.pi * frequency_hz * time_s + 0.7)).astype(np.float32)


def noise(samples: int, deviation: float = 0.05, seed: int = 0) -> Float32:
    return (deviation * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
def test_low_edges_lie_below_500_hz_a_dozen_hertz_apart(front_end: FrontEnd) -> None:
    edges = low_edges_hz(front_end)
    assert 10.0 < edges[0] < 16.0
    assert 490.0 < edges[-1] < 511.0
    np.testing.assert_allclose(np.diff(edges), np.diff(edges)[0])
    assert np.diff(edges)[0] == pytest.approx(11.7, abs=1.0)
    assert len(edges) - 1 == len(LowBands(front_end).push(noise(front_end.block_samples))[0])


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
@pytest.mark.parametrize("amplitude", [0.5, 0.01])
def test_low_bands_a_sine_is_in_its_band_at_its_level(front_end: FrontEnd, amplitude: float) -> None:
    """Its power, amplitude squared over two, in half of the spectrum of so many samples."""
    edges = low_edges_hz(front_end)
    expected_db = 10.0 * math.log10(WINDOW[front_end] * amplitude**2 / 4.0)
    for band in (0, 7, 20, len(edges) - 2):
        frequency_hz = 0.5 * (edges[band] + edges[band + 1])
        for block in LowBands(front_end).push(sine(front_end, frequency_hz, amplitude, 2 * front_end.block_samples)):
            assert int(np.argmax(block)) == band
            assert block[band] == pytest.approx(expected_db, abs=0.3)
            far = np.abs(np.arange(len(block)) - band) > 2
            assert block[far].max() < expected_db - 40.0


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
def test_low_bands_two_lines_that_are_25_hz_apart_are_two_bands(front_end: FrontEnd) -> None:
    """A mel is twice as wide: a shaft and the mains are one to it."""
    edges = low_edges_hz(front_end)
    first, second = 6, 8
    samples = sum(sine(front_end, 0.5 * (edges[band] + edges[band + 1]), 0.1, front_end.block_samples) for band in (first, second))
    (block,) = LowBands(front_end).push(np.asarray(samples))
    assert sorted(np.argsort(block)[-2:].tolist()) == [first, second]
    assert block[7] < block[[first, second]].min() - 4.0


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
def test_low_bands_of_white_noise_hold_its_power_times_their_lines(front_end: FrontEnd) -> None:
    blocks = LowBands(front_end).push(noise(200 * front_end.block_samples))
    lines = np.diff(low_edges_hz(front_end))[0] / (front_end.sample_rate_hz / WINDOW[front_end])
    power = np.mean(np.power(10.0, 0.1 * np.array(blocks, np.float64)), axis=0)
    np.testing.assert_allclose(power, 0.05**2 * lines, rtol=0.35)
    assert power.mean() == pytest.approx(0.05**2 * lines, rel=0.05)


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
def test_low_bands_what_decimation_folds_into_them_is_50_db_down(front_end: FrontEnd) -> None:
    """At 32 kHz an eighth is 4 kHz: a sine at 3.5 kHz would be one at 500 Hz, and one at 4.2 kHz one at 200 Hz."""
    edges = low_edges_hz(front_end)
    decimated_hz, middle = front_end.sample_rate_hz / 8, 0.5 * (edges[:-1] + edges[1:])
    for band in (0, 10, len(middle) - 1):
        own = LowBands(front_end).push(sine(front_end, middle[band], 0.5, front_end.block_samples))[0][band]
        for folded_hz in (decimated_hz - middle[band], decimated_hz + middle[band], 2 * decimated_hz - middle[band]):
            (block,) = LowBands(front_end).push(sine(front_end, folded_hz, 0.5, front_end.block_samples))
            assert block.max() < own - 50.0, folded_hz


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: front_end.name)
def test_low_bands_of_silence_are_the_floor(front_end: FrontEnd) -> None:
    (block,) = LowBands(front_end).push(np.zeros(front_end.block_samples, np.float32))
    np.testing.assert_array_equal(block, np.full(len(block), FLOOR_DB, np.float32))


@settings(max_examples=25, deadline=None)
@given(front_end=st.sampled_from(FRONT_ENDS), cuts=st.lists(st.integers(0, 70_000), max_size=12), samples=st.integers(0, 70_000))
def test_low_bands_are_one_vector_a_block_whatever_the_pushes(front_end: FrontEnd, cuts: list[int], samples: int) -> None:
    sound, bands = noise(samples), LowBands(front_end)
    found = [block for part in np.split(sound, sorted(cuts)) for block in bands.push(part)]
    step = front_end.block_samples
    assert len(found) == samples // step
    for place, block in enumerate(found):
        np.testing.assert_array_equal(block, LowBands(front_end).push(sound[place * step : (place + 1) * step])[0])


@settings(max_examples=15, deadline=None)
@given(front_end=st.sampled_from(FRONT_ENDS), cuts=st.lists(st.integers(0, 90_000), max_size=8), samples=st.integers(900, 90_000))
def test_feature_stream_tells_the_sound_and_the_low_bands_of_the_blocks_own_frames(
    front_end: FrontEnd, cuts: list[int], samples: int
) -> None:
    sound = noise(samples)
    stream = FeatureStream(LogMelBackbone(front_end), front_end.sample_rate_hz / 2, lag_blocks=0)
    blocks: list[FeatureBlock] = []
    for part in np.split(sound, sorted(cuts)):
        blocks += [_kept(block) for block in stream.push(part)]
    blocks += [_kept(block) for block in stream.finish()]
    assert [block.first_cell for block in blocks] == list(range(-8, 8 * len(blocks) - 8, 8))
    frames = np.concatenate([block.sound_db for block in blocks])
    log_mel = offline_log_mel(sound, front_end)
    np.testing.assert_array_equal(frames[32 : 32 + len(log_mel)], log_mel)
    whole = LowBands(front_end).push(sound)
    for block in blocks:
        place = block.first_cell // 8
        if 0 <= place < len(whole):
            np.testing.assert_array_equal(block.low_db, whole[place])
        else:
            assert len(block.low_db) == 0  # the mirror before the beginning, and what is cut off


def _kept(block: FeatureBlock) -> FeatureBlock:
    return FeatureBlock(block.first_cell, block.log_mel, block.level_db, block.features, block.ahead, block.sound_db.copy(), block.low_db)
