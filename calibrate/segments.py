"""A stream written as many short FLAC files: each is complete, whatever happens later."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge.errors import AuscultError, UserError
from edge.private_files import make_folder, private

SEGMENT_S = 60.0
BYTES_PER_SAMPLE = 3  # before FLAC, which saves a third or more


class SegmentWriter:
    """24-bit mono FLAC in `<name>-<UTC time of its first sample>.flac`, at most `segment_s` each, without a gap inside.

    A file has a hidden temporary name until it is complete and on the disk. The time of a file follows from the samples before it,
    so files that adjoin in the stream adjoin in their names, whatever the system's clock does meanwhile.
    """

    def __init__(self, folder: Path, name: str, rate_hz: int, started_at: datetime, segment_s: float = SEGMENT_S) -> None:
        """`started_at` is when the stream's first sample was heard, in UTC.

        Raises
        ------
        UserError : the folder cannot be made or written to
        """
        self.files: list[Path] = []
        self._folder = folder
        self._name = name
        self._rate_hz = rate_hz
        self._started_at = started_at
        self._segment_samples = max(1, round(segment_s * rate_hz))
        self._position = 0  # in the stream, lost samples included
        self._file: soundfile.SoundFile | None = None
        self._path = folder
        self._temporary = folder
        self._written = 0  # into the open file
        try:
            make_folder(folder)
        except OSError as error:
            raise UserError(folder, f"cannot make this folder: {error.strerror}") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(folder, "cannot write into this folder; choose another --output")

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append `samples` (samples,); raises AuscultError when the disk is full."""
        # Exact for what 16- and 24-bit converters give; libsndfile's own scaling from float is not.
        integers = np.clip(np.rint(samples * np.float64(1 << 23)), -(1 << 23), (1 << 23) - 1).astype(np.int32) << 8
        while len(integers):
            if self._file is None:
                self._begin()
            part = integers[: self._segment_samples - self._written]
            integers = integers[len(part) :]
            self._guard(part)
            self._written += len(part)
            self._position += len(part)
            if self._written == self._segment_samples:
                self.close()

    def lose(self, samples: int) -> None:
        """The stream continues after a gap, in another file."""
        self.close()
        self._position += samples

    def close(self) -> None:
        """Complete the file that is open: on the disk first, then its name."""
        if self._file is None:
            return
        file, self._file = self._file, None
        file.close()
        with self._temporary.open("rb") as written:
            os.fsync(written.fileno())
        self._temporary.rename(self._path)
        self.files.append(self._path)

    def _begin(self) -> None:
        heard_at = self._started_at + timedelta(seconds=self._position / self._rate_hz)
        stem = f"{self._name}-{heard_at:%Y%m%dT%H%M%S}.{heard_at.microsecond // 1000:03d}Z"
        self._path = self._folder / f"{stem}.flac"
        again = 1
        while self._path.exists():  # the clock was set back, or the same second is recorded twice
            again += 1
            self._path = self._folder / f"{stem}-{again}.flac"
        self._temporary = self._folder / f".{self._path.name}.part"
        try:
            os.close(private(str(self._temporary), os.O_RDWR | os.O_CREAT | os.O_TRUNC))
            name = os.fsencode(self._temporary)  # it need not be UTF-8
            self._file = soundfile.SoundFile(name, "w", self._rate_hz, 1, "PCM_24", format="FLAC")
        except OSError as error:
            raise AuscultError(self._temporary, f"cannot be written: {error.strerror}") from error
        except soundfile.LibsndfileError as error:
            raise AuscultError(self._temporary, f"cannot be written: {error.error_string}") from error
        self._written = 0

    def _guard(self, part: NDArray[np.int32]) -> None:
        assert self._file is not None
        try:
            self._file.write(part)
        except soundfile.LibsndfileError as error:
            raise AuscultError(self._temporary, f"cannot be written; is the disk full? ({error.error_string})") from error
