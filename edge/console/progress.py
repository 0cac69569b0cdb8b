"""A progress bar on a terminal, nothing in a pipe or a log."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO, TypeVar

_REDRAW_S = 0.1
_SETTLED_S = 3.0  # before that a remaining time would be a guess
_BAR_CELLS = 24

_Item = TypeVar("_Item")


class _Stages:
    """The bars of one work, of which each stage has a weight: how long it takes beside the others."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = dict(weights)
        self._started_s = time.monotonic()
        self._past = 0.0  # weight of the stages that are over

    def __contains__(self, label: str) -> bool:
        return label in self._weights

    def begin(self, label: str) -> None:
        """A stage begins: those before it are over, even if they never came."""
        while label in self._weights and (first := next(iter(self._weights))) != label:
            self._past += self._weights.pop(first)

    def end(self, label: str) -> None:
        """A stage is over."""
        self._past += self._weights.pop(label, 0.0)

    def line(self, label: str, fraction: float, stage_s: float) -> str:
        """The bar of all stages, while one of them is done so far after so many seconds."""
        own, total = self._weights[label], self._past + sum(self._weights.values())
        done = self._past + fraction * own
        elapsed_s = time.monotonic() - self._started_s
        line = f"{label} {_bar(done, total)} {_clock(elapsed_s)}"
        if elapsed_s < _SETTLED_S or not done:
            return line
        pace = elapsed_s / done  # seconds per weight, so far
        # How long a stage takes is told by its own pace, the more so the further it is, and by that of all until then.
        own_s = (1.0 - fraction) * (stage_s + (1.0 - fraction) * own * pace)
        return f"{line}, about {_clock(own_s + pace * (total - self._past - own))} left"


_stages: _Stages | None = None


@contextmanager
def stages(weights: Mapping[str, float]) -> Iterator[None]:
    """Show bars of these labels as one, in this order; any other has a bar of its own."""
    global _stages
    before, _stages = _stages, _Stages(weights) if weights else None
    try:
        yield
    finally:
        _stages = before


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
        self._stages = _stages if _stages is not None and label in _stages else None
        if self._stages is not None:
            self._stages.begin(label)

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
        if self._stages is not None:
            self._stages.end(self._label)
            self._stages = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _draw(self, elapsed_s: float) -> None:
        line = f"{self._label} {_bar(self._done, self._total)} {_clock(elapsed_s)}"
        if self._stages is not None and self._total:
            line = self._stages.line(self._label, min(1.0, self._done / self._total), elapsed_s)
        elif self._total and 0 < self._done < self._total:
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
