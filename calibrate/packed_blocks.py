"""The patches of some blocks of a recording in one array per feature: a hundredth of the objects, for hours of sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrate.embeddings import StoredBlock

Float16 = NDArray[np.float16]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PackedBlocks:
    """Consecutive blocks of a recording."""

    first_cells: Int64  # (block,)
    base_cells: Int64  # (block,)
    counts: Int64  # (block,) of cells
    patches: Mapping[str, Float16]  # feature -> (time, band, dimension)

    def __iter__(self) -> Iterator[StoredBlock]:
        """The blocks; their patches are views."""
        ends = np.cumsum(self.counts).tolist()
        known = _Read(self.patches)
        for first, base, count, end in zip(self.first_cells.tolist(), self.base_cells.tolist(), self.counts.tolist(), ends, strict=True):
            yield StoredBlock(first, _Rows(known, slice(end - count, end)), base)


def packed(blocks: Sequence[StoredBlock]) -> PackedBlocks:
    """The same blocks, which have the same features."""
    first_cells, base_cells = (np.array(cells, np.int64) for cells in ([b.first_cell for b in blocks], [b.base_cell for b in blocks]))
    features = blocks[0].patches if blocks else {}
    patches = {feature: np.concatenate([block.patches[feature] for block in blocks]) for feature in features}
    counts = [len(next(iter(block.patches.values()))) if features else 0 for block in blocks]
    return PackedBlocks(first_cells, base_cells, np.array(counts, np.int64), patches)


class _Read(Mapping[str, Float16]):
    """A mapping each of whose arrays is asked for once."""

    def __init__(self, source: Mapping[str, Float16]) -> None:
        self._source = source
        self._known: dict[str, Float16] = {}

    def __getitem__(self, feature: str) -> Float16:
        if feature not in self._known:
            self._known[feature] = self._source[feature]
        return self._known[feature]

    def __iter__(self) -> Iterator[str]:
        return iter(self._source)

    def __len__(self) -> int:
        return len(self._source)


class _Rows(Mapping[str, Float16]):
    """Some rows of each array of a mapping."""

    def __init__(self, source: Mapping[str, Float16], rows: slice) -> None:
        self._source = source
        self._rows = rows

    def __getitem__(self, feature: str) -> Float16:
        return self._source[feature][self._rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self._source)

    def __len__(self) -> int:
        return len(self._source)
