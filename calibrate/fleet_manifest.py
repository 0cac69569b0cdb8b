"""A fleet's manifest: a CSV file with the recordings of each machine. Everything is checked before the long work.

    unit,recordings,channel,backbone
    pump1,recordings/pump1,,
    pump2,recordings/pump2;recordings/pump2-night,1,logmel

`unit` names the machine and its bundle. `recordings` are folders or files, relative to the CSV's folder, several with `;` between them or
in several rows of one unit. Any other column is an option of the command, spelled as there (`false-alarms-per-week`, or with `_`); an
empty cell is what the command was told. Spreadsheets that write `;` or tabs between columns are understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from calibrate.checks import MIN_TOTAL_S, NAMES_SHOWN
from calibrate.fleet import Unit
from calibrate.fleet_table import FleetTable
from calibrate.settings import CalibrationSettings
from edge.audio.audio_file import audio_info, find_audio_files
from edge.audio.channels import channel_problem
from edge.config.schema import NAME_PATTERN
from edge.errors import AudioError, UserError

T = TypeVar("T")

UNIT, RECORDINGS = "unit", "recordings"
LONGEST_NAME = 64  # as a source's in config.yaml


class CellError(ValueError):
    """A cell that its column does not take."""

    def __init__(self, column: str, problem: str) -> None:
        self.column = column
        self.problem = problem
        super().__init__(f"column {column}: {problem}")


class RowParser(Protocol):
    """What the columns besides `unit` and `recordings` mean."""

    @property
    def options(self) -> tuple[str, ...]:
        """Their names, with `_`."""
        ...

    def check(self, option: str, text: str) -> None:
        """CellError when the option does not take the text, which is not empty."""
        ...

    def settings(self, cells: Mapping[str, str]) -> CalibrationSettings:
        """A machine's settings; CellError when its cells do not go together."""
        ...


@dataclass(frozen=True, slots=True)
class FleetManifest:
    """The contents of a manifest. `units` is complete only if there are no mistakes."""

    units: tuple[Unit, ...]
    mistakes: tuple[UserError, ...]  # in the order of the lines
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    """A unit while its rows are read."""

    name: str
    line: int
    files: dict[Path, int] = field(default_factory=dict)  # with the line that names each
    cells: dict[str, tuple[str, int]] = field(default_factory=dict)  # option -> what it says, and in which line
    flawed: bool = False


def read_fleet_manifest(path: Path, rows: RowParser) -> FleetManifest:
    """Read and check a manifest, down to the headers of the recordings.

    Raises
    ------
    UserError
        The file is missing, no CSV, lacks a column, has one that is a slip of the pen, or lists no machine. What is wrong in its lines is
        not raised but collected: a technician mends them all at once.
    """
    return _Reader(path, rows).read()


