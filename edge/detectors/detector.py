"""What every detector is to the pipeline: features in, deviation per cell out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.features.feature_stream import FeatureBlock

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far consecutive cells are from normal, by what one feature hears.

    In standard deviations of normal sound that was not heard before, band by band: 0 is its mean. It is unbounded, so faults can be ranked.
    """

    feature: str
    first_cell: int  # of the segment
    values: Float32  # (time, band) float32


class DetectorStream(Protocol):
    """A detector's state for one segment."""

    def push(self, block: FeatureBlock, cells: int) -> list[Deviation]:
        """Judge one block; of a segment, only cells from 0 to `cells` (those of real sound so far) count."""
        ...


class Detector(Protocol):
    """A fitted detector."""

    bands: int  # cells along the mel axis that it judges
    features: Mapping[str, int]  # what it judges by, and in how many bands: `bands`, or 1 for all of them together

    def stream(self) -> DetectorStream:
        """Start a segment."""
        ...
