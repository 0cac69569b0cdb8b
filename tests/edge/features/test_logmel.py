from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.features.frontend import CLAP, FRONT_ENDS, PANNS, FrontEnd, mel_filterbank
from edge.features.logmel import LogMel, offline_log_mel

Float32 = NDArray[np.float32]


def noise(samples: int, seed: int = 0) -> Float32:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def streamed(samples: Float32, front_end: FrontEnd, cuts: list[int]) -> Float32:
    stream = LogMel(front_end)
    blocks = [block for part in np.split(samples, sorted(cuts)) for block in stream.push(part)]
    assert all(block.shape == (32, 64) for block in blocks)
    return np.concatenate([*blocks, stream.finish()])


def slow_mel_weights(front_end: FrontEnd) -> NDArray[np.float64]:
    """Slaney's filters written down bin by bin: 200/3 Hz a mel below 1 kHz, 27 mels for each factor of 6.4 above; unit area."""

    def hz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)

    def mel(frequency: float) -> float:
        return frequency * 3 / 200 if frequency < 1000 else 15 + 27 * np.log(frequency / 1000) / np.log(6.4)

    lo, hi = mel(front_end.f_min_hz), mel(front_end.f_max_hz)
    mels = front_end.mel_bands
    points = [hz(lo + (hi - lo) * i / (mels + 1)) for i in range(mels + 2)]
    weights = np.zeros((513, mels))
    for m in range(mels):
        left, centre, right = points[m : m + 3]
        for k in range(513):
            f = k * front_end.sample_rate_hz / 1024
            if left < f < right:
                weights[k, m] = (f - left) / (centre - left) if f <= centre else (right - f) / (right - centre)
        weights[:, m] *= 2 / (right - left)
    return weights


def slow_log_mel(samples: Float32, front_end: FrontEnd) -> NDArray[np.float64]:
    """Frame by frame, in double precision."""
    padded = np.pad(samples.astype(np.float64), 512, mode="reflect")
    window = [np.sin(np.pi * n / 1024) ** 2 for n in range(1024)]
    weights = slow_mel_weights(front_end)
    frames = [padded[start : start + 1024] for start in range(0, len(padded) - 1023, front_end.hop_samples)]
    return np.array([10 * np.log10(np.maximum((np.abs(np.fft.rfft(frame * window)) ** 2) @ weights, 1e-10)) for frame in frames])


@pytest.mark.parametrize("front_end", FRONT_ENDS.values(), ids=str)
def test_filterbank_equals_slaneys_formulas(front_end: FrontEnd) -> None:
    np.testing.assert_allclose(mel_filterbank(front_end), slow_mel_weights(front_end), atol=1e-7)


@pytest.mark.parametrize("front_end", FRONT_ENDS.values(), ids=str)
@pytest.mark.parametrize("length", [513, 1024, 5000, 33_333])
def test_log_mel_equals_the_slow_reference(front_end: FrontEnd, length: int) -> None:
    samples = noise(length)
    fast = offline_log_mel(samples, front_end)
    assert fast.dtype == np.float32
    assert fast.shape == (length // front_end.hop_samples + 1, front_end.mel_bands)
    np.testing.assert_allclose(fast, slow_log_mel(samples, front_end), atol=2e-3)


@settings(max_examples=40, deadline=None)
@given(length=st.integers(0, 40_000), cuts=st.lists(st.integers(0, 40_000), max_size=12), clap=st.booleans())
def test_log_mel_streamed_in_any_pieces_equals_offline_bit_for_bit(length: int, cuts: list[int], clap: bool) -> None:
    front_end = CLAP if clap else PANNS
    samples = noise(length, seed=length)
    np.testing.assert_array_equal(streamed(samples, front_end, cuts), offline_log_mel(samples, front_end))


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (1, 0), (2, 1), (319, 1), (320, 2), (512, 2), (513, 2), (640, 3)])
def test_log_mel_short_signal_is_mirrored_as_often_as_needed(samples: int, frames: int) -> None:
    signal = noise(samples)
    log_mel = offline_log_mel(signal, PANNS)
    assert log_mel.shape == (frames, 64)
    if frames:
        np.testing.assert_allclose(log_mel, slow_log_mel(signal, PANNS), atol=2e-3)


def test_log_mel_frame_is_centred_on_its_hop() -> None:
    impulse = np.zeros(32_000, np.float32)
    impulse[320 * 40] = 1.0
    energy = offline_log_mel(impulse, PANNS).sum(axis=1)  # (frame,)
    assert energy.argmax() == 40
    assert energy[39] == pytest.approx(energy[41], abs=0.1)


@pytest.mark.parametrize("front_end", FRONT_ENDS.values(), ids=str)
def test_log_mel_tone_peaks_in_the_band_that_holds_it(front_end: FrontEnd) -> None:
    time_s = np.arange(16_000) / front_end.sample_rate_hz
    log_mel = offline_log_mel(np.sin(2 * np.pi * 3000 * time_s).astype(np.float32), front_end)
    assert (log_mel.argmax(axis=1) == slow_mel_weights(front_end)[round(3000 * 1024 / front_end.sample_rate_hz)].argmax()).all()


def test_log_mel_silence_is_the_floor() -> None:
    np.testing.assert_allclose(offline_log_mel(np.zeros(9000, np.float32), PANNS), np.full((29, 64), -100.0), rtol=1e-6)
