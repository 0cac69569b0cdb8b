"""What a window sounds like on average: the vectors that the heads of steady sound compare with normal ones.

level     Its loudness in two ways, (2,) dB: the mean power over all bands, and the mean of the bands in dB. A loud band moves the first,
          a change in all bands the second, and noise from elsewhere hides one but not the other.
profile   The spectrum, (3 bands,) dB: the harmonic, geometric and arithmetic mean of each band's power over time, which are what quiet,
          usual and loud moments hold.
shape     The spectrum without the level, (bands,) dB: geometric means less the mean power of all bands.
low       The fine bands below 500 Hz, (low bands,) dB.
dynamics  How it varies: the deviation and the flux of each band, how groups of bands vary slowly, and their modulation in octaves, dB.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from edge.features.cell_averages import MODULATION_FLOOR, OCTAVES, AverageLayout
from edge.features.frontend import CELL_MELS, FLOOR_POWER, mel_edges_hz

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class WindowSound:
    """The vectors of one front end and bandwidth."""

    def __init__(self, layout: AverageLayout, *, relative: bool = False) -> None:
        """`relative`: the level is taken off all spectra, for a microphone whose gain drifts."""
        self._relative = relative
        self.layout = layout
        self._columns = layout.columns
        edges = mel_edges_hz(layout.front_end)
        widths = 0.5 * (edges[2:] - edges[:-2])[: layout.bands * layout.mels_per_band].reshape(layout.bands, -1).sum(axis=1)
        self._widths = widths / widths.sum()  # (band,) of the power in hertz, for the mels hold its density

    @property
    def dimensions(self) -> dict[str, int]:
        """Of each vector."""
        layout = self.layout
        dynamics = 2 * layout.bands + layout.groups * (1 + len(OCTAVES))
        low = self._columns["low"]
        return {"level": 2, "profile": 3 * layout.bands, "shape": layout.bands, "low": low.stop - low.start, "dynamics": dynamics}

    def decibels(self, rows: Float32) -> Float32:
        """How loud each band of each cell is, shape = (time, band) dB, of the averages of cells, (time, column)."""
        return rows[:, self._columns["decibels"]]

    def mean(self, rows: Float32) -> Float64:
        """The mean of a window's cells, shape = (column,); NaN where there is none."""
        means = (np.ones(len(rows), np.float32) @ rows).astype(np.float64) / len(rows)
        if not np.isnan(means).any():
            return means
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no cell at all
            known: Float64 = np.nanmean(rows, axis=0, dtype=np.float64)
        return known

    def louder(self, mean: Float64, band_hz: tuple[float, float], by_db: float) -> Float64:
        """The mean of a window's cells, shape = (column,), as it would be if a band of frequencies were louder, always by so many dB."""
        changed = mean.copy()
        within = self._within(self.layout.centres_hz, band_hz)
        groups = within[: self.layout.groups * CELL_MELS].reshape(self.layout.groups, -1).mean(axis=1)
        usual = mean[self._columns["decibels"]]
        for name, factor in (("power", 10.0 ** (0.1 * by_db)), ("inverse", 10.0 ** (-0.1 * by_db))):
            changed[self._columns[name]] *= np.where(within, factor, 1.0)
        changed[self._columns["decibels"]] += by_db * within
        changed[self._columns["square"]] += by_db * within * (2.0 * usual + by_db)
        grouped = usual[: self.layout.groups * CELL_MELS].reshape(self.layout.groups, -1).mean(axis=1)
        changed[self._columns["slow"]] += by_db * groups * (2.0 * grouped + by_db * groups)
        changed[self._columns["low"]] += by_db * self._within(self.layout.low_centres_hz, band_hz)
        return changed

    @staticmethod
    def _within(centres_hz: Float64, band_hz: tuple[float, float]) -> NDArray[np.bool_]:
        within: NDArray[np.bool_] = (centres_hz >= band_hz[0]) & (centres_hz < band_hz[1])
        return within

    def of_mean(self, mean: Float64) -> dict[str, Float64]:
        """The vectors of a window, by name, of the mean of its cells, shape = (column,); without those that it is too short for."""
        part = {name: mean[columns] for name, columns in self._columns.items()}
        usual = part["decibels"]
        power_db = 10.0 * np.log10(np.maximum(self._widths @ part["power"], FLOOR_POWER))
        taken_off = power_db if self._relative else 0.0
        variance = np.maximum(part["square"] - np.square(usual), 0.0)
        groups = usual[: self.layout.groups * CELL_MELS].reshape(self.layout.groups, -1).mean(axis=1)
        vectors = {
            "level": np.array([power_db, usual.mean()]),
            "profile": np.concatenate([-10.0 * np.log10(part["inverse"]), usual, 10.0 * np.log10(part["power"])]) - taken_off,
            "shape": usual - power_db,
            "low": part["low"] - taken_off,
            "dynamics": np.concatenate(
                [
                    np.sqrt(variance),
                    part["flux"],
                    np.sqrt(np.maximum(part["slow"] - np.square(groups), 0.0)),
                    10.0 * np.log10(part["modulation"] + MODULATION_FLOOR),
                ]
            ),
        }
        return {name: vector for name, vector in vectors.items() if np.isfinite(vector).all()}
