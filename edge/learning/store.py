"""The store of one source: features of normal sound, bounded, on disk.

    <state>/learning/<source>/
        store.json        what the patches are of; written last, so a folder without it is no store yet
        projection.npz    of CNN14's features, the same for the life of the store
        000000.segment    records, 128 stretches in each file
        frozen            when somebody wants nothing more to be learned

Sound is never kept, and nothing tells which of two patches came first but the half minute that they are from.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.atomic_file import replacing
from edge.bundles.npz import decode_npz, encode_npz
from edge.errors import StoreError
from edge.learning import segment
from edge.learning.stretch import LONGEST_RECORD, Stretch, is_thinned_at, thinned
from edge.private_files import make_folder

LOG = logging.getLogger("auscult.learning")
SCHEMA = 1
STORE, PROJECTION, FROZEN = "store.json", "projection.npz", "frozen"
SEGMENT_STRETCHES = 128
SYNC_S = 60.0
ANEW = "make the store anew with `auscult learn --forget`"

Float32 = NDArray[np.float32]


def forget(folder: Path) -> None:
    """Delete a store, damaged or not, and the bundles that were made of it. OSError when that fails.

    The bundles go first: a daemon that learns by one of them makes no store anew. Then the description, so that there is no store any more.
    """
    for bundle in folder.rglob("*.auscult"):
        bundle.unlink()
    (folder / STORE).unlink(missing_ok=True)
    shutil.rmtree(folder)


class StoreKind(msgspec.Struct, frozen=True, kw_only=True):
    """What the patches of a store are of. Those of another kind cannot be compared with them."""

    front_end: str
    backbone: str
    backbone_sha256: str
    bandwidth_hz: float
    window_cells: int
    features: tuple[str, ...]
    values: tuple[str, ...]  # names of the columns of `Stretch.values`
    projection: str  # SHA-256


class StoreDescription(msgspec.Struct, frozen=True, kw_only=True):
    """`store.json`."""

    schema: int
    source: str
    created_s: float  # since 1970
    kind: StoreKind


class Store:
    """One source's. Used by one thread at a time; the command line may read it, freeze it or forget it meanwhile."""

    def __init__(self, folder: Path) -> None:
        """Open the store in a folder.

        Raises
        ------
        StoreError
            There is none, or it cannot be read.
        """
        self.folder = folder
        try:
            self.description = msgspec.json.decode((folder / STORE).read_bytes(), type=StoreDescription)
            self.projection = _projection(folder)
        except FileNotFoundError as error:
            raise StoreError(folder, "there is no store here; name a folder `learning/SOURCE` in the node's state folder") from error
        except OSError as error:
            raise StoreError(folder, f"cannot be read: {error.strerror or error}") from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise StoreError(folder, f"is damaged ({error}); {ANEW}") from error
        if self.description.schema != SCHEMA:
            raise StoreError(folder, f"has the schema {self.description.schema}, this version reads {SCHEMA}; {ANEW}")
        self.count = 0  # stretches that it ever had
        self.learned_s = 0.0
        self.last_wall_s = 0.0  # when something was learned last, as the clock said
        self.written_bytes = 0  # since it was opened
        self._synced_s = 0.0
        if (last := self._last()) is not None:
            self.count, self.learned_s, self.last_wall_s = last.number + 1, last.learned_s, last.wall_s

    @classmethod
    def make(cls, folder: Path, source: str, kind: StoreKind, projection: Mapping[str, Float32]) -> Store:
        """Make a new one; OSError when it cannot be written."""
        make_folder(folder)
        for left in folder.glob("*.segment"):  # of one that was being forgotten
            left.unlink()
        description = StoreDescription(schema=SCHEMA, source=source, created_s=time.time(), kind=kind)
        with replacing(folder / PROJECTION) as file:
            file.write(encode_npz(projection))
        with replacing(folder / STORE) as file:
            file.write(msgspec.json.encode(description))
        return cls(folder)

    @classmethod
    def opened(cls, folder: Path, source: str, kind: StoreKind, projection: Mapping[str, Float32]) -> Store:
        """Open the store to go on with it, or make one.

        Raises
        ------
        StoreError
            It is of another kind, or damaged.
        OSError
            It cannot be written.
        """
        if not (folder / STORE).exists():
            return cls.make(folder, source, kind, projection)
        store = cls(folder)
        if store.description.kind != kind:
            raise StoreError(folder, f"was learned with a bundle whose features are others than those of the one in force; {ANEW}")
        if segments := store.segments:
            segment.cut_torn(segments[-1], LONGEST_RECORD)
        return store

    @property
    def segments(self) -> list[Path]:
        """Its files of records, the oldest first."""
        return sorted(self.folder.glob("*.segment"))

    @property
    def stored_bytes(self) -> int:
        """How large it is."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())

    @property
    def is_frozen(self) -> bool:
        """Whether somebody wants nothing more to be learned."""
        return (self.folder / FROZEN).exists()

    @property
    def is_there(self) -> bool:
        """Whether nobody has forgotten it since it was opened."""
        return (self.folder / STORE).exists()

    def freeze(self) -> None:
        """Learn nothing more; OSError when that cannot be written."""
        (self.folder / FROZEN).touch()

    def thaw(self) -> None:
        """Learn again."""
        (self.folder / FROZEN).unlink(missing_ok=True)

    def add(self, stretch: Stretch) -> None:
        """Take the next stretch, which gets its number and `learned_s` (what is given is its own); OSError when it cannot be written."""
        number, learned_s = self.count, self.learned_s + stretch.learned_s
        if is_thinned_at(number + 1):
            self._thin(number + 1)
        numbered = msgspec.structs.replace(stretch, number=number, learned_s=round(learned_s, 3))
        record = msgspec.msgpack.encode(thinned(numbered, number + 1))
        due = time.monotonic() - self._synced_s >= SYNC_S
        self.written_bytes += segment.append(self._segment_of(number), record, sync=due)
        if due:
            self._synced_s = time.monotonic()
        self.count, self.learned_s = number + 1, learned_s

    def stretches(self) -> Iterator[Stretch]:
        """All that is kept, the oldest first; OSError when it cannot be read. A damaged record ends its file."""
        for path in self.segments:
            for stretch in _stretches(path):
                kept = thinned(stretch, self.count)
                if not kept.is_empty:
                    yield kept

    def _thin(self, count: int) -> None:
        for path in self.segments:
            kept = [thinned(stretch, count) for stretch in _stretches(path)]
            last = kept[-1:] if path == self.segments[-1] else []  # says how far the store has come
            records = [msgspec.msgpack.encode(stretch) for stretch in kept if not stretch.is_empty or stretch in last]
            self.written_bytes += segment.rewrite(path, records)

    def _segment_of(self, number: int) -> Path:
        return self.folder / f"{number // SEGMENT_STRETCHES:06d}.segment"

    def _last(self) -> Stretch | None:
        for path in reversed(self.segments):
            last = None
            for last in _stretches(path):  # noqa: B007  # the last one is wanted
                pass
            if last is not None:
                return last
        return None


def _stretches(path: Path) -> Iterator[Stretch]:
    try:
        for record in segment.records(path, LONGEST_RECORD):
            yield msgspec.msgpack.decode(record, type=Stretch)
    except msgspec.MsgspecError as error:  # of another version
        LOG.error("%s: damaged (%s); the rest of it is ignored", path, error)


def _projection(folder: Path) -> dict[str, Float32]:
    arrays = decode_npz((folder / PROJECTION).read_bytes())
    return {name: array.astype(np.float32) for name, array in arrays.items()}
