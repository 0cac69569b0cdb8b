"""The interface of detectors to the pipeline: features in, deviation per cell out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.features.feature_stream import FeatureBlock
from edge.features.frontend import BLOCK_CELLS, PANNS, FrontEnd

Float32 = NDArray[np.float32]

LEVEL = "level"  # how loud a cell is, in bundles of earlier versions
LOGMEL = "logmel"  # patches of log-mel
EXCESS = "excess"  # how loud each band of a cell is: of interest is only what it has beyond the moments around it


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a bundle from which a detector is made."""

    arrays: Mapping[str, Arrays]
    bands: int  # cells along the mel axis that carry sound
    blobs: Mapping[str, bytes] = field(default_factory=dict)  # networks of its own
    front_end: FrontEnd = PANNS
    providers: tuple[str, ...] = ("cpu",)
    threads: int = 1
    subject: object = "bundle"  # what a refusal names
    has_network: bool = True  # whether the backbone computes features, or log-mel is all there is


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far consecutive cells are from normal, in one feature.

    In standard deviations of normal sound that was not heard before, band by band: 0 is its mean. (Not of the excess, whose zero does not
    count: edge/detectors/loudness.py.) It is unbounded, so faults can be ranked.
    """

    feature: str
    first_cell: int  # of the segment
    values: Float32  # (time, band) float32


class Patches(NamedTuple):
    """Patches of consecutive cells of a segment."""

    first_cell: int
    of: Mapping[str, Float32]  # feature -> (time, band, dimension)


class DetectorStream(Protocol):
    """A detector's state for one segment."""

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        """Judge one block; of a segment, only cells from 0 to `cells` (those of real sound so far) count."""
        ...

    def latest(self) -> Patches | None:
        """What was judged last, for somebody who learns from it. None of a detector that compares no patches: nothing is learned there."""
        return None


class Detector(Protocol):
    """A fitted detector."""

    bands: int  # cells along the mel axis that it judges
    features: Mapping[str, int]  # what it judges by, and in how many bands: `bands`, or 1 for all of them together
    lag_blocks: int  # blocks that must follow a block before all of its cells are judged

    @classmethod
    def load(cls, parts: Parts) -> Detector:
        """Make one of a bundle's parts; KeyError, ValueError or BundleError when they do not belong together."""
        ...

    def stream(self) -> DetectorStream:
        """Start a segment."""
        ...


def require_network(parts: Parts) -> None:
    """Raise ValueError if a detector needs CNN14's features and the backbone computes none."""
    if not parts.has_network:
        raise ValueError("it uses features of a network, which its backbone does not have")


def real_cells(first_cell: int, cells: int) -> slice:
    """Which of 8 cells from `first_cell` are about real sound: those before cell 0 and from `cells` on are mirror images."""
    start = max(0, -first_cell)
    return slice(start, max(start, min(BLOCK_CELLS, cells - first_cell)))
