"""The front ends: how audio becomes log-mel frames. The bundle names the front end; nothing else may change it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError

CELL_FRAMES = 4  # frames in a cell: block 2's two poolings
CELL_MELS = 4  # mel bands in a cell, for the same reason
BLOCK_CELLS = 8  # cells in a block, the unit of all streaming work
BLOCK_FRAMES = BLOCK_CELLS * CELL_FRAMES  # 32 frames: the backbone's lag is exactly one block
FLOOR_POWER = 1e-10  # below this, power is the numerical floor
FLOOR_DB = -100.0  # 10 log10(FLOOR_POWER)


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """A log-mel front end (PANNs section III-B; CLAP-2022's config.yml): Hann window, power, Slaney mels, decibels."""

    name: str
    sample_rate_hz: int
    window_samples: int = 1024
    hop_samples: int = 320
    mel_bands: int = 64
    f_min_hz: float = 50.0
    f_max_hz: float = 14000.0

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop_samples / self.sample_rate_hz

    @property
    def cell_samples(self) -> int:
        """Samples from one cell to the next."""
        return self.hop_samples * CELL_FRAMES

    @property
    def cell_s(self) -> float:
        """Seconds from one cell to the next."""
        return self.cell_samples / self.sample_rate_hz

    @property
    def block_samples(self) -> int:
        """Samples in a block of 32 frames."""
        return self.hop_samples * BLOCK_FRAMES

    @property
    def block_s(self) -> float:
        """Seconds in a block of 32 frames."""
        return self.block_samples / self.sample_rate_hz

    @property
    def bands(self) -> int:
        """Cells along the mel axis."""
        return self.mel_bands // CELL_MELS


PANNS = FrontEnd("panns-32k", sample_rate_hz=32000)
CLAP = FrontEnd("clap-44k", sample_rate_hz=44100)
# Of the DCASE 2020 Task 2 baseline and of AudDSR (section 3.1): librosa's 128 Slaney mels up to 8 kHz.
DCASE = FrontEnd("dcase-16k", sample_rate_hz=16000, hop_samples=512, mel_bands=128, f_min_hz=0.0, f_max_hz=8000.0)
FRONT_ENDS = {front_end.name: front_end for front_end in (PANNS, CLAP, DCASE)}


def front_end_named(name: str, subject: object) -> FrontEnd:
    """The front end called `name`, which `subject` (a bundle or backbone) asks for; BundleError when there is none."""
    if name not in FRONT_ENDS:
        raise BundleError(subject, f"needs the unknown front end {name!r}; this version knows {', '.join(FRONT_ENDS)}: upgrade Auscult")
    return FRONT_ENDS[name]


@lru_cache(maxsize=8)
def mel_edges_hz(front_end: FrontEnd) -> NDArray[np.float64]:
    """Feet and centres of the triangular filters, shape = (mel_bands + 2,): filter m spans edges m .. m + 2 (Slaney 1998)."""
    lo, hi = _mel(np.array([front_end.f_min_hz, front_end.f_max_hz]))
    return _hz(np.linspace(lo, hi, front_end.mel_bands + 2))


@lru_cache(maxsize=8)
def mel_filterbank(front_end: FrontEnd) -> NDArray[np.float32]:
    """Triangular filters of unit area, shape = (window_samples // 2 + 1, mel_bands) float32, as librosa's `norm="slaney"`."""
    edges = mel_edges_hz(front_end)
    bins_hz = np.fft.rfftfreq(front_end.window_samples, 1.0 / front_end.sample_rate_hz)[:, None]  # (bin, 1)
    rising = (bins_hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins_hz) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))
    filterbank = np.ascontiguousarray(weights, dtype=np.float32)  # (bin, mel)
    filterbank.setflags(write=False)
    return filterbank


def band_edges_hz(front_end: FrontEnd, first: int, last: int) -> tuple[float, float]:
    """Frequencies that the cells of bands `first` .. `last` (both included) cover, in hertz."""
    edges = mel_edges_hz(front_end)
    return float(edges[first * CELL_MELS]), float(edges[(last + 1) * CELL_MELS + 1])


@lru_cache(maxsize=8)
def display_edges_hz(front_end: FrontEnd, bands: int) -> tuple[float, ...]:
    """Edges of `bands` bands with the same number of mels each, `bands + 1` numbers: half-way between the centres of two mels."""
    middles = 0.5 * (mel_edges_hz(front_end)[:-1] + mel_edges_hz(front_end)[1:])  # (mel + 1,)
    return tuple(round(float(hz), 1) for hz in middles[:: front_end.mel_bands // bands])


@lru_cache(maxsize=8)
def band_power_weights(front_end: FrontEnd) -> NDArray[np.float64]:
    """Factors, shape = (mel,), that turn the power of each mel into the mean square of the sound in its band.

    The products add up to the mean square of the sound, as far as it lies between the first mel and the last.
    """
    middles = 0.5 * (mel_edges_hz(front_end)[:-1] + mel_edges_hz(front_end)[1:])
    window_power = 3.0 / 8.0 * front_end.window_samples  # the sum of the squares of a periodic Hann window
    density = 2.0 / (front_end.sample_rate_hz * window_power)  # of one side of the spectrum, per hertz
    weights: NDArray[np.float64] = density * np.diff(middles) / mel_filterbank(front_end).sum(axis=0, dtype=np.float64)
    weights.setflags(write=False)
    return weights


def mels_below(front_end: FrontEnd, bandwidth_hz: float) -> int:
    """How many mel bands are completely below `bandwidth_hz`; those above contain nothing and are left out everywhere."""
    return int(np.count_nonzero(mel_edges_hz(front_end)[2:] <= bandwidth_hz + 1e-6))


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's Auditory Toolbox scale: linear below 1 kHz, logarithmic above."""
    return np.where(hz < 1000.0, hz * 3.0 / 200.0, 15.0 + 27.0 * np.log(np.maximum(hz, 1000.0) / 1000.0) / np.log(6.4))


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))
