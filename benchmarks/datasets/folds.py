"""Classes of sound in the folds that they are published in: a table of file, fold and class, and folders of files.

The publishers put all excerpts of one field recording into one fold. Who draws folds anew learns from what is tested.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from benchmarks.datasets.published import Source, not_here, several
from edge.audio.audio_file import SUFFIXES
from edge.errors import UserError


@dataclass(frozen=True, slots=True)
class Table:
    """How a dataset describes its recordings."""

    source: Source
    path: str  # of the table, below the dataset's folder
    file_column: str
    class_column: str
    audio: str  # where a recording lies below the dataset's folder, in terms of {fold} and {file}
    folds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Folds:
    """The recordings that are there."""

    classes: dict[str, dict[int, tuple[Path, ...]]]  # class -> fold -> recordings, as the table names them
    notes: tuple[str, ...]  # what is missing, one line each

    def clips(self, name: str, folds: Collection[int]) -> tuple[Path, ...]:
        """Return the recordings of a class in some folds."""
        return tuple(path for fold, paths in self.classes.get(name, {}).items() if fold in folds for path in paths)


def read_folds(root: Path, table: Table) -> Folds:
    """Read a table and find its recordings; `root` is the dataset's folder or the one in which its archive was unpacked.

    Raises
    ------
    UserError
        When there is no such folder, no table or none of its recordings, or a line of the table is damaged.
    """
    if not root.is_dir():
        raise UserError(root, f"no such folder; download {table.source.name} from {table.source.url} and give the folder that it is in")
    homes = [folder for folder in (root, *sorted(root.iterdir())) if (folder / table.path).is_file()]
    if not homes:
        raise not_here(root, table.source, f"no {table.path}")
    home = homes[0]
    classes: dict[str, dict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    missing = 0
    rows = _rows(home / table.path, table)
    for file, fold, name in rows:
        path = _recording(home / table.audio.format(fold=fold, file=file))
        if path is None:
            missing += 1
        else:
            classes[name][fold].append(path)
    if not classes:
        raise not_here(root, table.source, f"none of the {len(rows)} recordings of {table.path}, such as {table.source.example}")
    notes = [f"{table.source.name}: {len(rows) - missing} of {len(rows)} recordings are here ({table.source.url})"] if missing else []
    return Folds(
        {name: {fold: tuple(folds[fold]) for fold in sorted(folds)} for name, folds in sorted(classes.items())},
        tuple(notes),
    )


def _rows(path: Path, table: Table) -> list[tuple[str, int, str]]:
    """Return file, fold and class of every line."""
    columns = (table.file_column, "fold", table.class_column)
    rows = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            lacking = [column for column in columns if column not in (reader.fieldnames or ())]
            if lacking:
                raise UserError(path, f"no column {several(lacking)}; download it again from {table.source.url}")
            for row in reader:
                name, fold, kind = (row[column] or "" for column in columns)
                if not name or not kind or fold not in map(str, table.folds):
                    raise UserError(f"{path}:{reader.line_num}", f"no file, fold and class; download it again from {table.source.url}")
                rows.append((name, int(fold), kind))
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error):
        raise UserError(path, f"not a CSV file in UTF-8; download it again from {table.source.url}") from None
    return rows


def _recording(path: Path) -> Path | None:
    """Return a recording as it is published or with another suffix, for who has compressed it."""
    candidates = (path, *(path.with_suffix(suffix) for suffix in SUFFIXES))
    return next((candidate for candidate in candidates if candidate.is_file()), None)
