"""From an anomaly map to regions in seconds and hertz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.frontend import FrontEnd, band_edges_hz
from edge.window import Region

Float32 = NDArray[np.float32]

ALARM = 1.0  # scores are in units of the threshold
CORE_FRACTION = 0.5  # a region is drawn around what reaches half its peak, so that a loud fault is not a large one
NEARLY = 0.9
MOST_REGIONS = 8


def hot_level(scores: Float32) -> float:
    """From which score on a cell of an anomalous window sounds wrong, of its cell scores without NaN, of any shape.

    That is the alarm threshold, or a little below the highest cell where a texture alarms that no cell fills alone.
    """
    return min(ALARM, NEARLY * float(scores.max()))


def find_regions(scores: Float32, front_end: FrontEnd) -> tuple[Region, ...]:
    """Connected cells of an anomalous window that sound wrong, loudest first, at most eight.

    `scores`, shape = (time, band) float32, may hold NaN where audio was lost. Times count from the map's first cell.
    """
    scores = np.nan_to_num(scores, nan=0.0)
    level = hot_level(scores)
    if level <= 0.0:
        return ()
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
    """Cells of each connected group (8-neighbourhood), each shape = (n, 2), by merging runs of neighbouring rows."""
    todo = {(int(t), int(b)) for t, b in np.argwhere(hot)}
    groups = []
    while todo:
        frontier = [todo.pop()]
        group = list(frontier)
        while frontier:
            t, b = frontier.pop()
            near = [(t + dt, b + db) for dt in (-1, 0, 1) for db in (-1, 0, 1)]
            found = [cell for cell in near if cell in todo]
            todo.difference_update(found)
            group += found
            frontier += found
        groups.append(np.array(group))
    return groups
