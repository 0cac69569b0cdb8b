"""The values of each head in normal sound: the scales for `edge/judgement/heads.py`.

How high a head gets on normal sound that was not in the banks is modelled as an exponential tail above its 0.9 quantile. A moment head is
fitted on blocks of 8 cells, of which there are many; a sustained head on whole windows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.features.frontend import BLOCK_CELLS
from edge.judgement.contrast import contrast, moments, over_a_second
from edge.judgement.head_names import (
    CELL,
    SECOND,
    drawn_name,
    head_names,
    largest_name,
    moment_name,
    sustained_name,
)
from edge.judgement.head_scale import HeadScale
from edge.judgement.heads import Heads, Mode, shown

Bool = NDArray[np.bool_]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

ONSET_QUANTILE = 0.9  # one block or window in ten of normal sound reaches surprise 0
# A head that happened to vary very little on few recordings must not cry at the next one: its scale is at least this part of the way from
# the centre to the onset, and never less than a fiftieth of a standard deviation of single cells.
LEAST_SCALE = 0.2
LEAST_DEVIATION = 0.02
# One window says nothing of how windows differ. Less sound than so many windows is judged in shorter ones.
FEWEST_WINDOWS = 8

Deviations = Mapping[str, Float32]  # feature -> (cell, band) of one recording; NaN where it was not heard


@dataclass(frozen=True, slots=True)
class FittedHeads:
    """The heads, their scales by name, and the windows that they were fitted on."""

    heads: Heads
    scales: dict[str, HeadScale]
    window_cells: int


def fit_heads(
    recordings: Sequence[Deviations],
    features: Mapping[str, int],
    window_cells: int,
    heads: Sequence[str] | None = None,
    mode: Mode = "stream",
) -> FittedHeads:
    """Fit all heads of cells, or those named; a recording that is shorter than a window is one window of its own length."""
    wanted = head_names(features) if heads is None else heads
    heard = sum(int(np.count_nonzero(known(one))) for one in recordings)
    window_cells = max(BLOCK_CELLS, min(window_cells, heard // FEWEST_WINDOWS))
    scales: dict[str, HeadScale] = {}
    for feature, bands in features.items():
        maps = [one[feature] for one in recordings]
        if bands > 1:
            drawn = [_in_windows(partial(_shown, feature=feature, mode=mode), values, window_cells) for values in maps]
            scales[drawn_name(feature, CELL)] = fit_scale(np.concatenate([_block_peaks(highest) for highest in drawn]), 1)
            seconds = [over_a_second(values).max(axis=1) for values in maps]
            scales[drawn_name(feature, SECOND)] = fit_scale(np.concatenate([_block_peaks(highest) for highest in seconds]), 1)
        if (name := moment_name(feature, bands)) in wanted:
            judged = [_in_windows(partial(_moments, feature=feature), values, window_cells) for values in maps]
            scales[name] = fit_scale(np.concatenate([_block_peaks(one) for one in judged]), 1)
        if (name := largest_name(feature)) in wanted:
            scales[name] = fit_scale(np.concatenate([_block_peaks(values.max(axis=1)) for values in maps]), 1)
        if (name := sustained_name(feature, bands)) in wanted:
            means = [_window_means(values, window_cells) for values in maps]  # (window,)
            lengths = np.concatenate([np.full(len(mean), min(window_cells, len(values))) for mean, values in zip(means, maps, strict=True)])
            lengths = lengths[np.isfinite(np.concatenate(means))]
            scales[name] = fit_scale(np.concatenate(means), int(np.median(lengths)))
    return FittedHeads(Heads(features, scales, mode), scales, window_cells)


def fit_scale(statistics: Float64, cells: int) -> HeadScale:
    """The scale of a statistic over so many cells, of what normal sound made of it; what is not finite is unknown."""
    known = statistics[np.isfinite(statistics)]
    centre, onset = float(np.median(known)), float(np.quantile(known, ONSET_QUANTILE))
    return scale_above(known, centre, onset, cells)


def scale_above(statistics: Float64, centre: float, onset: float, cells: int) -> HeadScale:
    """The same with a centre and an onset that are known."""
    above = statistics[statistics > onset]
    scale = max(float((above - onset).mean()) if len(above) else 0.0, LEAST_SCALE * (onset - centre), LEAST_DEVIATION)
    return HeadScale(onset, scale, centre, cells)


def known(recording: Deviations) -> Bool:
    """The cells of a recording that have sound and were not learned from, shape = (cell,)."""
    return ~np.isnan(next(iter(recording.values()))[:, 0])


def windows_of(cells: int, window_cells: int) -> int:
    """How many windows end with a block."""
    return max(0, cells - window_cells) // BLOCK_CELLS + 1


def _block_peaks(moments: NDArray[np.floating]) -> Float64:
    """The largest of every 8 cells, shape = (block,), minus infinity where nothing was heard."""
    padded = np.pad(np.nan_to_num(moments, nan=-np.inf).astype(np.float64), (0, -len(moments) % BLOCK_CELLS), constant_values=-np.inf)
    peaks: Float64 = padded.reshape(-1, BLOCK_CELLS).max(axis=1)
    return peaks


def _shown(deviations: Float32, feature: str, mode: Mode) -> Float64:
    """What a map shows of the highest cell of each column of a window, shape = (cell,)."""
    highest: Float64 = shown(deviations, feature, mode).max(axis=1)
    return highest


def _moments(deviations: Float32, feature: str) -> Float64:
    """The moments of a window, shape = (cell,)."""
    return moments(contrast(deviations, feature))


def _in_windows(judged: Callable[[Float32], Float64], deviations: Float32, window_cells: int) -> Float64:
    """What cells are judged by in one window after the other, shape = (cell,); the last window ends where the recording ends."""
    laid = np.empty(len(deviations), np.float64)
    for first in range(0, len(deviations), window_cells):
        start = max(0, min(first, len(deviations) - window_cells))
        laid[first : first + window_cells] = judged(deviations[start : start + window_cells])[first - start :]
    return laid


def _window_means(deviations: Float32, window_cells: int) -> Float64:
    """The mean over each window, shape = (window,), NaN where nothing of it was heard."""
    length = min(window_cells, len(deviations))
    columns = deviations.mean(axis=1, dtype=np.float64)  # (cell,)
    heard = ~np.isnan(columns)
    sums = np.concatenate([[0.0], np.cumsum(np.where(heard, columns, 0.0))])
    counts = np.concatenate([[0], np.cumsum(heard)])
    first = BLOCK_CELLS * np.arange(windows_of(len(deviations), window_cells))
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Float64 = (sums[first + length] - sums[first]) / (counts[first + length] - counts[first])
    return means
