"""What normal sound makes of each head: the scales that `edge/judgement/heads.py` judges by, and the surprise that sets the threshold.

How high a head gets on normal sound that was not in the banks is modelled as an exponential tail above its 0.9 quantile. A moment head is
fitted on blocks of 8 cells, of which there are many; a sustained head on whole windows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.errors import UserError
from edge.features.frontend import BLOCK_CELLS
from edge.judgement.heads import (
    CELL,
    SECOND,
    HeadScale,
    Mode,
    comparable_names,
    contrast,
    drawn_name,
    evidence_of,
    head_names,
    largest_name,
    moment_name,
    moments,
    over_a_second,
    shown,
    sustained_name,
    together,
)
from edge.pipeline import HEARD_FRACTION

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
    """The scales by name, and per recording the surprise of the windows that end with each block, shape = (window,).

    It is NaN where too little of a window was heard, or new to the detector, for a score.
    """

    scales: dict[str, HeadScale]
    surprise: list[Float64]


def fit_heads(
    recordings: Sequence[Deviations], features: Mapping[str, int], window_cells: int, heads: Sequence[str] = (), mode: Mode = "stream"
) -> FittedHeads:
    """Fit all heads, or those named; a recording that is shorter than a window is one window of its own length.

    Raises
    ------
    UserError
        When there is no head of a given name.
    """
    wanted = heads or head_names(features)
    there = comparable_names(features)
    if unknown := [head for head in wanted if head not in there]:
        raise UserError(unknown[0], f"no such head; there are {', '.join(there)}")
    heard = sum(int(np.count_nonzero(~np.isnan(next(iter(one.values()))[:, 0]))) for one in recordings)
    window_cells = max(BLOCK_CELLS, min(window_cells, heard // FEWEST_WINDOWS))
    scales: dict[str, HeadScale] = {}
    totals = [np.zeros(_windows(_length(one), window_cells)) for one in recordings]
    for feature, bands in features.items():
        maps = [one[feature] for one in recordings]
        if bands > 1:
            for kind, drawn in (
                (CELL, (_in_windows(partial(shown, feature=feature, mode=mode), values, window_cells) for values in maps)),
                (SECOND, map(over_a_second, maps)),
            ):
                highest = [_block_peaks(values.max(axis=1)) for values in drawn]
                scales[drawn_name(feature, kind)] = _fit(np.concatenate(highest), 1)
        if (name := moment_name(feature, bands)) in wanted:
            beyond = (_in_windows(partial(contrast, feature=feature), values, window_cells) for values in maps)
            peaks = [_block_peaks(moments(values)) for values in beyond]  # (block,)
            scales[name] = _fit(np.concatenate(peaks), 1)
            for total, values in zip(totals, maps, strict=True):
                total += evidence_of(scales[name].surprise(_largest_moments(values, feature, window_cells), 1))
        if (name := largest_name(feature)) in wanted:
            peaks = [_block_peaks(values.max(axis=1)) for values in maps]
            scales[name] = _fit(np.concatenate(peaks), 1)
            for total, one in zip(totals, peaks, strict=True):
                windows = np.lib.stride_tricks.sliding_window_view(one, len(one) - len(total) + 1)  # (window, block)
                total += evidence_of(scales[name].surprise(windows.max(axis=1), 1))
        if (name := sustained_name(feature, bands)) in wanted:
            means = [_window_means(values, window_cells) for values in maps]  # (window,)
            lengths = np.concatenate([np.full(len(mean), min(window_cells, len(values))) for mean, values in zip(means, maps, strict=True)])
            lengths = lengths[np.isfinite(np.concatenate(means))]
            scales[name] = _fit(np.concatenate(means), int(np.median(lengths)))
            for total, mean, values in zip(totals, means, maps, strict=True):
                total += evidence_of(scales[name].surprise(mean, min(window_cells, len(values))))
    shares = [_window_heard(next(iter(one.values())), window_cells) for one in recordings]
    enough = min(HEARD_FRACTION, max(float(share.max()) for share in shares))
    return FittedHeads(scales, [np.where(share >= enough, together(total), np.nan) for total, share in zip(totals, shares, strict=True)])


def _fit(statistics: Float64, cells: int) -> HeadScale:
    known = statistics[np.isfinite(statistics)]
    centre, onset = float(np.median(known)), float(np.quantile(known, ONSET_QUANTILE))
    above = known[known > onset]
    scale = max(float((above - onset).mean()) if len(above) else 0.0, LEAST_SCALE * (onset - centre), LEAST_DEVIATION)
    return HeadScale(onset, scale, centre, cells)


def _length(recording: Deviations) -> int:
    return len(next(iter(recording.values())))


def _windows(cells: int, window_cells: int) -> int:
    """How many windows end with a block."""
    return max(0, cells - window_cells) // BLOCK_CELLS + 1


def _block_peaks(moments: NDArray[np.floating]) -> Float64:
    """The largest of every 8 cells, shape = (block,), minus infinity where nothing was heard."""
    padded = np.pad(np.nan_to_num(moments, nan=-np.inf).astype(np.float64), (0, -len(moments) % BLOCK_CELLS), constant_values=-np.inf)
    peaks: Float64 = padded.reshape(-1, BLOCK_CELLS).max(axis=1)
    return peaks


def _in_windows(judged: Callable[[Float32], Float64], deviations: Float32, window_cells: int) -> Float64:
    """What a window is judged by, of one window after the other, shape = (cell, band); the last ends where the recording ends."""
    laid = np.empty(deviations.shape, np.float64)
    for first in range(0, len(deviations), window_cells):
        start = max(0, min(first, len(deviations) - window_cells))
        laid[first : first + window_cells] = judged(deviations[start : start + window_cells])[first - start :]
    return laid


def _largest_moments(deviations: Float32, feature: str, window_cells: int) -> Float64:
    """The largest moment of each window that ends with a block, shape = (window,), minus infinity where nothing was heard."""
    largest = np.full(_windows(len(deviations), window_cells), -np.inf)
    for window in range(len(largest)):
        values = deviations[BLOCK_CELLS * window : BLOCK_CELLS * window + window_cells]
        heard = values[~np.isnan(values[:, 0])]
        if len(heard):
            largest[window] = moments(contrast(heard, feature)).max()
    return largest


def _window_heard(deviations: Float32, window_cells: int) -> Float64:
    """The part of each window that was heard, and not learned from, shape = (window,)."""
    length = min(window_cells, len(deviations))
    counts = np.concatenate([[0], np.cumsum(~np.isnan(deviations[:, 0]))])
    first = BLOCK_CELLS * np.arange(_windows(len(deviations), window_cells))
    share: Float64 = (counts[first + length] - counts[first]) / length
    return share


def _window_means(deviations: Float32, window_cells: int) -> Float64:
    """The mean over each window, shape = (window,), NaN where nothing of it was heard."""
    length = min(window_cells, len(deviations))
    columns = deviations.mean(axis=1, dtype=np.float64)  # (cell,)
    heard = ~np.isnan(columns)
    sums = np.concatenate([[0.0], np.cumsum(np.where(heard, columns, 0.0))])
    counts = np.concatenate([[0], np.cumsum(heard)])
    first = BLOCK_CELLS * np.arange(_windows(len(deviations), window_cells))
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Float64 = (sums[first + length] - sums[first]) / (counts[first + length] - counts[first])
    return means
