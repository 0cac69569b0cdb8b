"""Where the time of the pipeline goes, stage by stage."""

from __future__ import annotations

import time


class Stopwatch:
    """Adds up seconds of this thread's CPU time per stage: two clock reads a stage and block, cheap enough to stay on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def stage(self, name: str) -> Stage:
        """Count the enclosed work as stage `name`."""
        return Stage(self.seconds, name)


class Stage:
    """Work on one stage, from the beginning of a `with` to its end."""

    __slots__ = ("_name", "_seconds", "_start_s")

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        """`seconds` of all stages are added up in."""
        self._seconds = seconds
        self._name = name

    def __enter__(self) -> None:
        self._start_s = time.thread_time()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = self._seconds.get(self._name, 0.0) + time.thread_time() - self._start_s