class _Reader:
    def __init__(self, path: Path, rows: RowParser) -> None:
        self._table = FleetTable(path, (UNIT, RECORDINGS), rows.options)
        self._folder = path.parent.absolute()  # not resolved: another computer may know it by this name only
        self._parser = rows
        self._drafts: dict[str, _Draft] = {}

    def read(self) -> FleetManifest:
        for line, cells in self._table.rows():
            self._add(line, cells)
        if not self._drafts and not self._table.mistakes:
            raise UserError(self._table.path, "lists no machine; write one line for each: its unit and its recordings")
        units = [unit for draft in self._drafts.values() if (unit := self._unit(draft)) is not None]
        self._warn_of_twins(units)
        return FleetManifest(tuple(units), tuple(self._table.mistakes), tuple(self._table.warnings))

    def _add(self, line: int, cells: Mapping[str, str]) -> None:
        """Take a row in."""
        name, recordings = cells.get(UNIT, ""), cells.get(RECORDINGS, "")
        if problem := self._name_problem(name):
            self._table.complain(line, problem, UNIT)
            return
        draft = self._drafts.setdefault(name, _Draft(name, line))
        for option in self._parser.options:
            if cells.get(option):
                self._try(draft, line, partial(self._add_cell, draft, line, option, cells[option]))
        self._try(draft, line, partial(self._add_recordings, draft, line, recordings))

    def _try(self, draft: _Draft, line: int, step: Callable[[], T]) -> T | None:
        """Take a step; what is wrong is told, and the unit has no further mistakes that may come of this one."""
        try:
            return step()
        except CellError as bad:
            draft.flawed = True
            self._table.complain(line, bad.problem, bad.column)
            return None

    def _add_cell(self, draft: _Draft, line: int, option: str, text: str) -> None:
        self._parser.check(option, text)
        before, where = draft.cells.setdefault(option, (text, line))
        if before != text:
            raise CellError(option, f"{text}, but line {where} says {before} for {draft.name}; write it once")

    def _add_recordings(self, draft: _Draft, line: int, recordings: str) -> None:
        parts = [part.strip() for part in recordings.split(";") if part.strip()]
        if not parts:
            raise CellError(RECORDINGS, f"empty; name a folder or a file with normal sound of {draft.name}")
        for file in self._files(parts):
            if draft.files.setdefault(file, line) != line:
                raise CellError(RECORDINGS, f"{file} is among those of line {draft.files[file]} already; take one of the two away")

    def _name_problem(self, name: str) -> str | None:
        if not name:
            return "empty; name the machine"
        if not re.match(NAME_PATTERN, name) or len(name) > LONGEST_NAME:
            return f"{name!r} must be at most {LONGEST_NAME} letters, digits, _ and -: it names the bundle"
        for other in self._drafts.values():
            if other.name != name and other.name.lower() == name.lower():
                return f"{name} and {other.name} (line {other.line}) differ in capitals only; write both alike, or give one another name"
        return None

    def _files(self, parts: Sequence[str]) -> list[Path]:
        try:
            files = find_audio_files(self._folder / part for part in parts)
        except AudioError as error:
            hint = f"; paths begin in {self._folder}" if "no such" in error.problem else ""
            raise CellError(RECORDINGS, f"{error}{hint}") from error
        if twice := next((file for file in files if files.count(file) > 1), None):
            raise CellError(RECORDINGS, f"{twice} is named twice; once is enough")
        return files

    def _unit(self, draft: _Draft) -> Unit | None:
        """The unit, when nothing is wrong with it as far as headers tell."""
        if draft.flawed:
            return None
        cells = {option: text for option, (text, _) in draft.cells.items()}
        settings = self._try(draft, draft.line, partial(self._parser.settings, cells))
        if settings is None:
            return None
        _, line = draft.cells.get("channel", ("", draft.line))
        self._try(draft, line, partial(_check_sound, draft, settings))
        return None if draft.flawed else Unit(draft.name, draft.line, tuple(draft.files), settings)

    def _warn_of_twins(self, units: Sequence[Unit]) -> None:
        """Two machines that learn from the same sound are seldom meant."""
        first: dict[tuple[Path, object], Unit] = {}
        for unit in units:
            shared = [file for file in unit.recordings if first.setdefault((file, unit.settings.channel), unit) is not unit]
            if shared:
                other = first[shared[0], unit.settings.channel]
                same = f"{unit.name} learns from {shared[0]}, and {other.name} (line {other.line}) does too"
                self._table.warn(unit.line, same, RECORDINGS)


def _check_sound(draft: _Draft, settings: CalibrationSettings) -> None:
    """Refuse recordings that their headers show to be useless; CellError."""
    seconds, bad = 0.0, []
    for file in draft.files:
        try:
            info = audio_info(file)
        except AudioError as error:
            bad.append(str(error))
            continue
        if problem := channel_problem(settings.channel, info.channels):
            raise CellError("channel", f"{file} {problem.partition('; ')[0]}; 0 is the first, mix the mean of all")
        seconds += info.seconds
    if bad and settings.bad_recordings == "refuse":
        more = f" and {len(bad) - NAMES_SHOWN} more" if len(bad) > NAMES_SHOWN else ""
        listed = f"{', '.join(bad[:NAMES_SHOWN])}{more}"
        raise CellError(RECORDINGS, f"{listed}; remove them, or leave them out with --bad-recordings drop")
    if seconds < MIN_TOTAL_S:
        raise CellError(RECORDINGS, f"{seconds:.1f} s of sound of {draft.name}; at least {MIN_TOTAL_S:.0f} s are needed; record more")
