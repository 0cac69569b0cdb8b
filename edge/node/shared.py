"""What all sources share, such as the publisher, used in the turn of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import shorten

LONGEST = 300  # characters


class SharedError(Exception):
    """It has failed, and no source can go on without it: the daemon ends, and systemd starts it again."""


@contextmanager
def shared() -> Iterator[None]:
    """Tell what fails in here from what fails in the source's own turn: whatever is raised becomes a SharedError."""
    try:
        yield
    except Exception as error:
        raise SharedError(in_one_line(error)) from error


def in_one_line(error: Exception) -> str:
    """An error that nobody foresaw: its kind and, however long it may be, the beginning of what it says."""
    return shorten(": ".join(filter(None, (type(error).__name__, str(error)))), LONGEST, placeholder=" ...")
