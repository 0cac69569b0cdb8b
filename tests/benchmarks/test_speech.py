from __future__ import annotations

import numpy as np
import pytest

from benchmarks.speech import HISS_HZ, PITCH_HZ, speech

RATE_HZ = 16000


def frames_of(samples: np.ndarray, frame_s: float) -> np.ndarray:
    frame = round(frame_s * RATE_HZ)
    return samples[: len(samples) // frame * frame].reshape(-1, frame)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
def test_speech_is_as_long_as_asked_at_any_rate(rate_hz: int) -> None:
    samples = speech(1.3, rate_hz, np.random.default_rng(0))
    assert samples.shape == (round(1.3 * rate_hz),)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() == pytest.approx(1.0)


def test_speech_with_the_same_seed_is_the_same_and_with_another_is_not() -> None:
    first, again, other = (speech(1.0, RATE_HZ, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(4))
def test_speech_has_the_pitch_of_a_voice_that_falls(seed: int) -> None:
    samples = speech(2.0, RATE_HZ, np.random.default_rng(seed)).astype(np.float64)
    lags = np.arange(round(RATE_HZ / (1.3 * PITCH_HZ[1])), round(RATE_HZ / (0.7 * PITCH_HZ[0])))

    def pitch_hz(part: np.ndarray) -> float:
        same = np.array([np.mean([frame[lag:] @ frame[:-lag] for frame in frames_of(part, 0.05)]) for lag in lags])
        return float(RATE_HZ / lags[np.argmax(same)])

    first, last = pitch_hz(samples[: RATE_HZ // 2]), pitch_hz(samples[-RATE_HZ // 2 :])
    assert last < 0.95 * first


def test_speech_has_syllables_and_formants_that_move() -> None:
    samples = speech(20.0, RATE_HZ, np.random.default_rng(0)).astype(np.float64)
    loudness = np.sqrt(np.mean(np.square(frames_of(samples, 0.02)), axis=1))
    rhythm = np.abs(np.fft.rfft(loudness - loudness.mean()))
    rhythm_hz = np.fft.rfftfreq(len(loudness), 0.02)
    assert 3.5 < rhythm_hz[np.argmax(rhythm)] < 7.5
    frames = frames_of(samples, 0.05)
    frequency_hz = np.fft.rfftfreq(frames.shape[1], 1 / RATE_HZ)
    spectra = np.square(np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]), axis=1)))
    formant2 = (frequency_hz > 800) & (frequency_hz < 2400)
    centre_hz = spectra[:, formant2] @ frequency_hz[formant2] / spectra[:, formant2].sum(axis=1)
    assert np.std(centre_hz) > 200.0


def test_speech_has_consonants_above_its_vowels() -> None:
    samples = speech(20.0, RATE_HZ, np.random.default_rng(0)).astype(np.float64)
    spectra = np.square(np.abs(np.fft.rfft(frames_of(samples, 0.05), axis=1)))
    frequency_hz = np.fft.rfftfreq(round(0.05 * RATE_HZ), 1 / RATE_HZ)
    hiss = spectra[:, frequency_hz > 1.4 * HISS_HZ[0]].sum(axis=1) / spectra.sum(axis=1)
    assert np.quantile(hiss, 0.95) > 0.3  # some moments are mostly hiss
    assert np.median(hiss) < 0.05  # most are none
