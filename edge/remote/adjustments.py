"""Thresholds that were adjusted to recent sound. The bundle does not change: it may be signed."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from edge.judgement.tail import Tail
from edge.judgement.threshold import Moved
from edge.remote.background_writer import Then, Write, at_once, nobody
from edge.remote.recalibration import LEAST_FACTOR, MOST_FACTOR
from edge.remote.state_file import StateFile

LOG = logging.getLogger("auscult.remote")
MOST = 100  # of the latest


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """One source with one bundle: its threshold, in units of the bundle's own, and the tail that it was chosen by."""

    source: str
    bundle: str  # sha256
    factor: float
    tail: Tail
    false_alarms_per_week: float
    t: str  # when it was made

    def check(self) -> None:
        """Raise ValueError when it is none that was made here."""
        self.tail.check()
        if not LEAST_FACTOR <= self.factor <= MOST_FACTOR:
            raise ValueError(f"a factor of {self.factor:g}")


class Adjustments:
    """By source and bundle, in one file: a new bundle of a source begins with its own threshold."""

    def __init__(self, path: Path, write: Write = at_once) -> None:
        """`path` is the file that remembers them; `write` has it written."""
        self._file = StateFile(path, list[Adjustment], write)
        self._adjustments: list[Adjustment] = []
        for adjustment in self._file.read([]):
            try:
                adjustment.check()
            except ValueError as error:
                LOG.error("%s: the threshold of %s is not valid (%s); it is the bundle's own again", path, adjustment.source, error)
                continue
            self._adjustments.append(adjustment)

    @property
    def sources(self) -> set[str]:
        """Those that have one, with whatever bundle."""
        return {one.source for one in self._adjustments}

    def of(self, source: str, bundle_sha256: str) -> Adjustment | None:
        """The adjustment of a source with a bundle."""
        found = [one for one in self._adjustments if (one.source, one.bundle) == (source, bundle_sha256)]
        return found[-1] if found else None

    def moved(self, source: str, bundle_sha256: str) -> Moved | None:
        """How the threshold of a source with a bundle was moved; None for not at all."""
        adjustment = self.of(source, bundle_sha256)
        return None if adjustment is None else Moved(adjustment.factor, adjustment.tail)

    def set(self, adjustment: Adjustment, then: Then = nobody) -> None:
        """Keep an adjustment in place of an older one. It applies at once; `then` is called with whether it was saved."""
        others = self._others(adjustment.source, adjustment.bundle)
        self._adjustments = [*others, adjustment][-MOST:]
        self._file.keep(self._adjustments, then)

    def reset(self, source: str, bundle_sha256: str, then: Then = nobody) -> None:
        """Go back to the bundle's own threshold, at once; `then` is called with whether it was saved."""
        self._adjustments = self._others(source, bundle_sha256)
        self._file.keep(self._adjustments, then)

    def _others(self, source: str, bundle_sha256: str) -> list[Adjustment]:
        return [one for one in self._adjustments if (one.source, one.bundle) != (source, bundle_sha256)]
