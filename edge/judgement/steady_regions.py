"""The frequencies at which a whole window has changed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.features.cell_averages import AverageLayout
from edge.features.frontend import CELL_MELS
from edge.features.low_bands import low_edges_hz
from edge.judgement.steady import BandsApart
from edge.judgement.window import Region

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

CORE_FRACTION = 0.5  # a region is what is at least half as far from normal as the farthest band
STANDS_OUT = 2.0  # standard deviations; of what is less, the farthest band alone is a region


def steady_drawing(apart: BandsApart, layout: AverageLayout, score: float, bands: int) -> Float32:
    """The score of each of a map's bands, shape = (bands,) float32: the farthest band has all of it, others in proportion."""
    heights = _heights(apart.bands, float(max(apart.bands.max(), apart.low.max(initial=0.0))), score)
    drawn = np.zeros(bands, np.float32)
    place = np.minimum(np.arange(len(heights)) * layout.mels_per_band // CELL_MELS, bands - 1)
    np.maximum.at(drawn, place, heights.astype(np.float32))
    return drawn


def steady_regions(apart: BandsApart, layout: AverageLayout, score: float, span_s: tuple[float, float]) -> tuple[Region, ...]:
    """Bands that stand out, from one time of a window to another, the largest deviation first.

    Below 500 Hz they are the finer bands where these tell it as clearly.
    """
    farthest = float(max(apart.bands.max(), apart.low.max(initial=0.0)))
    edges = low_edges_hz(layout.front_end)
    low = list(_runs(_heights(apart.low, farthest, score), np.stack([edges[:-1], edges[1:]], axis=1), span_s))
    coarse = _runs(_heights(apart.bands, farthest, score), layout.edges_hz, span_s)
    kept = [region for region in coarse if not (low and region.f_hi_hz <= edges[-1])]
    return tuple(sorted([*low, *kept], key=lambda region: -region.score))


def _heights(apart: Float64, farthest: float, score: float) -> Float64:
    """Scores of bands, 0 where one does not stand out."""
    if farthest == 0.0:
        return np.zeros_like(apart)
    stands = apart >= max(min(STANDS_OUT, farthest), CORE_FRACTION * farthest)
    return np.where(stands, score * apart / farthest, 0.0)


def _runs(heights: Float64, edges_hz: Float64, span_s: tuple[float, float]) -> Iterator[Region]:
    """A region of each run of bands that stand out."""
    steps = np.diff(np.concatenate([[0], (heights > 0.0).astype(int), [0]]))
    for first, last in zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True):
        yield Region(*span_s, float(edges_hz[first, 0]), float(edges_hz[last - 1, 1]), float(heights[first:last].max()))
