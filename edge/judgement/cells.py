"""The live picture of a stream: its level and its anomaly in 16 bands, twice a second, while somebody watches.

It is coarse so that it does not carry speech. The anomaly map has 16 bands every 40 ms. That is enough to understand speech: four bands
with envelopes up to 16 Hz suffice (Shannon et al., "Speech recognition with primarily temporal cues", Science 270, 1995), and so does noise
that is switched on and off where speech stands out (Wang et al., "Speech perception of noise with binary gains", JASA 124, 2008). So no
level and no anomaly is published at that resolution. Envelopes below 2 Hz do not suffice (Drullman, Festen and Plomp, "Effect of temporal
envelope smearing on speech reception", JASA 95, 1994). A step here is a mean over two or three syllables, without their order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.detectors.detector import real_cells
from edge.features.cell_averages import CELL_MEAN, NEPERS
from edge.features.feature_extractor import PlacedBlock
from edge.features.frontend import BLOCK_CELLS, FrontEnd, band_power_weights, display_edges_hz

Float32 = NDArray[np.float32]

BANDS = 16
STEP_S = 0.5  # at least: a whole number of cells
TOGETHER_S = 1.0  # about this much is published in one message
SLACK_CELLS = 1024  # more than any detector lags behind the sound


@dataclass(frozen=True, slots=True)
class Cells:
    """Consecutive steps of a stream. Time is in seconds of the stream; NaN means not heard or not judged."""

    t_start_s: float
    step_s: float
    band_edges_hz: tuple[float, ...]  # (band + 1,)
    level_db: Float32  # (step, band) dBFS: the mean power in a band
    anomaly: Float32  # (step, band) in units of the alarm threshold: the highest cell of the map


class CellRecorder:
    """Collects the cells of one stream while somebody watches.

    Steps begin at fixed positions of the stream. If they began when a watch begins, several watches would show the same sound in different
    cuts, and so more of it than one.
    """

    def __init__(self, front_end: FrontEnd, mels: int, window_cells: int) -> None:
        """The lowest `mels` of the front end are audible; a window has `window_cells`."""
        self._front_end = front_end
        self._step_cells = math.ceil(STEP_S / front_end.cell_s - 1e-9)
        self._together = max(1, round(TOGETHER_S / (self._step_cells * front_end.cell_s)))
        self._audible = mels // (front_end.mel_bands // BANDS)  # bands
        self._power = np.full((window_cells + SLACK_CELLS, BANDS), np.nan, np.float32)  # (cell modulo length, band)
        self._cell_at = np.full(len(self._power), -1)  # (cell modulo length,): which absolute cell is there
        self._next: int | None = None  # the next step; None until something was heard
        self._steps: list[tuple[Float32, Float32]] = []  # level and anomaly of steps that are not in a message yet
        self._complete: list[Cells] = []

    def hear(self, heard: PlacedBlock) -> None:
        """Add the level of eight cells."""
        real = real_cells(heard.block.first_cell, heard.cells)
        first, last = heard.base_cell + heard.block.first_cell + real.start, heard.base_cell + heard.block.first_cell + real.stop
        if first == last:
            return
        if self._next is None:
            self._next = -(-first // self._step_cells)
        power = np.exp(NEPERS * heard.block.sound_db) * band_power_weights(self._front_end)  # (frame, mel)
        rows = np.arange(first, last) % len(self._power)
        self._power[rows] = (CELL_MEAN @ power).reshape(BLOCK_CELLS, BANDS, -1).sum(axis=2)[real]
        self._cell_at[rows] = np.arange(first, last)

    def judge(self, last_cell: int, cells: int, anomaly: Float32 | None) -> None:
        """Add the anomaly map, (time, band), of the window of `cells` cells that ends before `last_cell`; None if it has no score."""
        if self._next is None:
            return
        first_cell = last_cell - cells
        oldest = -(-first_cell // self._step_cells)
        if oldest > self._next:  # nothing was heard for longer than a window
            self._finish_message()
            self._next = oldest
        while (self._next + 1) * self._step_cells <= last_cell:
            begin = self._next * self._step_cells
            rows = slice(begin - first_cell, begin - first_cell + self._step_cells)
            self._steps.append((self._level_db(begin), self._highest(None if anomaly is None else anomaly[rows])))
            self._next += 1
        if len(self._steps) >= self._together:
            self._finish_message()

    def take(self) -> list[Cells]:
        """Return what was completed since the last call."""
        complete, self._complete = self._complete, []
        return complete

    def _finish_message(self) -> None:
        if not self._steps or self._next is None:
            return
        step_s = self._step_cells * self._front_end.cell_s
        levels, anomalies = (np.stack(rows) for rows in zip(*self._steps, strict=True))
        self._complete.append(
            Cells((self._next - len(levels)) * step_s, step_s, display_edges_hz(self._front_end, BANDS), levels, anomalies)
        )
        self._steps = []

    def _level_db(self, first_cell: int) -> Float32:
        """The level of a step in each band, shape = (band,)."""
        level_db = np.full(BANDS, np.nan, np.float32)
        cells = np.arange(first_cell, first_cell + self._step_cells)
        rows = cells % len(self._power)
        heard = self._power[rows][self._cell_at[rows] == cells]  # (cell, band)
        if len(heard):
            level_db[: self._audible] = 10.0 * np.log10(heard.mean(axis=0))[: self._audible]
        return level_db

    def _highest(self, anomaly: Float32 | None) -> Float32:
        """The highest cell in each band, shape = (band,), of the part of the map in a step, (time, band of the map)."""
        highest = np.full(BANDS, np.nan, np.float32)
        if anomaly is not None:
            together = self._front_end.bands // BANDS
            bands = min(self._audible, anomaly.shape[1] // together)
            parts = anomaly[:, : bands * together].reshape(len(anomaly), bands, together)
            highest[:bands] = np.fmax.reduce(np.fmax.reduce(parts, axis=2), axis=0)
        return highest
