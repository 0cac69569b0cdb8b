"""A progress bar on a terminal, nothing in a pipe or a log."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import TextIO, TypeVar

_REDRAW_S = 0.1
_BAR_CELLS = 24

_Item = TypeVar("_Item")


class Progress:
    """A bar on stderr, for work whose steps are counted elsewhere.

    >>> with Progress("fitting", total=1000) as bar:
    ...     bar.update(10)
    """

    def __init__(self, label: str, total: float | None = None, *, file: TextIO | None = None) -> None:
        """`total` in any unit, None when nobody knows; `file` stands for stderr."""
        self._label = label
        self._total = total
        self._done = 0.0
        self._file = file or sys.stderr
        self._shown = self._file.isatty()
        self._started_s = time.monotonic()
        self._drawn_s = float("-inf")

    def update(self, step: float = 1.0) -> None:
        """Count `step` more as done."""
        self._done += step
        now = time.monotonic()
        if self._shown and now - self._drawn_s >= _REDRAW_S:
            self._drawn_s = now
            self._draw(now - self._started_s)

    def close(self) -> None:
        """Take the bar away; the line is free for what comes next."""
        if self._shown:
            self._file.write("\r\x1b[K")
            self._file.flush()
            self._shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _draw(self, elapsed_s: float) -> None:
        line = f"{self._label} {_bar(self._done, self._total)} {_clock(elapsed_s)}"
        if self._total and 0 < self._done < self._total:
            line += f", {_clock(elapsed_s * (self._total / self._done - 1))} left"
        self._file.write("\r" + line[: shutil.get_terminal_size().columns - 1] + "\x1b[K")
        self._file.flush()


def progress(items: Iterable[_Item], total: float | None = None, label: str = "") -> Iterator[_Item]:
    """Yield the items, with a bar; the total is their number if it is not given and they have one."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(label, total) as bar:
        for item in items:
            yield item
            bar.update()


def _bar(done: float, total: float | None) -> str:
    if not total:
        return f"{done:.0f}"
    fraction = min(1.0, done / total)
    full = int(fraction * _BAR_CELLS)
    return f"[{'#' * full}{'.' * (_BAR_CELLS - full)}] {100 * fraction:3.0f} %"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
