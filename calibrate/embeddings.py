"""Normal recordings as what each head compares, computed once while memory allows and again when it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio.channels import Channel
from edge.detectors.embedding import Embedder
from edge.detectors.patchcore import HeadInputs
from edge.features.backbone import Backbone
from edge.features.hearing import Heard, hear_file

CACHE_BYTES = 256 << 20  # of half-precision embeddings, about one hour; longer recordings are computed twice


@dataclass(frozen=True, slots=True)
class Recording:
    """One normal recording, as the fitters see it."""

    path: Path
    channel: Channel
    cells: int  # about how many


@dataclass(frozen=True, slots=True)
class StoredInput:
    """A `HeadInput` in half precision, as the bundle will hold what is chosen of it."""

    head: str
    first_cell: int  # of the recording
    values: NDArray[np.float16]  # (time, band, dimension)


def heard_blocks(recording: Recording, backbone: Backbone, bandwidth_hz: float) -> Iterator[Heard]:
    """The features of a recording block by block; gaps in it are passed over, as the daemon does."""
    for heard in hear_file(recording.path, recording.channel, backbone, bandwidth_hz):
        if isinstance(heard, Heard):
            yield heard


class EmbeddingStore:
    """The head inputs of all recordings, in half precision, recording by recording and block by block."""

    def __init__(self, recordings: list[Recording], backbone: Backbone, bandwidth_hz: float, new_embedder: Callable[[], Embedder]) -> None:
        self.recordings = recordings
        self._backbone = backbone
        self._bandwidth_hz = bandwidth_hz
        self._new_embedder = new_embedder
        self._cache: dict[int, list[list[StoredInput]]] = {}
        self._cached_bytes = 0

    def blocks(self, index: int) -> Iterator[list[StoredInput]]:
        """The head inputs of recording `index`, a list for every block."""
        if index in self._cache:
            yield from self._cache[index]
            return
        kept: list[list[StoredInput]] | None = []
        for block in self._compute(index):
            if kept is not None:
                kept.append(block)
                self._cached_bytes += (size := sum(compared.values.nbytes for compared in block))
                if self._cached_bytes > CACHE_BYTES:
                    self._cached_bytes -= size + sum(compared.values.nbytes for old in kept[:-1] for compared in old)
                    kept = None
            yield block
        if kept is not None:
            self._cache[index] = kept

    def _compute(self, index: int) -> Iterator[list[StoredInput]]:
        segment = -1
        for heard in heard_blocks(self.recordings[index], self._backbone, self._bandwidth_hz):
            if heard.segment != segment:
                embedder, inputs, segment = self._new_embedder(), HeadInputs(), heard.segment
            compared = inputs.push(embedder.push(heard.block), heard.cells)
            if compared:
                yield [StoredInput(one.head, heard.base_cell + one.first_cell, _half(one.values)) for one in compared]


def _half(values: NDArray[np.float32]) -> NDArray[np.float16]:
    # Halves are what the bundle stores; a feature beyond their range would be an infinite distance from everything.
    return np.clip(values, -60000.0, 60000.0).astype(np.float16)
