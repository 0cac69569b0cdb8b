"""Turns: several sources share one worker fairly."""

from __future__ import annotations

from collections.abc import Sequence


class Turns:
    """Start-time fair queueing (Goyal, Vin and Cheng 1996) with equal shares.

    A turn is one step of a source and costs the time it took. The source that has cost least comes first, so one whose steps are slow gets
    fewer of them and cannot starve the others. A source that had nothing to do saves nothing up for later.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._spent_s = dict.fromkeys(names, 0.0)  # in the order in which they are to come when they have spent the same
        self._level_s = 0.0  # where the source that was served last began

    def set_names(self, names: Sequence[str]) -> None:
        """These are the sources from now on; those that stay keep their place."""
        self._spent_s = {name: self._spent_s.get(name, 0.0) for name in names}

    def order(self) -> list[str]:
        """All sources, the next one first."""
        return sorted(self._spent_s, key=lambda name: max(self._spent_s[name], self._level_s))

    def spend(self, name: str, seconds: float) -> None:
        """A step of this source took so long, and did something."""
        begun_s = max(self._spent_s.pop(name), self._level_s)
        self._level_s = begun_s
        self._spent_s[name] = begun_s + seconds  # at the end of the line
