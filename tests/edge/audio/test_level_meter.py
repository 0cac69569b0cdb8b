from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.audio.level_meter import Level, LevelMeter

RATE_HZ = 8000


def sine(amplitude: float, seconds: float = 1.0, offset: float = 0.0) -> NDArray[np.float32]:
    t = np.arange(round(RATE_HZ * seconds)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * 100 * t) + offset).astype(np.float32)


def measure(samples: NDArray[np.float32]) -> Level:
    (level,) = LevelMeter(RATE_HZ).push(samples)
    return level


def test_level_of_a_sine_is_its_rms_and_peak() -> None:
    level = measure(sine(0.5))
    assert level.dbfs == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=0.01)
    assert level.peak_dbfs == pytest.approx(20 * math.log10(0.5), abs=0.01)
    assert level.clipped_fraction == 0
    assert not level.dead


def test_level_of_an_offset_is_not_sound() -> None:
    assert measure(sine(0.01, offset=0.5)).dbfs == pytest.approx(measure(sine(0.01)).dbfs, abs=0.01)


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_level_of_equal_samples_is_dead_and_none(value: float) -> None:
    level = measure(np.full(RATE_HZ, value, np.float32))
    assert level == Level(None, None, float(value == 1.0), dead=True, constant=value)


def test_level_of_a_clipped_sine_counts_full_scale() -> None:
    clipped = np.clip(sine(2.0), -1, 32767 / 32768)
    level = measure(clipped)
    assert level.clipped_fraction == pytest.approx(2 / 3, abs=0.01)


def test_level_of_16_bit_noise_floor_is_not_dead() -> None:
    quiet = np.zeros(RATE_HZ, np.float32)
    quiet[::100] = 1 / 32768
    level = measure(quiet)
    assert not level.dead
    assert level.dbfs is not None
    assert level.dbfs < -105


@given(cuts=st.lists(st.integers(0, 20_000), max_size=8))
def test_level_meter_any_blocks_give_the_same_levels(cuts: list[int]) -> None:
    samples = np.random.default_rng(7).normal(0, 0.1, 20_000).astype(np.float32)
    whole = LevelMeter(RATE_HZ)
    expected = [*whole.push(samples), whole.finish()]
    meter = LevelMeter(RATE_HZ)
    levels: list[Level | None] = []
    for part in np.split(samples, sorted(cuts)):
        levels += meter.push(part)
    levels.append(meter.finish())
    assert len(levels) == 3
    for level, wanted in zip(levels, expected, strict=True):
        assert level is not None
        assert wanted is not None
        assert level.dbfs == pytest.approx(wanted.dbfs, abs=1e-9)
        assert (level.peak_dbfs, level.clipped_fraction, level.dead) == (wanted.peak_dbfs, wanted.clipped_fraction, wanted.dead)


def test_level_meter_finish_without_samples_gives_none() -> None:
    assert LevelMeter(RATE_HZ).finish() is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_level_samples_that_are_not_numbers_are_left_out(value: float) -> None:
    damaged, whole = sine(0.5), measure(sine(0.5))
    damaged[::80] = value  # one in each period, which takes a zero of the sine
    level = measure(damaged)
    assert level.dbfs == pytest.approx(whole.dbfs, abs=0.06)
    assert (level.peak_dbfs, level.clipped_fraction, level.dead) == (whole.peak_dbfs, 0.0, False)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_level_without_a_number_is_dead_and_the_next_second_is_not(value: float) -> None:
    meter = LevelMeter(RATE_HZ)
    dead, alive = meter.push(np.concatenate([np.full(RATE_HZ, value, np.float32), sine(0.5)]))
    assert dead == Level(None, None, 0.0, dead=True, constant=None)
    assert alive == measure(sine(0.5))
