"""The teacher's front end: a log-mel of its own, on the same frames as ours.

32 kHz, pre-emphasis, n_fft 1024, symmetric Hann of 800 in its middle, hop 320, power, 128 Kaldi mels 0-15000 Hz, natural logarithm.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from export.trunk import Float32Array

SAMPLE_RATE_HZ = 32000
TEACHER_MELS = 128
FFT_SAMPLES = 1024
WINDOW_SAMPLES = 800
HOP_SAMPLES = 320
TOP_HZ = 15000.0
PRE_EMPHASIS = 0.97
FLOOR_POWER = 1e-5
FRAMES_AT_ONCE = 512


def teacher_log_mel(samples: Float32Array) -> Float32Array:
    """The teacher's input before `teacher_scaled`, shape = (frames, 128) float32: ln(power + 1e-5); frame t is centred on sample 320 t."""
    emphasised = samples[1:] - np.float32(PRE_EMPHASIS) * samples[:-1]
    padded = np.pad(emphasised, FFT_SAMPLES // 2, mode="reflect")
    framed = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]  # (frame, sample)
    parts = []
    for start in range(0, len(framed), FRAMES_AT_ONCE):
        spectrum = np.fft.rfft(framed[start : start + FRAMES_AT_ONCE] * _window(), axis=1)
        power = (np.square(spectrum.real) + np.square(spectrum.imag)).astype(np.float32)  # (frame, bin)
        parts.append(np.log(power @ kaldi_filterbank() + np.float32(FLOOR_POWER)))
    return np.concatenate(parts)


def kaldi_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kaldi's mel scale."""
    return 1127.0 * np.log1p(hz / 700.0)


def mel_position(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a frequency lies on the axis of the teacher's mel bands: 0 is the centre of the first."""
    return kaldi_mel(hz) / kaldi_mel(np.array(TOP_HZ)) * (TEACHER_MELS + 1) - 1.0


@lru_cache(maxsize=1)
def kaldi_filterbank() -> Float32Array:
    """Triangles on the mel scale, peak 1, shape = (513, 128) float32; the bin at half the rate belongs to none."""
    bins_hz = np.fft.rfftfreq(FFT_SAMPLES, 1.0 / SAMPLE_RATE_HZ).astype(np.float64)
    place = mel_position(bins_hz)[:, None] - np.arange(TEACHER_MELS)  # (bin, mel)
    weights = np.maximum(0.0, 1.0 - np.abs(place))
    weights[-1] = 0.0
    return np.ascontiguousarray(weights, np.float32)


@lru_cache(maxsize=1)
def _window() -> Float32Array:
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW_SAMPLES) / (WINDOW_SAMPLES - 1))
    beside = (FFT_SAMPLES - WINDOW_SAMPLES) // 2
    return np.pad(window, beside).astype(np.float32)
