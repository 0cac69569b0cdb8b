"""The patches of normal recordings, by feature: what they are, and what they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.audio.channels import Channel
from edge.features.feature_extractor import PlacedBlock, file_features
from edge.features.feature_stream import FeatureBlock, FeatureSource

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recording:
    """One normal recording, as the fitters see it."""

    path: Path
    channel: Channel
    cells: int  # about how many


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """The patches of up to 8 cells in half precision, as the bundle will hold what is chosen of them."""

    first_cell: int  # of the recording
    patches: Mapping[str, NDArray[np.float16]]  # feature -> (time, band, dimension)
    base_cell: int = 0  # of the recording, at which its unbroken stretch of sound starts


def heard_blocks(recording: Recording, backbone: FeatureSource, bandwidth_hz: float, lag_blocks: int = 1) -> Iterator[PlacedBlock]:
    """The features of a recording block by block; gaps in it are passed over, as the daemon does."""
    for heard in file_features(recording.path, recording.channel, backbone, bandwidth_hz, lag_blocks):
        if isinstance(heard, PlacedBlock):
            yield heard


class Embedded(Protocol):
    """The patches of 8 cells: `Embeddings`, or what a detector has of its own."""

    @property
    def first_cell(self) -> int:
        """Of the segment."""
        ...

    def of(self, feature: str) -> Float32:
        """The patches of a feature, shape = (8, band, dimension)."""
        ...


class AnyEmbedder(Protocol):
    """What turns the feature blocks of one segment into patches: an `Embedder`, or what a detector has of its own."""

    def push(self, block: FeatureBlock) -> Embedded:
        """Embed one block."""
        ...


class NormalPatches(Protocol):
    """The patches of normal sound: an `EmbeddingStore`, or what a node has learned."""

    @property
    def recordings(self) -> Sequence[object]:
        """What there are patches of."""

    def blocks(self, index: int) -> Iterator[StoredBlock]:
        """The patches of one of them."""
