"""How loud the lowest octaves are, finer than mels can tell: shafts, belts and mains turn below 500 Hz, where a mel is 55 Hz wide.

One spectrum or more of a quarter of a second each in every block of frames, in bands of about 12 Hz.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.features.frontend import FLOOR_POWER, FrontEnd

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

WINDOW_S = 0.256
BAND_HZ = 11.7
SPAN_HZ = (15.0, 510.0)


@lru_cache(maxsize=8)
def low_edges_hz(front_end: FrontEnd) -> Float64:
    """Where the bands begin and the last one ends, shape = (bands + 1,)."""
    first, width, bands = _layout(front_end)
    resolution_hz = front_end.sample_rate_hz / _window_samples(front_end)
    edges: Float64 = ((first + width * np.arange(bands + 1) - 0.5) * resolution_hz).astype(np.float64)
    return edges


class LowBands:
    """Turns samples into the loudness of low bands, block by block: as many blocks as `LogMel` makes of them, or one more."""

    def __init__(self, front_end: FrontEnd) -> None:
        self._block_samples = front_end.block_samples
        length = _window_samples(front_end)
        spectra = max(1, self._block_samples // length)
        centres = self._block_samples * (np.arange(spectra) + 0.5) / spectra
        self._starts = (centres - length // 2).astype(int)
        hann = np.hanning(length + 1)[:-1]
        self._window = (hann / np.sqrt(np.square(hann).sum())).astype(np.float32)
        self._bins = slice(_layout(front_end)[0], _layout(front_end)[0] + _layout(front_end)[1] * _layout(front_end)[2])
        self._width = _layout(front_end)[1]
        self._pending = np.zeros(0, np.float32)

    def push(self, samples: Float32) -> list[Float32]:
        """Take samples, shape = (n,) float32 at the front end's rate; return what completed blocks hold, each shape = (band,) dB."""
        self._pending = np.concatenate([self._pending, samples])
        blocks = []
        start = 0
        while len(self._pending) - start >= self._block_samples:
            blocks.append(self._block(self._pending[start : start + self._block_samples]))
            start += self._block_samples
        if start:
            self._pending = self._pending[start:].copy()
        return blocks

    def _block(self, samples: Float32) -> Float32:
        power = np.zeros((self._bins.stop - self._bins.start) // self._width)
        for start in self._starts:
            spectrum = np.fft.rfft(samples[start : start + len(self._window)] * self._window)[self._bins]
            power += (np.square(spectrum.real) + np.square(spectrum.imag)).reshape(-1, self._width).sum(axis=1)
        decibels: Float32 = (10.0 * np.log10(np.maximum(power / len(self._starts), FLOOR_POWER))).astype(np.float32)
        return decibels


def _window_samples(front_end: FrontEnd) -> int:
    return 1 << round(math.log2(WINDOW_S * front_end.sample_rate_hz))


def _layout(front_end: FrontEnd) -> tuple[int, int, int]:
    """First bin, bins in a band, and bands."""
    resolution_hz = front_end.sample_rate_hz / _window_samples(front_end)
    first, width = round(SPAN_HZ[0] / resolution_hz), max(1, round(BAND_HZ / resolution_hz))
    return first, width, int((SPAN_HZ[1] / resolution_hz - first) // width)
