"""Hours as a table of days and comparable cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.drift.hour import HOURS_A_DAY, Hour

Float64 = NDArray[np.float64]

GROUP_HOURS = 4  # of the day, that are taken together
FULL_WINDOWS = 360  # of a cell, from where on more do not tell more: an hour of them

BROAD = 2  # level and tilt

Cell = tuple[int, int]  # regime and group of hours


@dataclass(frozen=True, slots=True)
class Panel:
    """Days count back from the last hour; each is as long as a day, and holds each hour of it once."""

    cells: tuple[Cell, ...]
    levels_db: Float64  # (day, cell, band)
    weights: Float64  # (day, cell)

    @classmethod
    def of(cls, hours: Sequence[Hour], days: int) -> Panel:
        """The last days of hours, the oldest of which come first; there must be one."""
        last = hours[-1].at
        kept = [hour for hour in hours if last - hour.at < days * HOURS_A_DAY]
        cells = tuple(sorted({(regime, group(hour.at)) for hour in kept for regime in hour.regimes}))
        places = {cell: place for place, cell in enumerate(cells)}
        bands = kept[-1].levels_db.shape[1]
        sums = np.zeros((days, len(cells), bands))
        windows = np.zeros((days, len(cells)))
        for hour in kept:
            day = (last - hour.at) // HOURS_A_DAY
            for regime, count, levels in zip(hour.regimes, hour.windows, hour.levels_db, strict=True):
                place = places[regime, group(hour.at)]
                sums[day, place] += count * levels.astype(np.float64)
                windows[day, place] += count
        levels_db = sums / np.maximum(windows, 1.0)[:, :, None]
        return cls(cells, levels_db, np.minimum(windows, FULL_WINDOWS) / FULL_WINDOWS)

    def apart(self) -> Float64:
        """How far each day and cell is from what the cell is usually: see `parted`."""
        total = self.weights.sum(axis=0)[:, None]
        usual = np.einsum("dc,dcb->cb", self.weights, self.levels_db) / np.maximum(total, 1e-9)
        return parted(self.levels_db - usual)


def parted(change_db: Float64) -> Float64:
    """A change of a spectrum, (..., band) dB, as its level, its tilt, and what is left of each band, (..., `BROAD` + band) dB.

    The first two are a resistant line through the bands (Tukey, 1977): weather, a microphone's age and the load move it, and a band that
    changes alone does not. The tilt is that from the lowest band to the highest.
    """
    bands = change_db.shape[-1]
    third = max(1, bands // 3)
    low, high = np.median(change_db[..., :third], axis=-1), np.median(change_db[..., bands - third :], axis=-1)
    tilt = (high - low) * (bands - 1) / max(1, bands - third)
    line = tilt[..., None] * np.linspace(-0.5, 0.5, bands)
    level = np.median(change_db - line, axis=-1)
    return np.concatenate([level[..., None], tilt[..., None], change_db - line - level[..., None]], axis=-1)


def group(at: int) -> int:
    """Which part of the day an hour is of."""
    return at % HOURS_A_DAY // GROUP_HOURS
