"""From an anomaly map to regions in seconds and hertz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.features.frontend import FrontEnd, band_edges_hz
from edge.judgement.window import ALARM, Region

Float32 = NDArray[np.float32]

CORE_FRACTION = 0.5  # a region is drawn around what reaches half its peak, so that a loud fault is not a large one
NEARLY = 0.9
LEAST_HOT = 0.5
MOST_REGIONS = 8


def hot_level(scores: Float32) -> float:
    """From which score on a cell of an anomalous window sounds wrong, of its cell scores without NaN, of any shape.

    That is the alarm threshold, or a little below the highest cell where no cell stands out; but never so low that a window which alarms
    for the rest of a fault it has left behind calls its own noise wrong.
    """
    return min(ALARM, max(LEAST_HOT, NEARLY * float(scores.max())))


def find_regions(scores: Float32, front_end: FrontEnd) -> tuple[Region, ...]:
    """Connected cells of an anomalous window that sound wrong, loudest first, at most eight.

    `scores`, shape = (time, band) float32, may hold NaN where audio was lost. Times count from the map's first cell. A window that alarms
    though none of its cells stands out has changed a little all the time: its regions are bands, over all of it.
    """
    if not np.nanmax(scores) >= ALARM:
        profile = np.nanmean(scores, axis=0)  # (band,)
        level = profile.min() + CORE_FRACTION * (profile.max() - profile.min())
        scores = np.broadcast_to(profile, scores.shape)
    else:
        scores = np.nan_to_num(scores, nan=0.0)
        level = hot_level(scores)
    hot = scores >= level  # (time, band)
    regions = []
    for cells in _components(hot):
        values = scores[cells[:, 0], cells[:, 1]]  # (n,)
        core = cells[values >= max(level, CORE_FRACTION * float(values.max()))]  # (m, 2) time and band
        (t0, first_band), (t1, last_band) = core.min(axis=0), core.max(axis=0)
        f_lo_hz, f_hi_hz = band_edges_hz(front_end, int(first_band), int(last_band))
        cell_s = front_end.cell_s
        regions.append(Region(float(t0 * cell_s), float((t1 + 1) * cell_s), f_lo_hz, f_hi_hz, float(values.max())))
    return tuple(sorted(regions, key=lambda region: -region.score)[:MOST_REGIONS])


def _components(hot: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Cells of each connected group (8-neighbourhood), each shape = (n, 2): runs of bands, joined from column to column."""
    padded = np.zeros((len(hot), hot.shape[1] + 2), np.int8)
    padded[:, 1:-1] = hot
    edges = np.diff(padded, axis=1)  # (time, band + 1): 1 where a run starts, -1 just behind its end
    times, starts = np.nonzero(edges == 1)
    stops = np.nonzero(edges == -1)[1]
    runs = list(zip(times.tolist(), starts.tolist(), stops.tolist(), strict=True))
    group_of = list(range(len(runs)))  # union-find over runs

    def find(run: int) -> int:
        while group_of[run] != run:
            group_of[run] = group_of[group_of[run]]
            run = group_of[run]
        return run

    first_before = 0  # of the runs in the column before
    for run, (time, start, stop) in enumerate(runs):
        while runs[first_before][0] < time - 1:
            first_before += 1
        other = first_before
        while runs[other][0] < time:
            if runs[other][1] <= stop and start <= runs[other][2]:
                group_of[find(other)] = find(run)
            other += 1
    groups: dict[int, list[NDArray[np.int64]]] = {}
    for run, (time, start, stop) in enumerate(runs):
        bands = np.arange(start, stop)
        groups.setdefault(find(run), []).append(np.stack([np.full_like(bands, time), bands], axis=1))
    return [np.concatenate(cells) for cells in groups.values()]
