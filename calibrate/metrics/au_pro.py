"""AU-PRO: how well an anomaly map covers each region of the truth, small or large, at few false alarms.

Bergmann et al., "The MVTec Anomaly Detection Dataset", International Journal of Computer Vision 129 (2021), per-region overlap; used at the
spectrogram level by From Vision to Sound (Barusco et al., arXiv 2502.18328), section 3.2.2, and DESIGN section 9.

region    True cells that touch, also at a corner (8-connectivity). Regions of different maps are different regions.
overlap   At a threshold: the called fraction of each region's cells, averaged over all regions of all maps, each counting the same.
FPR       At a threshold: the called fraction of all cells that are not true, over all maps together.
AU-PRO    The area under the overlap as a function of the FPR from 0 to 0.3, divided by 0.3: perfect is 1, chance is 0.15.

Cells that were not heard (NaN) do not count; a region that was not heard at all is none.

Table 3 of From Vision to Sound gives a method at chance (ROC 47.0) an AU-PRO of 47.1, where this definition gives about 15: its figures
must be cut or normalised in another way, and cannot be compared with these.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibrate.metrics.sample import area_up_to
from edge.errors import UserError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

MAX_FALSE_ALARM_RATE = 0.3
NEIGHBOURS = np.ones((3, 3), np.bool_)


def au_pro(maps: Sequence[Float32], truths: Sequence[Mask], max_false_alarm_rate: float = MAX_FALSE_ALARM_RATE) -> float:
    """Return the normalised area under the per-region overlap curve of all maps, each shape (time, band).

    Raises
    ------
    UserError
        When no cell is true, or every one.
    ValueError
        When a truth does not have its map's shape, or `max_false_alarm_rate` is not above 0 and at most 1.
    ModuleNotFoundError
        When SciPy, which comes with scikit-learn, is not installed.
    """
    return area_up_to(*per_region_overlap(maps, truths), max_false_alarm_rate) / max_false_alarm_rate


def per_region_overlap(maps: Sequence[Float32], truths: Sequence[Mask]) -> tuple[Float64, Float64]:
    """Return the false-alarm rate and the mean overlap at every threshold, strictest first, each shape (points,), from (0, 0) to (1, 1).

    Every cell is worth a step: to the right when it is not true, upwards by its share of its region when it is. Sorted by value, the steps
    add up to the curve at all thresholds at once.
    """
    parts = [_steps(anomaly_map, truth) for anomaly_map, truth in zip(maps, truths, strict=True)]
    regions = sum(count for _, _, count in parts)
    values = np.concatenate([values for values, _, _ in parts]) if parts else np.zeros(0, np.float32)  # (cells,)
    shares = np.concatenate([shares for _, shares, _ in parts]) if parts else np.zeros(0)  # (cells,) 0 where not true
    normal = int(np.count_nonzero(shares == 0))
    if not regions or not normal:
        raise UserError("anomaly maps", "need at least one heard cell with the added sound and one without it")
    order = np.argsort(values)[::-1]
    values, shares = values[order], shares[order]
    last = np.append(values[1:] != values[:-1], True)  # (cells,) cells of one value are called together
    false_alarm_rates = np.cumsum(shares == 0)[last] / normal
    overlaps = np.cumsum(shares)[last] / regions
    return np.append(0.0, false_alarm_rates), np.append(0.0, overlaps)


def _steps(anomaly_map: Float32, truth: Mask) -> tuple[Float32, Float64, int]:
    """Return the values of the heard cells, shape (cells,), each one's share of its region, shape (cells,), and the number of regions."""
    if anomaly_map.shape != truth.shape:
        raise ValueError(f"a truth of shape {truth.shape} does not fit an anomaly map of shape {anomaly_map.shape}")
    heard = ~np.isnan(anomaly_map)
    region_of, regions = importlib.import_module("scipy.ndimage").label(truth, structure=NEIGHBOURS)  # (time, band), 0 where not true
    sizes = np.bincount(region_of[heard], minlength=regions + 1)  # (regions + 1,) heard cells
    sizes[0] = 0
    share = np.divide(1.0, sizes, out=np.zeros(len(sizes)), where=sizes > 0)  # (regions + 1,)
    return anomaly_map[heard], share[region_of[heard]], int(np.count_nonzero(sizes))
