"""Calls are alike in form and different in everything else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from export.synthesis.call import calls

SEEDS = range(12)


def made(seed: int, rate_hz: int = 16000, seconds: float = 3.0) -> NDArray[np.float32]:
    return calls(seconds, rate_hz, np.random.default_rng(seed))


def levels_db(samples: NDArray[np.float32], rate_hz: int = 16000) -> NDArray[np.float64]:
    """Of every 20 ms, below the loudest; shape = (time,)."""
    frames = samples[: len(samples) // (rate_hz // 50) * (rate_hz // 50)].reshape(-1, rate_hz // 50).astype(np.float64)
    power = np.square(frames).mean(axis=1)
    return np.asarray(10.0 * np.log10(power / power.max() + 1e-12))


def flatness(samples: NDArray[np.float32]) -> float:
    """Of the loudest quarter of a second of 16 kHz, between 150 Hz and 6 kHz: near 0 for a tone, 0.56 for white noise."""
    start = max(0, min(len(samples) - 4096, int(levels_db(samples).argmax()) * 320 - 2048))
    power = np.abs(np.fft.rfft(samples[start : start + 4096] * np.hanning(4096))) ** 2  # (bin,)
    heard = power[38:1536] + 1e-20
    return float(np.exp(np.log(heard).mean()) / heard.mean())


@pytest.mark.parametrize(("seconds", "rate_hz"), [(4.0, 32000), (1.0, 16000), (0.1, 44100), (0.01, 32000)])
def test_calls_are_as_long_as_asked_and_of_peak_1(seconds: float, rate_hz: int) -> None:
    for seed in SEEDS:
        samples = made(seed, rate_hz, seconds)
        assert samples.shape == (round(seconds * rate_hz),)
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() == pytest.approx(1.0, rel=1e-5)


def test_calls_of_the_same_seed_are_the_same_and_of_another_are_not() -> None:
    assert np.array_equal(made(1), made(1))
    assert not np.array_equal(made(1), made(2))


def test_calls_begin_within_the_first_half_and_most_have_pauses() -> None:
    silent = []
    for seed in SEEDS:
        loud = levels_db(made(seed)) > -50.0
        assert int(loud.argmax()) <= len(loud) / 2 + 1
        silent.append(1.0 - float(loud.mean()))
    assert np.median(silent) > 0.2
    assert min(silent) < 0.25  # and some creatures hardly stop


def test_calls_come_in_rows() -> None:
    """So often it begins anew after a pause."""
    rows = [np.count_nonzero(np.diff((levels_db(made(seed)) > -40.0).astype(np.int8)) == 1) for seed in SEEDS]
    assert max(rows) >= 4
    assert sum(row >= 2 for row in rows) >= 4


def test_calls_are_tones_of_many_pitches_and_now_and_then_noise() -> None:
    found = [flatness(made(seed)) for seed in range(30)]
    assert np.median(found) < 0.02
    assert max(found) > 0.1
    centres_hz = []
    for seed in range(30):
        power = np.abs(np.fft.rfft(made(seed))) ** 2
        centres_hz.append(float(np.average(np.fft.rfftfreq(48000, 1 / 16000), weights=power)))
    assert min(centres_hz) < 400.0
    assert max(centres_hz) > 2000.0


def test_calls_begin_without_a_click() -> None:
    for seed in SEEDS:
        samples = np.abs(made(seed))
        first = int(np.argmax(samples > 1e-4))
        assert samples[first : first + 16].max() < 0.25 * samples[first : first + 1600].max()  # 1 ms of 100
