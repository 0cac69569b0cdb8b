"""One pass over a recording: everything that calibration needs of its sound, so that no sound is computed twice.

patches     of the detector's features, in half precision (calibrate/embedding_store.py keeps them)
averages    of each block, for the heads of steady sound (calibrate/block_averages.py)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrate.block_averages import AveragedBlocks, BlockAverager
from calibrate.embeddings import AnyEmbedder, Recording, StoredBlock, heard_blocks
from calibrate.lookahead import Lookahead
from calibrate.packed_blocks import PackedBlocks, packed
from edge.detectors.detector import real_cells
from edge.features.cell_averages import AverageLayout
from edge.features.feature_extractor import PlacedBlock
from edge.features.feature_stream import FeatureSource
from edge.features.frontend import mels_below

CHUNK_BLOCKS = 64  # about twenty seconds


@dataclass(frozen=True, slots=True)
class Chunk:
    """What was made of some consecutive blocks of a recording."""

    patches: PackedBlocks
    averages: AveragedBlocks

    @property
    def cells(self) -> int:
        """Of sound."""
        return int(self.averages.cells.sum())


@dataclass(frozen=True, slots=True)
class FeaturePass:
    """What is to be made of recordings. It can be pickled if its backbone and `new_embedder` can."""

    backbone: FeatureSource
    bandwidth_hz: float
    features: tuple[str, ...]
    new_embedder: Callable[[], AnyEmbedder]
    lookahead: Lookahead | None = None  # of recordings that this process has begun

    def chunks(self, recording: Recording) -> Iterator[Chunk]:
        """What a recording holds, from its beginning to its end."""
        front_end = self.backbone.front_end
        averager = BlockAverager(AverageLayout(front_end, mels_below(front_end, self.bandwidth_hz)))
        segment, count = -1, 0
        blocks: list[StoredBlock] = []
        heard_before = self.lookahead.blocks(recording) if self.lookahead else None
        for heard in heard_before or heard_blocks(recording, self.backbone, self.bandwidth_hz):
            if heard.segment != segment:
                embedder, segment = self.new_embedder(), heard.segment
            averager.push(heard)
            blocks += self._stored(embedder, heard)
            count += 1
            if count == CHUNK_BLOCKS:
                yield Chunk(packed(blocks), averager.take())
                blocks, count = [], 0
        yield Chunk(packed(blocks), averager.take())

    def _stored(self, embedder: AnyEmbedder, heard: PlacedBlock) -> Iterator[StoredBlock]:
        embeddings = embedder.push(heard.block)
        real = real_cells(embeddings.first_cell, heard.cells)
        if real.stop > real.start:
            first_cell = heard.base_cell + embeddings.first_cell + real.start
            yield StoredBlock(first_cell, {feature: _half(embeddings.of(feature)[real]) for feature in self.features}, heard.base_cell)


def _half(values: NDArray[np.float32]) -> NDArray[np.float16]:
    # Halves are what the bundle stores; a feature beyond their range would be an infinite distance from everything.
    return np.clip(values, -60000.0, 60000.0).astype(np.float16)
