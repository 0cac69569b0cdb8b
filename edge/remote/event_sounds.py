"""What stood out in the latest events of each source, on disk: a file for each event, in `sounds/<source>` of the state folder."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from edge.atomic_file import replacing
from edge.bundles.npz import Arrays, decode_npz, encode_npz
from edge.judgement.taught import EventSound
from edge.private_files import make_folder
from edge.remote.background_writer import Problem, Write, at_once

LOG = logging.getLogger("auscult.remote")
FOLDER = "sounds"
REMEMBERED = 64  # events of a source that nobody has judged
SUFFIX = ".npz"
MOST_BYTES = 1 << 20  # of a file; a hundred times as many as one has


class EventSounds:
    """Of one source. Used by the worker's thread alone."""

    def __init__(self, folder: Path, write: Write = at_once) -> None:
        """They lie in `folder`; `write` has the files written."""
        self._folder = folder
        self._have_written = write
        self._known: OrderedDict[str, EventSound] = OrderedDict()  # by event, the oldest first
        self._is_failing = False
        for path in sorted(folder.glob(f"*{SUFFIX}")):  # ids of events rise with time
            sound = _read(path)
            if sound is not None:
                self._known[sound.event] = sound

    def add(self, sound: EventSound, judged: Sequence[str]) -> None:
        """Keep one. Of those that are not among the `judged`, the oldest goes when there are too many. A disk failure is logged once."""
        self._known[sound.event] = sound
        self._write(partial(self._save, sound))
        others = [event for event in self._known if event not in judged]
        for event in others[:-REMEMBERED]:
            del self._known[event]
            path = self._path(event)
            self._write(partial(path.unlink, missing_ok=True))

    def of(self, events: Sequence[str]) -> list[EventSound]:
        """Those of some events, as far as they are known."""
        return [self._known[event] for event in events if event in self._known]

    def _path(self, event: str) -> Path:
        return self._folder / f"{event}{SUFFIX}"

    def _save(self, sound: EventSound) -> None:
        make_folder(self._folder)
        arrays: Arrays = {"beyond": sound.beyond.astype(np.float16), "common": sound.common.astype(np.int32)}
        with replacing(self._path(sound.event)) as file:
            file.write(encode_npz(arrays))

    def _write(self, work: Callable[[], None]) -> None:
        def job() -> Problem:
            try:
                work()
            except OSError as error:
                return f"{self._folder}: cannot be written ({error.strerror or error}); what is new in it is known until the daemon stops"
            return None

        def finish(problem: Problem) -> None:
            if problem is not None and not self._is_failing:
                LOG.error("%s", problem)
            self._is_failing = problem is not None

        self._have_written(job, finish)


def _read(path: Path) -> EventSound | None:
    """One that was kept; None when it is damaged, which is logged."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        arrays = decode_npz(path.read_bytes())
        beyond, common = arrays["beyond"].astype(np.float32), arrays["common"].astype(np.int64)
        if beyond.ndim != 2 or common.shape != beyond.shape[:1] or not np.isfinite(beyond).all() or (common < 1).any():
            raise ValueError("its arrays do not belong together")
    except (OSError, KeyError, ValueError) as error:
        LOG.error("%s: cannot be read (%s); the event that it is of teaches nothing", path, error)
        return None
    return EventSound(path.stem, beyond, common)
