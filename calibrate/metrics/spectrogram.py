"""Where in time and frequency: how well an anomaly map shows the cells in which a known sound was added.

From Vision to Sound (Barusco et al., arXiv 2502.18328), section 3.2.2, and DESIGN section 9. On which grid and over which clips the paper
leaves open; here:

grid       The map's own. The energy of a cell is the mean power of the added sound's mel spectrogram over the cell's 4 frames x 4 mels.
truth      Within the time in which the sound was added, the cells above the 60th percentile of energy: the top 40 %. Nothing elsewhere.
`roc_auc`  Over the cells of all maps together (one threshold must serve all). Clean recordings are left out: they have no truth, are judged
           at the sample level, and would make this figure better.
`f1`       A cell is called anomalous above the 40th percentile of its own map, as published; counted over all maps together.
`au_pro`   In `calibrate.metrics.au_pro`, over the same maps and truths.

Cells that were not heard (NaN) do not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibrate.metrics import sample
from edge.features.frontend import CELL_FRAMES, CELL_MELS, FrontEnd
from edge.features.logmel import offline_log_mel

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

TOP_FRACTION = 0.4
CALLED_PERCENTILE = 40.0


def cell_energy(samples: Float32, front_end: FrontEnd, bands: int) -> Float64:
    """Return the power of a sound in every cell of its anomaly map, shape (time, band).

    Parameters
    ----------
    samples : the sound alone, shape (n,) float32 at the front end's rate, with silence where it is not.
    bands : of the map, counted from the lowest.
    """
    power = 10.0 ** (offline_log_mel(samples, front_end).astype(np.float64) / 10.0)  # (frame, mel)
    cells = len(power) // CELL_FRAMES
    grid = power[: cells * CELL_FRAMES, : bands * CELL_MELS].reshape(cells, CELL_FRAMES, bands, CELL_MELS)
    energy: Float64 = grid.mean(axis=(1, 3))
    return energy


def cells_of(first_sample: int, last_sample: int, front_end: FrontEnd) -> slice:
    """Return the cells in which at least one frame is centred on the samples `first_sample` .. `last_sample` (not included)."""
    first_frame = -(-first_sample // front_end.hop_samples)
    last_frame = (last_sample - 1) // front_end.hop_samples
    return slice(first_frame // CELL_FRAMES, last_frame // CELL_FRAMES + 1)


def spectrogram_truth(energy: Float64, added: slice) -> Mask:
    """Mark the top 40 % of the energy in the time in which the sound was added, shape (time, band); nothing when it holds no cell."""
    truth = np.zeros(energy.shape, np.bool_)
    if energy[added].size:
        truth[added] = energy[added] > np.quantile(energy[added], 1.0 - TOP_FRACTION)
    return truth


def split_cells(anomaly_map: Float32, truth: Mask) -> tuple[Float64, Float64]:
    """Return the map's values where nothing was added and where something was, each shape (cells,)."""
    heard = ~np.isnan(anomaly_map)
    return anomaly_map[heard & ~truth].astype(np.float64), anomaly_map[heard & truth].astype(np.float64)


def spectrogram_roc_auc(maps: Sequence[Float32], truths: Sequence[Mask]) -> float:
    """Return the area under the ROC curve of the cells of all maps, each shape (time, band).

    Raises
    ------
    UserError
        When no cell is true, or every one.
    """
    normal, anomalous = zip(*map(split_cells, maps, truths), strict=True)
    return sample.roc_auc(np.concatenate(normal), np.concatenate(anomalous))


def spectrogram_f1(maps: Sequence[Float32], truths: Sequence[Mask]) -> float:
    """Return the F1 score of the cells of all maps, each shape (time, band), called above the 40th percentile of their map.

    It is 0 when nothing is called and nothing is true.
    """
    hits = called = true = 0
    for anomaly_map, truth in zip(maps, truths, strict=True):
        normal, anomalous = split_cells(anomaly_map, truth)
        values = np.concatenate([normal, anomalous])
        threshold = np.percentile(values, CALLED_PERCENTILE) if values.size else np.inf
        hits += int(np.count_nonzero(anomalous > threshold))
        called += int(np.count_nonzero(values > threshold))
        true += len(anomalous)
    return 2.0 * hits / (called + true) if called + true else 0.0
