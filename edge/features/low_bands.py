"""How loud the lowest octaves are, finer than mels can tell: shafts, belts and mains turn below 500 Hz, where a mel is 55 Hz wide.

One spectrum or more of a quarter of a second each in every block of frames, in bands of about 12 Hz.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.audio.framing import framed
from edge.features.frontend import FLOOR_POWER, FrontEnd

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

WINDOW_S = 0.256
BAND_HZ = 11.7
SPAN_HZ = (15.0, 510.0)
DECIMATION = 8  # before the spectrum, which then takes an eighth of the time
FILTER_HALF_TAPS = 32


@lru_cache(maxsize=8)
def low_edges_hz(front_end: FrontEnd) -> Float64:
    """Where the bands begin and the last one ends, shape = (bands + 1,)."""
    layout = _layout(front_end)
    edges: Float64 = ((layout.first_bin + layout.bins * np.arange(layout.bands + 1) - 0.5) * layout.resolution_hz).astype(np.float64)
    return edges


class LowBands:
    """Turns samples into the loudness of low bands, block by block: as many blocks as `LogMel` gives, or one more."""

    def __init__(self, front_end: FrontEnd) -> None:
        self._layout = _layout(front_end)
        self._block_samples = front_end.block_samples
        length = self._layout.samples
        decimated = (self._block_samples - 2 * FILTER_HALF_TAPS) // DECIMATION
        spectra = decimated // length
        self._starts = [(decimated * (2 * number + 1) // spectra - length) // 2 for number in range(spectra)]
        hann = np.hanning(length + 1)[:-1]
        self._window = (hann * np.sqrt(DECIMATION / np.square(hann).sum())).astype(np.float32)  # levels are those before decimation
        self._filter = _low_pass()
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
        layout = self._layout
        slow = np.ascontiguousarray(framed(samples, len(self._filter), DECIMATION)) @ self._filter
        power = np.zeros(layout.bands)
        for start in self._starts:
            spectrum = np.fft.rfft(slow[start : start + layout.samples] * self._window)[layout.first_bin :][: layout.bands * layout.bins]
            power += (np.square(spectrum.real) + np.square(spectrum.imag)).reshape(layout.bands, layout.bins).sum(axis=1)
        decibels: Float32 = (10.0 * np.log10(np.maximum(power / len(self._starts), FLOOR_POWER))).astype(np.float32)
        return decibels


@dataclass(frozen=True, slots=True)
class _Layout:
    resolution_hz: float  # from bin to bin
    samples: int  # of a spectrum, decimated
    first_bin: int
    bins: int  # in a band
    bands: int


@lru_cache(maxsize=8)
def _layout(front_end: FrontEnd) -> _Layout:
    samples = 1 << round(math.log2(WINDOW_S * front_end.sample_rate_hz / DECIMATION))
    resolution_hz = front_end.sample_rate_hz / DECIMATION / samples
    first, bins = round(SPAN_HZ[0] / resolution_hz), max(1, round(BAND_HZ / resolution_hz))
    return _Layout(resolution_hz, samples, first, bins, int((SPAN_HZ[1] / resolution_hz - first) // bins))


def _low_pass() -> Float32:
    """A windowed sinc that ends where decimation folds: what folds into the bands is 50 dB down."""
    taps = np.arange(-FILTER_HALF_TAPS, FILTER_HALF_TAPS + 1)
    sinc = np.sinc(taps / DECIMATION) * np.hamming(len(taps))
    low_pass: Float32 = (sinc / sinc.sum()).astype(np.float32)
    return low_pass
