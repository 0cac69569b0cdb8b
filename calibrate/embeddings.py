"""The patches of normal recordings, by feature: computed once if memory allows, otherwise each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.audio.channels import Channel
from edge.detectors.detector import real_cells
from edge.features.feature_extractor import PlacedBlock, file_features
from edge.features.feature_stream import FeatureBlock, FeatureSource

Float32 = NDArray[np.float32]

CACHE_BYTES = 256 << 20  # of half-precision embeddings, about one hour; longer recordings are computed twice


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


class EmbeddingStore:
    """The patches of all recordings, in half precision, recording by recording and block by block."""

    def __init__(
        self,
        recordings: list[Recording],
        backbone: FeatureSource,
        bandwidth_hz: float,
        features: Sequence[str],
        new_embedder: Callable[[], AnyEmbedder],
        cache_bytes: int | None = None,
    ) -> None:
        """`cache_bytes` of embeddings are kept for the next time, `CACHE_BYTES` if None."""
        self.recordings = recordings
        self._backbone = backbone
        self._bandwidth_hz = bandwidth_hz
        self._features = features
        self._new_embedder = new_embedder
        self._cache_bytes = CACHE_BYTES if cache_bytes is None else cache_bytes
        self._cache: dict[int, list[StoredBlock]] = {}
        self._cached_bytes = 0

    def blocks(self, index: int) -> Iterator[StoredBlock]:
        """The patches of recording `index`."""
        if index in self._cache:
            yield from self._cache[index]
            return
        kept: list[StoredBlock] | None = []
        for block in self._compute(index):
            if kept is not None:
                kept.append(block)
                self._cached_bytes += _bytes(block)
                if self._cached_bytes > self._cache_bytes:
                    self._cached_bytes -= sum(map(_bytes, kept))
                    kept = None
            yield block
        if kept is not None:
            self._cache[index] = kept

    def _compute(self, index: int) -> Iterator[StoredBlock]:
        segment = -1
        for heard in heard_blocks(self.recordings[index], self._backbone, self._bandwidth_hz):
            if heard.segment != segment:
                embedder, segment = self._new_embedder(), heard.segment
            embeddings = embedder.push(heard.block)
            real = real_cells(embeddings.first_cell, heard.cells)
            if real.stop > real.start:
                first_cell = heard.base_cell + embeddings.first_cell + real.start
                yield StoredBlock(first_cell, {feature: _half(embeddings.of(feature)[real]) for feature in self._features}, heard.base_cell)


def _bytes(block: StoredBlock) -> int:
    return sum(patches.nbytes for patches in block.patches.values())


def _half(values: NDArray[np.float32]) -> NDArray[np.float16]:
    # Halves are what the bundle stores; a feature beyond their range would be an infinite distance from everything.
    return np.clip(values, -60000.0, 60000.0).astype(np.float16)
