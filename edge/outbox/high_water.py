"""The last number of the outbox, and how many messages wait: kept in other files, so that damage to the outbox cannot undo it."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from edge.atomic_file import sync_folder

LOG = logging.getLogger("auscult.outbox")
BLOCK_BYTES = 4096  # a mark is overwritten in place: one block of a card, and no change of a folder or a size
MOST_BYTES = 1 << 20
_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe in place of a mark must not make the daemon wait for ever
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class HighWater(msgspec.Struct, frozen=True):
    """One mark. It is written before any message that it counts may be published."""

    generation: int  # counts the marks
    boot: str
    path: str  # the outbox's file
    ledger: str  # its id
    epoch: str
    number: int  # of the last message that came
    waiting: int  # unacknowledged messages; never fewer than there are
    seq: Mapping[str, int]  # the last of each source


def encoded(mark: HighWater) -> bytes:
    """Return a mark as a line with its CRC-32."""
    body = msgspec.json.encode(mark)
    return b"%08x %b\n" % (zlib.crc32(body), body)


def decoded(data: bytes) -> HighWater | None:
    """Return the mark in a file; None when it is damaged."""
    checksum, _, body = data.partition(b"\n")[0].partition(b" ")
    try:
        return msgspec.json.decode(body, type=HighWater) if int(checksum, 16) == zlib.crc32(body) else None
    except (ValueError, msgspec.DecodeError):
        return None


def boot_id() -> str:
    """Identifies this start of the system; empty if the system gives no identification."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def runtime_folder() -> Path:
    """A folder that is in memory, if there is one, and that a restart of the daemon leaves alone."""
    for folder in (os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0], os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):
        if folder and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    return Path(tempfile.gettempdir())


class HighWaterMarks:
    """Three places for one mark: one in memory (`runtime_folder`), and two files beside the outbox's, one after the other.

    Of the two on the card one is always whole, whatever a power cut does to the other. The one in memory outlives the daemon and not the
    system; it costs no wear, and it works when the card has turned read-only. So a run that finds it, with nothing newer on the card,
    knows everything that the last run has published.
    """

    def __init__(self, path: Path, folder: Path | None = None) -> None:
        """`path` is the outbox's file; `folder` takes the place of `runtime_folder()`."""
        self._path = path.absolute()
        self._folder = runtime_folder() if folder is None else folder
        self._on_card = [path.with_name(f"{path.name}.high-water-{number}") for number in (1, 2)]
        self._boot = boot_id()
        self._generation = 0
        self._ledger = ""  # of the mark in memory

    def read(self) -> HighWater | None:
        """Return the newest mark of this outbox, from wherever it is; None when there is none. To be called first."""
        card = [mark for mark in map(_read, self._on_card) if mark is not None]
        ledgers = {mark.ledger for mark in card}
        marks = [*card, *(mark for mark in self._in_memory() if mark.path == str(self._path) or mark.ledger in ledgers)]
        # Of a folder that was copied there are two with marks of their own.
        ours = [mark for mark in marks if mark.path == str(self._path)]
        newest = max(ours or marks, key=lambda mark: mark.generation, default=None)
        self._generation = max(self._generation, 0 if newest is None else newest.generation)
        return newest

    @property
    def are_damaged(self) -> bool:
        """Whether there is one on the card that cannot be read."""
        return any(path.exists() and _read(path) is None for path in self._on_card)

    def is_certain(self, mark: HighWater) -> bool:
        """Whether nothing can have been published that `mark`, the newest, does not know: the one in memory says the same."""
        return mark.boot == self._boot and any(other == mark for other in self._in_memory())

    def write(self, ledger: str, epoch: str, number: int, waiting: int, seq: Mapping[str, int]) -> None:
        """Write the next mark; raises OSError when the card does not take it. In memory it then is, if that works at all."""
        if self._ledger != ledger:
            with contextlib.suppress(OSError):
                self._memory_path(self._ledger).unlink(missing_ok=True)
            self._ledger = ledger
        self._generation += 1
        mark = HighWater(self._generation, self._boot, str(self._path), ledger, epoch, number, waiting, dict(seq))
        try:
            _write(self._memory_path(ledger), mark, sync=False)
        except OSError as error:
            LOG.debug("%s: %s", self._folder, error)  # the next run counts again
        for path in self._on_card:
            _write(path, mark, sync=True)

    def _memory_path(self, ledger: str) -> Path:
        return self._folder / f"auscult-{ledger}-{zlib.crc32(str(self._path).encode('utf-8', 'surrogateescape')):08x}.high-water"

    def _in_memory(self) -> Iterator[HighWater]:
        for path in sorted(self._folder.glob("auscult-*.high-water")):
            mark = _read(path, of_ours=True)
            if mark is not None and mark.boot == self._boot:
                yield mark


def _read(path: Path, *, of_ours: bool = False) -> HighWater | None:
    """Return the mark in a file; what is no file is none, and with `of_ours` what another user has put there neither."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _CAREFULLY)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or (of_ours and found.st_uid != os.geteuid()):
            return None
        return decoded(os.read(descriptor, MOST_BYTES))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _write(path: Path, mark: HighWater, *, sync: bool) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):  # a link, a pipe, a folder: nothing of ours
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | _CAREFULLY, 0o600)
    try:
        line = encoded(mark)
        os.pwrite(descriptor, line.ljust(BLOCK_BYTES) if is_new else line, 0)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if sync and is_new:
        sync_folder(path.parent)
