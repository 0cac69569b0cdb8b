"""What the heads of the bundle in force made of a window, before their scales: the stuff of the next bundle's tail.

Of each feature with a moment head: the moment of the window, of some blocks of eight cells, and of one cell of each of these blocks. Of
each with a sustained head: its mean. For the map: the highest cell of a block, one cell, and the highest second of a block. Then the nats
of the heads of steady sound, and whether the window was doubtful.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.features.frontend import BLOCK_CELLS
from edge.judgement.contrast import contrast, moments, over_a_second
from edge.judgement.head_names import head_names, moment_name, sustained_name
from edge.judgement.heads import shown
from edge.judgement.overhearing import HeardWindow

Float32 = NDArray[np.float32]

BLOCKS = 4  # of a window whose moments are kept
STEADY, ANOMALOUS = "steady", "anomalous"


def value_names(features: Mapping[str, int]) -> tuple[str, ...]:
    """The names of the columns, for a detector of these features with so many bands."""
    names: list[str] = []
    for feature in moment_features(features):
        names += [window_moment(feature), *block_moments(feature), *cell_moments(feature)]
    names += [f"{feature}_mean" for feature in sustained_features(features)]
    for feature in drawn_features(features):
        names += [f"{feature}_shown_block", f"{feature}_shown_cell", f"{feature}_second_block"]
    return (*names, STEADY, ANOMALOUS)


def moment_features(features: Mapping[str, int]) -> list[str]:
    """Those with a moment head."""
    return [feature for feature, bands in features.items() if moment_name(feature, bands) in head_names(features)]


def sustained_features(features: Mapping[str, int]) -> list[str]:
    """Those with a sustained head."""
    return [feature for feature, bands in features.items() if sustained_name(feature, bands) in head_names(features)]


def drawn_features(features: Mapping[str, int]) -> list[str]:
    """Those that the map shows."""
    return [feature for feature, bands in features.items() if bands > 1]


def window_moment(feature: str) -> str:
    """The name of the column with the moment of a window."""
    return f"{feature}_moment"


def block_moments(feature: str) -> list[str]:
    """The names of those with the moments of its blocks."""
    return [f"{feature}_block_{block}" for block in range(BLOCKS)]


def cell_moments(feature: str) -> list[str]:
    """The names of those with the moments of single cells."""
    return [f"{feature}_cell_{block}" for block in range(BLOCKS)]


def head_values(features: Mapping[str, int], heard: HeardWindow) -> NDArray[np.float64]:
    """The values of a window of which all was heard, in the order of `value_names`."""
    deviations = heard.span.deviations
    cells = heard.span.last - heard.span.first
    firsts = [cells * (2 * block + 1) // (2 * BLOCKS) for block in range(BLOCKS)]
    values: list[float] = []
    for feature in moment_features(features):
        own = moments(contrast(deviations[feature], feature))  # (time,)
        values += [own.max(), *(own[first : first + BLOCK_CELLS].max() for first in firsts), *(own[first] for first in firsts)]
    values += [deviations[feature].mean(dtype=np.float64) for feature in sustained_features(features)]
    block = slice(firsts[1], firsts[1] + BLOCK_CELLS)
    for feature in drawn_features(features):
        highest = shown(deviations[feature], feature, "stream").max(axis=1)
        values += [highest[block].max(), highest[block.start], over_a_second(deviations[feature])[block].max()]
    return np.array([*values, heard.steady_nats, float(heard.is_doubtful)])
