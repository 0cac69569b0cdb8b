"""A small JSON file that the node keeps between runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from edge.atomic_file import replacing
from edge.remote.scribe import Problem, Then, Write, at_once, nobody

LOG = logging.getLogger("auscult.remote")
MOST_BYTES = 4 << 20

Content = TypeVar("Content")


class StateFile(Generic[Content]):
    """Read once, written whole. A disk that fails is told and does not stop anything: what the file should say holds until the end."""

    def __init__(self, path: Path, kind: type[Content], write: Write = at_once) -> None:
        """`kind` is what msgspec makes of the file's content; `write` has it written."""
        self.path = path
        self._have_written = write
        self.problem: str | None = None
        self._kind = kind

    def read(self, default: Content) -> Content:
        """What was written last; `default` when there is no file, or none that can be read."""
        try:
            with self.path.open("rb") as file:
                return msgspec.json.decode(file.read(MOST_BYTES), type=self._kind)
        except FileNotFoundError:
            return default
        except (OSError, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            LOG.error("%s: cannot be read (%s); going on without it", self.path, error)
            return default

    def keep(self, content: Content, then: Then = nobody) -> None:
        """Have the file replaced by `content`, which nobody changes from now on; `then` hears why it was not, in one line."""

        def job() -> Problem:
            self.write(content)
            return self.problem

        self._have_written(job, then)

    def write(self, content: Content) -> bool:
        """Replace the file; whether that worked."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.path) as file:
                file.write(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
        except OSError as error:
            self.problem = f"{self.path}: cannot be written ({error.strerror or error}); it holds until the daemon stops"
            LOG.error("%s", self.problem)
            return False
        self.problem = None
        return True
