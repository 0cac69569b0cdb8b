"""A published dataset as it lies on disk: the machines that are there and, in one line each, what is missing.

What a file is of stands in its name and in those of its folders. Each dataset has a function that reads them; the rest is the same for all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.datasets.manifest import Unit
from edge.audio.audio_file import find_audio_files
from edge.errors import AudioError, UserError

FIT, NORMAL, ANOMALOUS, UNLABELLED = "fit", "normal", "anomalous", "unlabelled"  # parts of a machine's recordings

NAMED = 4  # of many, in one line


@dataclass(frozen=True, slots=True)
class Source:
    """Where a dataset is published, and how its files are named."""

    name: str
    url: str
    example: str  # one of its files, as it lies where its archive was unzipped
    labels: str = ""  # the file of the labels, where names do not hold them
    labels_url: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine under one condition, as a dataset names it."""

    kind: str
    machine_id: str
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """What is there of a dataset."""

    units: tuple[Unit, ...]
    notes: tuple[str, ...]  # what is missing or was left out, one line each


Parts = dict[str, tuple[Path, ...]]  # part -> recordings, sorted by name
Parse = Callable[[Path], tuple[Machine, str] | None]  # what a recording is of and in which part it is; None when its name does not say


@dataclass(frozen=True, slots=True)
class Found:
    """The recordings of a dataset by machine."""

    machines: dict[Machine, Parts]
    strange: tuple[Path, ...]  # whose names do not say what they are


def find_machines(root: Path, source: Source, parse: Parse) -> Found:
    """Look through a folder and all below it for the recordings of a dataset. Files that are not audio do not count.

    Raises
    ------
    UserError
        When there is no such folder or nothing of the dataset in it, or two recordings of a machine have one name: the dataset was unzipped
        twice, and one recording would be learned from and tested with.
    """
    groups: dict[Machine, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    strange = []
    for path in _recordings(root, source):
        parsed = parse(path)
        if parsed is None:
            strange.append(path)
        else:
            machine, part = parsed
            groups[machine][part].append(path)
    if not groups:
        raise not_here(root, source, f"{len(strange)} recordings, none named like {source.example}")
    for parts in groups.values():
        for paths in parts.values():
            paths.sort(key=lambda path: (path.name, path))
            _refuse_copies(paths)
    return Found({machine: {part: tuple(paths) for part, paths in parts.items()} for machine, parts in groups.items()}, tuple(strange))


def not_here(root: Path, source: Source, why: str) -> UserError:
    """Return the one line that says that nothing of a dataset is in a folder, and where to get it."""
    archives = sorted(path.name for pattern in ("*.zip", "*.tar.gz") for path in root.glob(pattern))
    remedy = f"unpack {several(archives)}" if archives else f"download it from {source.url} and unzip it there"
    return UserError(root, f"no {source.name} here ({why}); {remedy}")


def unit_of(dataset: str, name: str, machine: Machine, parts: Parts) -> Unit:
    """Return the unit of a machine by its parts, with the published split; `name` is its key too."""
    return Unit(
        key=name,
        dataset=dataset,
        unit=name,
        fit=parts.get(FIT, ()),
        normal=parts.get(NORMAL, ()),
        anomalous=parts.get(ANOMALOUS, ()),
        kind=machine.kind,
        machine_id=machine.machine_id,
        condition=machine.condition,
    )


def notes_of(
    root: Path, source: Source, found: Found, published: Sequence[Sequence[Machine]], name: Callable[[Machine], str]
) -> tuple[str, ...]:
    """Return one line each for the machines that are missing, those without labels, and the recordings whose names say nothing.

    `published` are the machines of each part of the publication. The first part is expected, another one only if a machine of it is here.
    """
    here = found.machines
    expected = [m for number, part in enumerate(published) if number == 0 or any(m in here for m in part) for m in part]
    missing = [name(machine) for machine in expected if machine not in here]
    unlabelled = [name(machine) for machine in expected if here.get(machine, {}).get(UNLABELLED)]
    notes = []
    if missing:
        count = f"{len(expected) - len(missing)} of {len(expected)} machines are here"
        notes.append(f"{source.name}: {count}; not {several(missing)} ({source.url})")
    if unlabelled:
        remedy = f"put {source.labels} beside them ({source.labels_url})"
        notes.append(f"{source.name}: test recordings without labels left out, of {several(unlabelled)}; {remedy}")
    if found.strange:
        names = several([str(path.relative_to(root)) for path in found.strange], most=1)
        notes.append(f"{source.name}: left out, not named like {source.example}: {names}")
    return tuple(notes)


def kind_and_folder(root: Path, path: Path) -> tuple[str, str]:
    """Return the names of the two folders that a recording is in; the outer one may be the root itself."""
    kind, folder = ("", root.resolve().name, *path.relative_to(root).parts[:-1])[-2:]
    return kind, folder


def several(names: Sequence[str], most: int = NAMED) -> str:
    """Write a list in part of one line."""
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left} more" if left > 0 else "")


def _recordings(root: Path, source: Source) -> list[Path]:
    if not root.is_dir():
        raise UserError(root, f"no such folder; download {source.name} from {source.url} and give the folder that it was unzipped into")
    try:
        return find_audio_files([root])
    except AudioError as error:
        raise not_here(root, source, error.problem) from None


def _refuse_copies(paths: Sequence[Path]) -> None:
    for first, second in pairwise(paths):
        if first.stem == second.stem:
            raise UserError(second, f"is {first} again; keep one of them")
