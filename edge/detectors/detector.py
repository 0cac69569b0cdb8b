"""What every detector is to the pipeline: features in, surprise per cell out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.features.feature_stream import FeatureBlock

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Surprise:
    """What one head says of a run of cells.

    Surprise is in nats above the head's own alarm-free level: 0 is what one block in ten of normal sound reaches, and each
    further unit is about e times rarer. It is unbounded, so faults can be ranked.
    """

    head: str
    first_cell: int  # of the segment
    span_cells: int  # each row of `values` is about this many cells, the last of which is its own
    values: Float32  # (time, band) float32; one band stands for all of them


class DetectorStream(Protocol):
    """A detector's state for one segment."""

    def push(self, block: FeatureBlock, cells: int) -> list[Surprise]:
        """Judge one block; of a segment, only cells from 0 to `cells` (those of real sound so far) count."""
        ...


class Detector(Protocol):
    """A fitted detector."""

    heads: tuple[str, ...]
    bands: int  # cells along the mel axis that it judges

    def stream(self) -> DetectorStream:
        """Start a segment."""
        ...
