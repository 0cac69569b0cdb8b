from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.audio.resampler import Resampler

Float32 = NDArray[np.float32]

RATES_HZ = [8000, 16000, 22050, 44100, 48000, 96000]


def resampled(samples: Float32, from_hz: int, to_hz: int, cuts: list[int]) -> Float32:
    resampler = Resampler(from_hz, to_hz)
    return np.concatenate([*(resampler.push(part) for part in np.split(samples, sorted(cuts))), resampler.finish()])


@settings(max_examples=30, deadline=None)
@given(rate_hz=st.sampled_from(RATES_HZ), cuts=st.lists(st.integers(0, 20_000), max_size=30), length=st.integers(0, 20_000))
def test_resampler_any_sizes_of_pushes_give_the_same_samples(rate_hz: int, cuts: list[int], length: int) -> None:
    samples = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    np.testing.assert_array_equal(resampled(samples, rate_hz, 32000, cuts), resampled(samples, rate_hz, 32000, []))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_resampler_keeps_frequency_level_and_time_of_a_tone(rate_hz: int) -> None:
    time_s = np.arange(rate_hz) / rate_hz
    tone = (0.5 * np.sin(2 * np.pi * 1000 * time_s)).astype(np.float32)
    out = resampled(tone, rate_hz, 32000, [rate_hz // 3])
    assert out.dtype == np.float32
    assert abs(len(out) - 32000) <= 1
    middle = slice(4000, 28000)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(32000) / 32000)
    np.testing.assert_allclose(out[middle], expected[middle], atol=1e-3)


def test_resampler_removes_what_the_new_rate_cannot_carry() -> None:
    tone = np.sin(2 * np.pi * 20_000 * np.arange(48_000) / 48_000).astype(np.float32)
    assert np.abs(resampled(tone, 48000, 32000, [])[2000:-2000]).max() < 1e-4


def test_resampler_same_rate_passes_through() -> None:
    samples = np.arange(100, dtype=np.float32)
    np.testing.assert_array_equal(resampled(samples, 32000, 32000, [3, 50]), samples)
