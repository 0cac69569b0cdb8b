"""What all sources share, such as the publisher, while one of them uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import shorten

LONGEST = 300  # characters


class SharedError(Exception):
    """It has failed, and no source can continue without it: the daemon ends, and systemd starts it again."""


@contextmanager
def shared() -> Iterator[None]:
    """Separate failures of shared parts from those of a source: an exception in here becomes a SharedError."""
    try:
        yield
    except Exception as error:
        raise SharedError(in_one_line(error)) from error


def in_one_line(error: Exception) -> str:
    """Describe an unexpected error: its type and the beginning of its message."""
    return shorten(": ".join(filter(None, (type(error).__name__, str(error)))), LONGEST, placeholder=" ...")
