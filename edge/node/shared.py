"""What all sources share, such as the publisher, used in the turn of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class SharedError(Exception):
    """It has failed, and no source can go on without it: the daemon ends, and systemd starts it again."""


@contextmanager
def shared() -> Iterator[None]:
    """Tell what fails in here from what fails in the source's own turn: whatever is raised becomes a SharedError."""
    try:
        yield
    except Exception as error:
        raise SharedError(f"{type(error).__name__}: {error}") from error
