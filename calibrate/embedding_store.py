"""The patches of all recordings: computed once, and kept in memory or on the disk (calibrate/spool.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from calibrate.block_averages import AveragedBlocks, BlockAverages, put_together
from calibrate.embeddings import AnyEmbedder, Recording, StoredBlock
from calibrate.feature_pass import Chunk, FeaturePass
from calibrate.lookahead import Lookahead
from calibrate.packed_blocks import PackedBlocks
from calibrate.spool import Spool
from calibrate.workers_here import WorkersHere
from edge.console.progress import Progress
from edge.features.feature_stream import FeatureSource

CACHE_BYTES = 32 << 20  # of half-precision embeddings, five minutes or more; those of longer recordings are on the disk


class EmbeddingStore:
    """The patches of all recordings, in half precision, recording by recording and block by block, and their averages.

    Where the disk has no room, what does not fit into memory is computed again each time.
    """

    def __init__(
        self,
        recordings: list[Recording],
        backbone: FeatureSource,
        bandwidth_hz: float,
        features: Sequence[str],
        new_embedder: Callable[[], AnyEmbedder],
        cache_bytes: int | None = None,
        workers: WorkersHere | None = None,
        lookahead: Lookahead | None = None,
    ) -> None:
        """`cache_bytes` of embeddings are kept in memory, `CACHE_BYTES` if None. With `workers` what they compute can be pickled.

        `lookahead` has begun recordings in this process, and is of no use to workers.
        """
        self.recordings = recordings
        self.front_end = backbone.front_end
        self.bandwidth_hz = bandwidth_hz
        self._workers = workers or WorkersHere()
        begun = lookahead if self._workers.count == 1 else None
        self._pass = FeaturePass(backbone, bandwidth_hz, tuple(features), new_embedder, begun)
        self._spool = Spool(CACHE_BYTES if cache_bytes is None else cache_bytes)
        self._kept: dict[int, list[PackedBlocks] | None] = {}  # by recording; None where there was no room
        self._averaged: dict[int, list[AveragedBlocks]] = {}  # by recording

    def listen(self, label: str = "listening") -> None:
        """Compute whatever was not computed yet, on all workers."""
        missing = [index for index in range(len(self.recordings)) if index not in self._kept]
        recordings = [self.recordings[index] for index in missing]
        weights = [recording.cells for recording in recordings]
        for index in missing:
            self._begin(index)
        with Progress(label, sum(weights)) as bar:
            for number, chunk in self._workers.stream(self._pass.chunks, recordings, weights):
                self._keep(missing[number], chunk)
                bar.update(chunk.cells)
        self._workers.close()  # with the memory of their networks; others begin when there is more to do

    def blocks(self, index: int) -> Iterator[StoredBlock]:
        """The patches of recording `index`."""
        if index not in self._kept:
            self._begin(index)
            for chunk in self._pass.chunks(self.recordings[index]):
                self._keep(index, chunk)
        kept = self._kept[index]
        for blocks in self._again(index) if kept is None else kept:
            yield from blocks

    def _again(self, index: int) -> Iterator[PackedBlocks]:
        for chunk in self._pass.chunks(self.recordings[index]):
            yield chunk.patches

    @property
    def is_kept(self) -> bool:
        """Whether there was room for everything that was computed, so that asking again costs little."""
        return None not in self._kept.values()

    def averages(self) -> dict[int, BlockAverages]:
        """The averages of recordings by their index; without those that contain no sound. To be asked for once."""
        self.listen()
        found = {index: put_together(self._averaged.pop(index)) for index in range(len(self.recordings))}
        return {index: own for index, own in found.items() if own is not None}

    def _begin(self, index: int) -> None:
        self._kept[index], self._averaged[index] = [], []

    def _keep(self, index: int, chunk: Chunk) -> None:
        self._averaged[index].append(chunk.averages)
        own = self._kept[index]
        if own is None:
            return
        kept = self._spool.keep(chunk.patches)
        if kept is not None:
            own.append(kept)
            return
        for known in own:
            self._spool.give_back(known)
        self._kept[index] = None
