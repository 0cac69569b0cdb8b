"""The interface of fitters to calibration: normal recordings in; the parts of a detector and the deviations of held-out sound out."""

from __future__ import annotations

from argparse import Namespace, _ArgumentGroup
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from calibrate.block_averages import BlockAverages
from calibrate.embeddings import Recording
from calibrate.workers_here import WorkersHere
from edge.detectors.detector import EXCESS
from edge.features.any_backbone import AnyBackbone
from edge.judgement.heads import Mode

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FittedDetector:
    """What goes into a bundle, and how far unheard normal sound is from it."""

    arrays: dict[str, dict[str, NDArray[np.generic]]]  # member -> name -> array
    features: dict[str, int]  # with the number of their bands; the first is the detector's own
    # Per recording: feature -> (cell, band), out of fold; NaN where unheard, or where the detector had learned from it.
    deviations: list[dict[str, Float32]] = field(repr=False)
    blobs: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # networks
    averages: Mapping[int, BlockAverages] = field(default_factory=dict, repr=False)  # of the same recordings, by index

    @property
    def unheard_share(self) -> float:
        """How much of the sound was new to the detector when it was scored: only that supports the threshold.

        The excess is fitted on everything, so it knows how much there was.
        """
        own, everything = (
            sum(int(np.count_nonzero(~np.isnan(one[feature][:, 0]))) for one in self.deviations)
            for feature in (next(iter(self.features)), EXCESS)
        )
        return own / everything


class Fitter(Protocol):
    """Fits one detector."""

    def fit(self, recordings: list[Recording], workers: WorkersHere | None = None) -> FittedDetector:
        """Fit on normal recordings; `workers` share what can be shared."""
        ...


class FitterSettings(Protocol):
    """What may be chosen about a detector. A frozen dataclass of plain values.

    They stand in the bundle's manifest, but for fields with `metadata={"stored": False}`: how it was made, not what it is.
    """

    detector: ClassVar[str]  # its name
    summary: ClassVar[str]  # when to choose it, for --help
    backbone: ClassVar[str]  # that it takes by default
    features: ClassVar[tuple[str, ...]]  # what it judges by, its own first
    clip_statistic: ClassVar[Literal["largest", "mean"]]  # of its map, that is the score of a clip as published

    @property
    def seed(self) -> int:
        """Of everything random."""
        ...

    def fitter(self, backbone: AnyBackbone, bandwidth_hz: float, mode: Mode) -> Fitter:
        """A fitter with these settings; UserError when it does not take the backbone."""
        ...

    @classmethod
    def add_arguments(cls, group: _ArgumentGroup) -> None:
        """Declare its options; they are shown under its name."""
        ...

    @classmethod
    def from_arguments(cls, arguments: Namespace) -> FitterSettings:
        """The settings that options ask for."""
        ...
