"""A small JSON file that the node keeps between runs."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Generic, Literal, TypeVar

import msgspec

from edge.atomic_file import replacing
from edge.private_files import make_folder
from edge.remote.background_writer import Problem, Then, Write, at_once, nobody
from edge.remote.seal import sealed, unsealed

LOG = logging.getLogger("auscult.remote")
MOST_BYTES = 4 << 20

Content = TypeVar("Content")


class StateFile(Generic[Content]):
    """Read once, written as a whole. A disk failure is logged and stops nothing: the values apply until the daemon ends."""

    def __init__(self, path: Path, kind: type[Content], write: Write = at_once) -> None:
        """`kind` is what msgspec makes of the file's content; `write` has it written."""
        self.path = path
        self._have_written = write
        self.problem: str | None = None
        self._kind = kind

    def read(self, default: Content) -> Content:
        """What was written last; `default` when there is no file, or none that can be read. A damaged one is set aside."""
        try:
            with self.path.open("rb") as file:
                return self._decode(file.read(MOST_BYTES))
        except FileNotFoundError:
            return default
        except OSError as error:
            LOG.error("%s: cannot be read (%s); continuing without it", self.path, error.strerror or error)
            return default
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            aside = self.path.with_name(f"{self.path.name}.damaged")
            with contextlib.suppress(OSError):
                self.path.replace(aside)
            LOG.error("%s: damaged (%s); set aside as %s, and continuing without it", self.path, error, aside.name)
            return default

    def _decode(self, data: bytes) -> Content:
        content = unsealed(data, self.path.name)
        if content is data:  # of an earlier version
            return msgspec.json.decode(content, type=self._kind)
        return msgspec.json.decode(msgspec.json.decode(content, type=dict[Literal["content"], msgspec.Raw])["content"], type=self._kind)

    def keep(self, content: Content, then: Then = nobody) -> None:
        """Replace the file by `content`, which must not change any more; `then` is called with the reason if it fails, in one line."""

        def job() -> Problem:
            self.write(content)
            return self.problem

        self._have_written(job, then)

    def write(self, content: Content) -> bool:
        """Replace the file; whether that worked."""
        try:
            make_folder(self.path.parent)
            with replacing(self.path) as file:
                body = msgspec.json.format(msgspec.json.encode({"content": content}), indent=1)
                file.write(sealed(body, self.path.name) + b"\n")
        except OSError as error:
            self.problem = f"{self.path}: cannot be written ({error.strerror or error}); it holds until the daemon stops"
            LOG.error("%s", self.problem)
            return False
        self.problem = None
        return True
