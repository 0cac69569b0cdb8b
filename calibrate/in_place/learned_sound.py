"""What a store holds, in memory: some forty megabytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibrate.embeddings import StoredBlock
from calibrate.folds import FOLDS
from edge.errors import StoreError
from edge.learning.packed import unpack
from edge.learning.store import Store, StoreKind
from edge.learning.stretch import HALF, SINGLE, STRETCH_WINDOWS, Stretch

Float16 = NDArray[np.float16]
Float64 = NDArray[np.float64]

LEAST_S = 600.0
PARTS = STRETCH_WINDOWS + 1  # the windows of a stretch, and the long one; what follows are parts of the last


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of one window of ten seconds, or of other moments of a stretch, in no order."""

    fold: int
    is_window: bool
    patches: Mapping[str, Float16]  # feature -> (column, band, dimension)


@dataclass(frozen=True, slots=True)
class Averages:
    """The means of a stretch (edge/learning/open_stretch.py says of what)."""

    fold: int
    stretch: int
    means: Float64  # (part, column)
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Values:
    """What the heads of one bundle made of windows one after the other, without a gap."""

    bundle: str
    first_stretch: int
    last_stretch: int
    rows: Float64  # (window, value)


class LearnedSound:
    """All of a store. As `NormalPatches` its recordings are the groups of columns, and as `FoldsOfSound` its folds are of time."""

    def __init__(self, folder: Path) -> None:
        """Read it; StoreError when it cannot be used, or holds too little."""
        store = Store(folder)
        self.source = store.description.source
        self.kind: StoreKind = store.description.kind
        self.projection = store.projection
        self.seconds = store.learned_s
        self.count = FOLDS
        if self.seconds < LEAST_S:
            raise StoreError(
                folder, f"holds {self.seconds / 60.0:.0f} min of normal sound; {LEAST_S / 60.0:.0f} min are the least to learn from"
            )
        self.columns: list[Columns] = []
        self.averages: list[Averages] = []
        self.values: list[Values] = []
        try:
            stretches = list(store.stretches())
            self._read(stretches)
        except OSError as error:
            raise StoreError(folder, f"cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise StoreError(folder, f"is damaged ({error}); make it anew with `auscult learn --forget`") from error
        if len({one.fold for one in self.columns}) < FOLDS or not any(one.is_window for one in self.columns):
            raise StoreError(folder, "holds too few patches to learn from; let it learn for longer")
        self.stretches = len(stretches)

    @property
    def recordings(self) -> Sequence[Columns]:
        """See `NormalPatches`."""
        return self.columns

    def blocks(self, index: int) -> Iterator[StoredBlock]:
        """See `NormalPatches`."""
        yield StoredBlock(0, self.columns[index].patches)

    def of(self, recording: int, cell: int) -> int:  # columns of one moment are of one fold
        """See `FoldsOfSound`."""
        return self.columns[recording].fold

    @property
    def windows(self) -> list[int]:
        """Which of the groups are of one window."""
        return [index for index, one in enumerate(self.columns) if one.is_window]

    def _read(self, stretches: Sequence[Stretch]) -> None:
        bands = len(self.kind.values)
        for place, stretch in enumerate(stretches):
            fold = place * FOLDS // len(stretches)
            for is_window, packed in ((True, stretch.window), (False, stretch.lone)):
                patches = {feature: unpack(one, HALF).astype(np.float16, copy=False) for feature, one in packed.items()}
                if patches and all(len(own) for own in patches.values()):
                    if set(patches) != set(self.kind.features):
                        raise ValueError(f"stretch {stretch.number} has other features")
                    self.columns.append(Columns(fold, is_window, patches))
            if stretch.averages is not None:
                means = unpack(stretch.averages, SINGLE).astype(np.float64)
                if len(means) != len(stretch.average_cells) or len(means) < PARTS:
                    raise ValueError(f"stretch {stretch.number} has other averages")
                self.averages.append(Averages(fold, stretch.number, means, stretch.average_cells))
        for (bundle, _), run in groupby((one for one in stretches if one.values is not None), key=_Runs()):
            own = list(run)
            rows = np.concatenate([unpack(one.values, HALF).astype(np.float64) for one in own if one.values is not None])
            if rows.ndim != 2 or rows.shape[1] != bands:
                raise ValueError(f"stretch {own[0].number} has other values")
            self.values.append(Values(bundle, own[0].number, own[-1].number, rows))


class _Runs:
    """A key by which stretches are grouped that follow each other without a gap, under one bundle."""

    def __init__(self) -> None:
        self._runs = 0
        self._last: Stretch | None = None

    def __call__(self, stretch: Stretch) -> tuple[str, int]:
        last, self._last = self._last, stretch
        if last is None or (stretch.number, stretch.run, stretch.bundle) != (last.number + 1, last.run, last.bundle):
            self._runs += 1
        return stretch.bundle, self._runs
