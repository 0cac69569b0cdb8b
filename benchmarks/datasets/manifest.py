"""A manifest: one CSV line per recording, with its machine and what it may be used for.

Columns that are read (others may be there): `path` relative to the manifest's folder; `dataset`; `unit`, one machine; `role`, one of
`fit`, `test`, `background`, `single`; `label`, one of `normal`, `anomalous`, `none`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from edge.errors import UserError

COLUMNS = ("path", "dataset", "unit", "role", "label")
ROLES = ("fit", "test", "background", "single")
LABELS = ("normal", "anomalous", "none")


@dataclass(frozen=True, slots=True)
class Recording:
    """One line of a manifest."""

    path: Path
    dataset: str
    unit: str
    role: str
    label: str


@dataclass(frozen=True, slots=True)
class Unit:
    """The recordings of one machine under one condition. `key` is its name in results.

    What follows `anomalous` is what published datasets say of their machines; a manifest leaves it open.
    """

    key: str
    dataset: str
    unit: str
    fit: tuple[Path, ...]
    normal: tuple[Path, ...]  # to test with
    anomalous: tuple[Path, ...]  # to test with
    kind: str = ""  # of machine, such as fan
    machine_id: str = ""  # among its kind, such as 02
    condition: str = ""  # such as a ratio of machine to noise, or a domain
    channel: int = 0  # of a microphone array

    @property
    def files(self) -> int:
        """How many recordings there are of it."""
        return len(self.fit) + len(self.normal) + len(self.anomalous)

    @property
    def lacks(self) -> str | None:
        """Why this unit cannot be measured, or None when it can."""
        missing = [
            what
            for what, paths in (("fit rows", self.fit), ("normal test rows", self.normal), ("anomalous test rows", self.anomalous))
            if not paths
        ]
        return f"no {' and no '.join(missing)}" if missing else None


def read_manifest(path: Path, without: Sequence[str] = ()) -> tuple[Recording, ...]:
    """Read a manifest, but for recordings whose path, as it is written there, matches one of the patterns `without`.

    Raises
    ------
    UserError
        When it is missing, lacks a column, is empty, or a line has an unknown role or label, or names a file that is not there; or when a
        pattern matches nothing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise UserError(path, f"not a manifest: no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
            rows = [(row, reader.line_num) for row in reader]
            for pattern in without:
                if not any(fnmatch(row["path"] or "", pattern) for row, _ in rows):
                    raise UserError(f"--without {pattern}", f"matches no recording of {path}")
            kept = ((row, line) for row, line in rows if not any(fnmatch(row["path"] or "", pattern) for pattern in without))
            recordings = tuple(_recording(row, path, line) for row, line in kept)
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror or error}; give the path of a manifest.csv") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(path, f"not a CSV file in UTF-8: {error}") from None
    if not recordings:
        raise UserError(path, "lists no recordings")
    return recordings


def units(recordings: Sequence[Recording]) -> tuple[Unit, ...]:
    """Gather recordings into units, in the order in which the manifest names them; background rows belong to none.

    A unit's key is the manifest's own name for it, unless another unit of that name has a better claim or as good a one: then it is
    `dataset/unit`. A unit that can be measured has a better claim than one that lacks something.
    """
    groups: dict[tuple[str, str], list[Recording]] = defaultdict(list)
    for recording in recordings:
        if recording.role != "background":
            groups[recording.dataset, recording.unit].append(recording)
    gathered = [
        Unit(
            key=f"{dataset}/{unit}",
            dataset=dataset,
            unit=unit,
            fit=tuple(r.path for r in rows if r.role == "fit" and r.label == "normal"),
            normal=tuple(r.path for r in rows if r.role == "test" and r.label == "normal"),
            anomalous=tuple(r.path for r in rows if r.role == "test" and r.label == "anomalous"),
        )
        for (dataset, unit), rows in groups.items()
    ]
    return tuple(replace(unit, key=unit.unit) if _owns_its_name(unit, gathered) else unit for unit in gathered)


def _owns_its_name(unit: Unit, others: Sequence[Unit]) -> bool:
    rivals = [other for other in others if other is not unit and other.unit == unit.unit]
    return not rivals or (unit.lacks is None and all(rival.lacks is not None for rival in rivals))


def chosen_units(all_units: Sequence[Unit], names: Sequence[str] | None, where: str = "the manifest") -> tuple[Unit, ...]:
    """Return the units that `names` selects: each a unit, a `dataset/unit`, a kind of machine or a whole dataset. None selects all.

    Raises
    ------
    UserError
        When a name selects nothing; `where` says in which place it was looked for.
    """
    if names is None:
        return tuple(all_units)
    chosen: set[int] = set()
    for name in names:
        matches = {i for i, u in enumerate(all_units) if name and name in (u.key, u.unit, u.kind, u.dataset, f"{u.dataset}/{u.unit}")}
        if not matches:
            raise UserError(name, f"no such unit in {where}; it has {', '.join(u.key for u in all_units)}")
        chosen |= matches
    return tuple(all_units[i] for i in sorted(chosen))


def background(recordings: Sequence[Recording]) -> tuple[Path, ...]:
    """Return the recordings of everything but machines, to mix into the others."""
    return tuple(recording.path for recording in recordings if recording.role == "background")


def _recording(row: dict[str, str], manifest: Path, line: int) -> Recording:
    where = f"{manifest}:{line}"
    for column, known in (("role", ROLES), ("label", LABELS)):
        if row[column] not in known:
            raise UserError(where, f"{column} {row[column]!r} is unknown; write one of {', '.join(known)}")
    if not row["path"] or not row["unit"]:
        raise UserError(where, "path and unit must not be empty")
    path = manifest.parent / row["path"]
    if not path.is_file():
        raise UserError(where, f"{row['path']} is not there; paths are relative to the manifest's folder")
    return Recording(path, row["dataset"], row["unit"], row["role"], row["label"])
