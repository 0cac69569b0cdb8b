"""A cell in numbers that can be averaged over a window: the input of the heads `profile` and `dynamics`.

Of each band (a mel, or a few where there are more than 64), over the frames of a cell:

power       the mean power: loud moments count most
decibels    the mean in dB: what is usual
inverse     the mean of one over the power: quiet moments count most
square      the mean square of dB, for the deviation
flux        how much dB differ from frame to frame

and of each block, the same for all of its cells:

slow        the square of the block's mean in dB, of groups of bands: how they vary from third of a second to third of a second
modulation  the spectrum of the envelope in dB over the last two blocks, of groups of bands, in five octaves up to half the frame rate
low         the loudness of fine bands below 500 Hz (edge/features/low_bands.py)

A mean over any cells is the mean over their frames, whatever the window: so windows cost a sum, and streams and files agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import BLOCK_CELLS, BLOCK_FRAMES, CELL_FRAMES, CELL_MELS, FrontEnd, mel_edges_hz
from edge.features.low_bands import low_edges_hz

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

MOST_BANDS = 64
NEPERS = np.log(10.0) / 10.0  # in a decibel of power
CELL_MEAN = np.kron(np.eye(BLOCK_CELLS), np.full((1, CELL_FRAMES), 1.0 / CELL_FRAMES))  # (8, 32)
OCTAVES = ((1, 2), (2, 4), (4, 8), (8, 16), (16, 33))  # lines of the spectrum over two blocks: of 1.56 Hz each at 100 frames a second
MODULATION_FLOOR = 1e-2  # dB squared: less than any microphone's own noise


@dataclass(frozen=True)
class AverageLayout:
    """Which column holds what."""

    front_end: FrontEnd
    mels: int  # audible

    @cached_property
    def mels_per_band(self) -> int:
        """More than one where the front end has more than 64 mels."""
        return -(-self.front_end.mel_bands // MOST_BANDS)

    @cached_property
    def bands(self) -> int:
        """Bands of the profile."""
        return self.mels // self.mels_per_band

    @cached_property
    def groups(self) -> int:
        """Groups of four bands."""
        return max(1, self.bands // CELL_MELS)

    @cached_property
    def columns(self) -> dict[str, slice]:
        """By name."""
        widths = {name: self.bands for name in ("power", "decibels", "inverse", "square", "flux")}
        widths |= {"slow": self.groups, "modulation": self.groups * len(OCTAVES), "low": len(low_edges_hz(self.front_end)) - 1}
        ends = np.cumsum(list(widths.values())).tolist()
        return {name: slice(end - width, end) for (name, width), end in zip(widths.items(), ends, strict=True)}

    @cached_property
    def edges_hz(self) -> Float64:
        """Feet of the bands, shape = (band, 2)."""
        edges = mel_edges_hz(self.front_end)
        first = self.mels_per_band * np.arange(self.bands)
        return np.stack([edges[first], edges[first + self.mels_per_band + 1]], axis=1)

    @cached_property
    def centres_hz(self) -> Float64:
        """Of the bands, shape = (band,)."""
        centres: Float64 = self.edges_hz.mean(axis=1)
        return centres

    @cached_property
    def low_centres_hz(self) -> Float64:
        """Of the fine bands, shape = (low band,)."""
        edges = low_edges_hz(self.front_end)
        centres: Float64 = 0.5 * (edges[1:] + edges[:-1])
        return centres

    @cached_property
    def width(self) -> int:
        """Columns."""
        return int(self.columns["low"].stop)


class AverageStream:
    """The averages of one segment, block by block."""

    def __init__(self, layout: AverageLayout) -> None:
        self._layout = layout
        self._envelope = np.zeros((2 * BLOCK_FRAMES, layout.groups))  # (frame, group) dB of the last two blocks
        self._last_frame: Float64 | None = None  # (band,) dB, of the block before
        hann = np.hanning(2 * BLOCK_FRAMES + 1)[:-1]
        lines = np.arange(1, BLOCK_FRAMES + 1)
        angle = 2.0 * np.pi * np.outer(lines, np.arange(2 * BLOCK_FRAMES)) / (2 * BLOCK_FRAMES)
        scale = hann / np.sqrt(np.square(hann).sum())
        self._transform = np.concatenate([np.cos(angle) * scale, np.sin(angle) * scale])  # (2 line, frame)

    def push(self, block: FeatureBlock, cells: int) -> Float32:
        """The rows of a block's cells, shape = (8, column) float32; `cells` of the segment are real sound.

        NaN stands where there is not enough sound: of modulation in the first block, and of what is told by block in one that is cut off.
        """
        layout, columns = self._layout, self._layout.columns
        frames = _banded(block.sound_db[:, : layout.mels], layout)  # (32, band) dB
        power = np.exp(NEPERS * frames)
        before = frames[0] if self._last_frame is None else self._last_frame
        flux = np.empty_like(frames)
        flux[0], flux[1:] = frames[0] - before, frames[1:] - frames[:-1]
        rows = np.full((BLOCK_CELLS, layout.width), np.nan, np.float32)
        # The columns of what has a number for each frame are the first, in this order.
        rows[:, : columns["flux"].stop] = CELL_MEAN @ np.concatenate([power, frames, 1.0 / power, np.square(frames), np.abs(flux)], axis=1)
        grouped = frames[:, : layout.groups * CELL_MELS].reshape(BLOCK_FRAMES, layout.groups, -1).mean(axis=2)
        self._envelope[:BLOCK_FRAMES] = self._envelope[BLOCK_FRAMES:]
        self._envelope[BLOCK_FRAMES:] = grouped
        if 0 <= block.first_cell <= cells - BLOCK_CELLS:
            rows[:, columns["slow"]] = np.square(grouped.mean(axis=0))
            if len(block.low_db):
                rows[:, columns["low"]] = block.low_db
            if block.first_cell > 0:
                rows[:, columns["modulation"]] = self._modulation()
        self._last_frame = frames[-1]
        return rows

    def _modulation(self) -> Float64:
        """The power of the envelopes in each octave, shape = (octave * group,), dB squared."""
        parts = np.square(self._transform @ (self._envelope - self._envelope.mean(axis=0)))  # (2 line, group)
        lines = parts[:BLOCK_FRAMES] + parts[BLOCK_FRAMES:]
        octaves: Float64 = np.concatenate([lines[first - 1 : last - 1].mean(axis=0) for first, last in OCTAVES])
        return octaves


def _banded(frames: Float32, layout: AverageLayout) -> Float64:
    """Frames of bands, shape = (32, band) dB, of frames of mels."""
    wide = frames.astype(np.float64)
    if layout.mels_per_band == 1:
        return wide
    power = np.exp(NEPERS * wide[:, : layout.bands * layout.mels_per_band]).reshape(len(frames), layout.bands, -1).mean(axis=2)
    decibels: Float64 = 10.0 * np.log10(power)
    return decibels
