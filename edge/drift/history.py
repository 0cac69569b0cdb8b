"""All that is kept of a source for its drift, in one file: written whole each hour, and bounded.

The hours of the last four weeks; what each regime was at each time of day when it was first heard, which is the reference; for how long
each band has seemed to drift; and what was told last. There is no sound in it, and nothing finer than an hour: some 250 kB for a machine of
two regimes.

Hours come in their order whatever the clock does. If it is set back, those that are known move back with it, so that the next one follows.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.atomic_file import replacing
from edge.drift.drift_report import DriftReport
from edge.drift.hour import HOURS_A_DAY, Hour, OpenHour, packed, unpacked
from edge.drift.panel import Cell, Panel, group, parted
from edge.drift.regimes import Regime
from edge.errors import StoreError
from edge.private_files import make_folder

Float64 = NDArray[np.float64]

SCHEMA = 1
DAYS = 28


class Reference(msgspec.Struct):
    """What a regime was at a time of day, on the first day that it was heard then."""

    regime: int
    group: int
    first: int  # hour
    windows: int
    levels: bytes  # (band,) int16, see `packed`


class History(msgspec.Struct, kw_only=True):
    """That of one source."""

    schema: int = SCHEMA
    edges_hz: tuple[tuple[float, float], ...]  # of the bands
    began: int  # hour
    regimes: list[Regime] = []
    made: int = 0  # regimes that there ever were
    hours: list[Hour] = []  # the oldest first
    reference: list[Reference] = []
    seeming: list[float] = []  # hours for which level, tilt and each band have seemed to drift: see edge/drift/assessment.py
    told: list[bool] = []  # of these, whether it is told
    report: DriftReport | None = None  # the last

    @classmethod
    def read(cls, path: Path) -> History | None:
        """The one in a file; None when there is none.

        Raises
        ------
        StoreError
            It is damaged, or of another version.
        OSError
            It cannot be read.
        """
        try:
            history = msgspec.msgpack.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise StoreError(path, f"is damaged ({error}); drift is measured anew") from error
        bands = len(history.edges_hz)
        if history.schema != SCHEMA or any(hour.levels_db.shape != (len(hour.regimes), bands) for hour in history.hours):
            raise StoreError(path, "is of another version; drift is measured anew")
        return history

    def write(self, path: Path) -> None:
        """Replace the file; OSError when it cannot be written."""
        make_folder(path.parent)
        with replacing(path) as file:
            file.write(msgspec.msgpack.encode(self))

    def add(self, heard: OpenHour) -> Hour | None:
        """Take an hour that is over; return what is kept of it, None when too little was heard."""
        if self.hours and self.hours[-1].at >= heard.at:
            self._move_back(self.hours[-1].at - heard.at + 1)
        known = {regime.number for regime in self.regimes}
        hour = heard.closed(self.regimes, self.made)
        now = {regime.number for regime in self.regimes}
        self.made += len([number for number in now if number >= self.made])
        if known - now:
            self.reference = [one for one in self.reference if one.regime in now]
        if hour is None:
            return None
        self.hours = [one for one in self.hours if hour.at - one.at < DAYS * HOURS_A_DAY] + [hour]
        for regime, windows, levels in zip(hour.regimes, hour.windows, hour.levels_db, strict=True):
            self._refer(hour.at, regime, windows, levels.astype(np.float64))
        return hour

    def moved_db(self) -> Float64 | None:
        """How far the last day is from the reference: see `parted`, (`BROAD` + band,); None where nothing can be compared."""
        panel = Panel.of(self.hours, 1)
        first: dict[Cell, Float64] = {(one.regime, one.group): unpacked(one.levels).astype(np.float64) for one in self.reference}
        places = [place for place, cell in enumerate(panel.cells) if cell in first]
        if not places:
            return None
        apart = np.stack([panel.levels_db[0, place] - first[panel.cells[place]] for place in places])
        moved: Float64 = np.average(parted(apart), axis=0, weights=panel.weights[0, places])
        return moved

    @property
    def days(self) -> float:
        """How long it is since the first hour."""
        return (self.hours[-1].at + 1 - self.began) / HOURS_A_DAY if self.hours else 0.0

    def _refer(self, at: int, regime: int, windows: int, levels: Float64) -> None:
        one = next((one for one in self.reference if (one.regime, one.group) == (regime, group(at))), None)
        if one is None:
            self.reference.append(Reference(regime, group(at), at, windows, packed(levels)))
        elif at - one.first < HOURS_A_DAY:
            before = unpacked(one.levels).astype(np.float64)
            one.levels = packed((one.windows * before + windows * levels) / (one.windows + windows))
            one.windows += windows

    def _move_back(self, by: int) -> None:
        self.hours = [msgspec.structs.replace(hour, at=hour.at - by) for hour in self.hours]
        self.began -= by
        for one in self.reference:
            one.first -= by
        for regime in self.regimes:
            regime.seen -= by
