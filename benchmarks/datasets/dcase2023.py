"""DCASE 2023 task 2: machines whose load or surroundings change (the domain shifts), one machine of each kind.

Published     Three parts, one archive for each kind of machine, 10 to 12 s, 16 kHz, one channel:
              development, https://zenodo.org/records/7882613: `bearing/train/section_00_source_train_normal_0000_vel_6_loc_A.wav` and
              `bearing/test/section_00_target_test_anomaly_0000_vel_8_loc_G.wav`;
              additional training, https://zenodo.org/records/7830345: seven other kinds of machine, to learn from;
              evaluation, https://zenodo.org/records/7860847: their `test/section_00_0000.wav`, without labels. The labels are in
              https://github.com/nttcslab/dcase2023_task2_evaluator, `ground_truth_attributes/ground_truth_bandsaw_section_00_test.csv`.
Name          Section, domain, part, label, number, and pairs of attribute and value. 990 recordings to learn from are of the source domain
              and 10 of the target domain; tested are both.
Figure        Dohi et al., "Description and discussion on DCASE 2023 Challenge Task 2" (2023), and the evaluator: the ROC AUC of a domain
              takes the normal recordings of that domain and the anomalous ones of both. So a machine is two units, one for each domain,
              which learn from the same recordings. (The partial area is over both domains at once.)
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.datasets.manifest import Unit
from benchmarks.datasets.published import (
    ANOMALOUS,
    FIT,
    NORMAL,
    UNLABELLED,
    Machine,
    Parts,
    Published,
    Source,
    find_machines,
    kind_and_folder,
    notes_of,
    unit_of,
)
from edge.errors import UserError

SOURCE = Source(
    name="DCASE 2023 task 2",
    url="https://zenodo.org/records/7882613",
    example="bearing/train/section_00_source_train_normal_0000_vel_6_loc_A.wav",
    labels="ground_truth_attributes",
    labels_url="https://github.com/nttcslab/dcase2023_task2_evaluator",
)
DATASET = "dcase2023"
KINDS = {
    "development": ("bearing", "fan", "gearbox", "slider", "ToyCar", "ToyTrain", "valve"),
    "evaluation": ("bandsaw", "grinder", "shaker", "ToyDrone", "ToyNscale", "ToyTank", "Vacuum"),
}
SECTION = "00"  # of every machine in this year
DOMAINS = ("source", "target")

PUBLISHED = {part: tuple(Machine(kind, SECTION) for kind in kinds) for part, kinds in KINDS.items()}
_ALL = {machine.kind: machine for machines in PUBLISHED.values() for machine in machines}
_NAME = re.compile(rf"section_{SECTION}_(source|target)_(train|test)_(normal|anomaly)_(\d{{4}})(?:_(.*))?")
_UNLABELLED_NAME = re.compile(rf"section_{SECTION}_\d{{4}}")
_LABELS_NAME = re.compile(rf"ground_truth_([A-Za-z]+)_section_{SECTION}_test\.csv")


@dataclass(frozen=True, slots=True)
class ClipName:
    """The information in a recording's name."""

    domain: str  # source or target
    part: str  # train or test
    anomalous: bool
    number: int
    attributes: Mapping[str, str]  # such as vel: 6, loc: A


Labels = Mapping[tuple[str, str], str]  # (kind, name without suffix) -> labelled name


def read_dcase2023(root: Path) -> Published:
    """Return two units for each machine, such as `bearing/section_00/source` and `.../target`; their condition is the domain.

    Raises
    ------
    UserError
        When nothing of it is there, a recording is there twice, or a list of labels is damaged.
    """
    labels = _read_labels(root)
    found = find_machines(root, SOURCE, partial(_parse, root, labels))
    machines = [machine for machine in _ALL.values() if machine in found.machines]
    return Published(
        units=tuple(_unit(machine, domain, found.machines[machine], labels) for machine in machines for domain in DOMAINS),
        notes=notes_of(root, SOURCE, found, tuple(PUBLISHED.values()), lambda machine: machine.kind),
    )


def clip_name(name: str) -> ClipName | None:
    """Read a recording's name, with or without `.wav`; None when it is not one of this dataset's labelled names."""
    match = _NAME.fullmatch(re.sub(r"\.(wav|flac|ogg)\Z", "", name))
    if match is None:
        return None
    words = match[5].split("_") if match[5] else []
    pairs = zip(words[::2], words[1::2], strict=False)
    return ClipName(match[1], match[2], match[3] == "anomaly", int(match[4]), dict(pairs))


def _parse(root: Path, labels: Labels, path: Path) -> tuple[Machine, str] | None:
    kind, folder = kind_and_folder(root, path)
    machine = _ALL.get(kind)
    if machine is None:
        return None
    if folder == "test" and _UNLABELLED_NAME.fullmatch(path.stem) and (kind, path.stem) not in labels:
        return machine, UNLABELLED
    name = _named(path, kind, labels)
    if name is None or name.part != folder or (name.part == "train" and name.anomalous):
        return None
    return machine, FIT if name.part == "train" else ANOMALOUS if name.anomalous else NORMAL


def _named(path: Path, kind: str, labels: Labels) -> ClipName | None:
    return clip_name(labels.get((kind, path.stem), path.name))


def _unit(machine: Machine, domain: str, parts: Parts, labels: Labels) -> Unit:
    def is_of_domain(path: Path) -> bool:
        name = _named(path, machine.kind, labels)
        return name is not None and name.domain == domain

    name = f"{machine.kind}/section_{machine.machine_id}"
    whole = unit_of(DATASET, name, machine, parts)
    return replace(whole, key=f"{name}/{domain}", normal=tuple(filter(is_of_domain, whole.normal)), condition=domain)


def _read_labels(root: Path) -> Labels:
    """Read the lists of labels, wherever they lie: `name, labelled name` in each line."""
    labels: dict[tuple[str, str], str] = {}
    for path in sorted(root.rglob(f"{SOURCE.labels}/*.csv")):
        match = _LABELS_NAME.fullmatch(path.name)
        if match is None:
            continue
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows = [row for row in csv.reader(file) if row]
        except (OSError, UnicodeDecodeError, csv.Error):
            rows = []
        if not rows or any(len(row) < 2 or clip_name(row[1]) is None for row in rows):
            raise UserError(path, f"is not a list of labels; download it again from {SOURCE.labels_url}")
        labels |= {(match[1], row[0].removesuffix(".wav")): row[1] for row in rows}
    return labels
