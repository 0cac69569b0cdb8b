"""The record of recent sound of a source: the highest surprise of every five seconds of the last week, across restarts."""

from __future__ import annotations

import logging
import time
import zlib
from array import array
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.atomic_file import replacing
from edge.private_files import make_folder
from edge.remote.background_writer import Problem, Write, at_once

LOG = logging.getLogger("auscult.remote")
BIN_S = 5.0  # a third of what peaks are apart
MOST_BINS = round(7 * 86_400 / BIN_S)
SAVED_TOGETHER = 120  # bins: one small write every ten minutes
FILES_KEPT = 4  # of one source: bundles come and go
HIGHEST_FIRST = 2**31  # number of a bin that a record begins with
MAGIC = b"AUSCULT-SCORES-2\n"
_RECORD = np.dtype([("number", "<u4"), ("surprise", "<f4"), ("crc32", "<u4")])
_CHECKED_BYTES = 8  # of a record, which the last four vouch for

Bins = tuple[NDArray[np.int64], NDArray[np.float64]]


class ScoreRecord:
    """Bins are numbered without an end. Neighbours in sound have neighbouring numbers; over a gap, a restart or another stream some lack.

    The file belongs to one source and one bundle, for surprise is in the bundle's own units. It is appended to without a sync: what a
    power cut takes is ten minutes.
    """

    def __init__(
        self, folder: Path, source: str, bundle_sha256: str, wall: Callable[[], float] = time.time, write: Write = at_once
    ) -> None:
        """The file lies in `folder`; `write` has it written."""
        self._have_written = write
        self.path = folder / f"{source}-{bundle_sha256[:16]}.scores"
        self._numbers = array("I")
        self._surprise = array("f")
        self._saved = 0  # of these, how many are in the file, or about to be
        self._in_file = 0
        self._is_failing = False
        self._open: tuple[int, float] | None = None  # the bin that is not over yet, and its highest surprise so far
        self._read()
        # A new file begins where no older one of the same name can have been: bins of events outlive it.
        self._next = self._numbers[-1] + 2 if self._numbers else int(wall() / BIN_S) % HIGHEST_FIRST
        self._base = self._next
        self._forget_others(folder, source)

    def began(self) -> None:
        """A new stream: its seconds count from 0."""
        self._close()
        self._base = self._next

    def add(self, t_end_s: float, surprise: float) -> None:
        """A window that ends at so many seconds of the stream is this surprising."""
        number = self.bin_of(t_end_s)
        if self._open is not None and number <= self._open[0]:
            self._open = (self._open[0], max(self._open[1], surprise))
            return
        self._close()
        self._open = (number, surprise)
        self._next = number + 2

    def bin_of(self, stream_s: float) -> int:
        """The number of the bin that holds a second of the stream."""
        return self._base + max(0, int(stream_s / BIN_S))

    def bins(self) -> Bins:
        """Numbers, shape = (bins,), ascending, and the highest surprise of each, shape = (bins,); the one that is not over is not there."""
        return np.array(self._numbers, np.int64), np.array(self._surprise, np.float64)

    def save(self) -> None:
        """Write what is not in the file yet. A disk failure is logged once, and the record continues in memory."""
        self._close()
        self._append()

    def _close(self) -> None:
        if self._open is None:
            return
        number, surprise = self._open
        self._open = None
        if 0 <= number < 2**32 and np.isfinite(surprise):
            self._numbers.append(number)
            self._surprise.append(surprise)
        if len(self._numbers) > MOST_BINS + SAVED_TOGETHER:
            self._saved = max(0, self._saved - (len(self._numbers) - MOST_BINS))
            del self._numbers[:-MOST_BINS], self._surprise[:-MOST_BINS]
        if len(self._numbers) - self._saved >= SAVED_TOGETHER:
            self._append()

    def _append(self) -> None:
        is_whole = self._in_file == 0 or self._in_file > 2 * MOST_BINS
        first = 0 if is_whole else self._saved
        if first == len(self._numbers):
            return
        records, place = self._packed(first), 0 if is_whole else self._in_file
        self._in_file = place + len(self._numbers) - first
        self._saved = len(self._numbers)
        self._have_written(lambda: self._write(records, place), self._written)

    def _write(self, records: bytes, place: int) -> Problem:
        """Add records to the file behind so many others; at the first place they are the whole file."""
        try:
            make_folder(self.path.parent)
            if place == 0:
                with replacing(self.path) as file:
                    file.write(MAGIC + records)
            else:
                with self.path.open("r+b") as file:
                    file.seek(len(MAGIC) + _RECORD.itemsize * place)
                    file.write(records)
        except OSError as error:
            return f"{self.path}: cannot be written ({error.strerror or error}); the scores of this run are in memory only"
        return None

    def _written(self, problem: Problem) -> None:
        if problem is not None:
            self._in_file = 0  # next time, in another ten minutes, the whole is written
            if not self._is_failing:
                LOG.error("%s", problem)
        self._is_failing = problem is not None

    def _packed(self, first: int) -> bytes:
        records = np.empty(len(self._numbers) - first, _RECORD)
        records["number"] = self._numbers[first:]
        records["surprise"] = self._surprise[first:]
        records["crc32"] = self._checksums(records)
        return records.tobytes()

    def _checksums(self, records: NDArray[np.void]) -> list[int]:
        """Of each record, and of the file's name: what belongs to another source or bundle does not fit."""
        data, start = records.tobytes(), zlib.crc32(self.path.name.encode())
        return [zlib.crc32(data[at : at + _CHECKED_BYTES], start) for at in range(0, len(data), _RECORD.itemsize)]

    def _read(self) -> None:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            LOG.error("%s: cannot be read (%s); starting a new record", self.path, error.strerror or error)
            return
        if not content.startswith(MAGIC):
            LOG.error("%s: damaged; starting a new record", self.path)
            return
        body = content[len(MAGIC) :]
        self._in_file = len(body) // _RECORD.itemsize  # the last may have been cut off
        records = np.frombuffer(body, _RECORD, self._in_file)
        records = records[records["crc32"] == self._checksums(records)]
        numbers = records["number"].astype(np.int64)  # (bins,)
        records = records[numbers > np.maximum.accumulate(np.append(-1, numbers))[:-1]]
        if len(records) < self._in_file:
            LOG.error("%s: damaged; %d of its %d records are ignored", self.path, self._in_file - len(records), self._in_file)
        self._numbers.extend(records["number"][-MOST_BINS:].tolist())
        self._surprise.extend(records["surprise"][-MOST_BINS:].tolist())
        self._saved = len(self._numbers)

    def _forget_others(self, folder: Path, source: str) -> None:
        """Keep the records of the bundles that were used last."""
        try:
            others = [path for path in folder.glob(f"{source}-*.scores") if len(path.stem) == len(source) + 17 and path != self.path]
            for path in sorted(others, key=lambda path: path.stat().st_mtime)[: -(FILES_KEPT - 1)]:
                path.unlink()
        except OSError:
            return  # it is only room
