"""DCASE 2020 task 2: MIMII at mixed ratios in one channel, and two toys.

Published     Three parts, one archive for each kind of machine, 10 s each, 16 kHz, 16 bit, one channel:
              development, https://zenodo.org/records/3678171: `fan/train/normal_id_00_00000000.wav` to learn from and
              `fan/test/{normal,anomaly}_id_00_00000000.wav`;
              additional training, https://zenodo.org/records/3727685: `fan/train/normal_id_01_00000000.wav`, of other machines;
              evaluation, https://zenodo.org/records/3841772: `fan/test/id_01_00000000.wav`, of those machines, without labels. The labels
              were published after the challenge as `eval_data_list.csv`, https://zenodo.org/records/3951620.
              The baseline puts the first into `dev_data/` and the others into `eval_data/`; no two machines of a kind share a number, so
              any folders do.
Split         The published one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from benchmarks.datasets.published import (
    ANOMALOUS,
    FIT,
    NORMAL,
    UNLABELLED,
    Machine,
    Published,
    Source,
    find_machines,
    kind_and_folder,
    notes_of,
    unit_of,
)
from edge.errors import UserError

SOURCE = Source(
    name="DCASE 2020 task 2",
    url="https://zenodo.org/records/3678171",
    example="fan/train/normal_id_00_00000000.wav",
    labels="eval_data_list.csv",
    labels_url="https://zenodo.org/records/3951620",
)
DATASET = "dcase2020"
DEVELOPMENT, EVALUATION = "development", "evaluation"
MACHINE_IDS: dict[str, dict[str, tuple[str, ...]]] = {
    DEVELOPMENT: {
        "ToyCar": ("01", "02", "03", "04"),
        "ToyConveyor": ("01", "02", "03"),
        **{kind: ("00", "02", "04", "06") for kind in ("fan", "pump", "slider", "valve")},
    },
    EVALUATION: {
        "ToyCar": ("05", "06", "07"),
        "ToyConveyor": ("04", "05", "06"),
        **{kind: ("01", "03", "05") for kind in ("fan", "pump", "slider", "valve")},
    },
}

PUBLISHED = {
    part: tuple(Machine(kind, machine_id, part) for kind, ids in kinds.items() for machine_id in ids) for part, kinds in MACHINE_IDS.items()
}
_ALL = {(machine.kind, machine.machine_id): machine for machines in PUBLISHED.values() for machine in machines}
_NAME = re.compile(r"(?:(normal|anomaly)_)?id_(\d\d)_\d{8}")
_LABELS = {"normal": NORMAL, "anomaly": ANOMALOUS, None: UNLABELLED}

Labels = Mapping[tuple[str, str], str]  # (kind, name without suffix) -> part


def read_dcase2020(root: Path) -> Published:
    """Return one unit for each machine, such as `fan/id_00`; its condition is the part of the challenge, `development` or `evaluation`.

    Raises
    ------
    UserError
        When nothing of it is there, a recording is there twice, or the list of labels is damaged.
    """
    found = find_machines(root, SOURCE, partial(_parse, root, _read_labels(root)))
    machines = [machine for machine in _ALL.values() if machine in found.machines]
    return Published(
        units=tuple(unit_of(DATASET, _name(machine), machine, found.machines[machine]) for machine in machines),
        notes=notes_of(root, SOURCE, found, tuple(PUBLISHED.values()), _name),
    )


def _name(machine: Machine) -> str:
    return f"{machine.kind}/id_{machine.machine_id}"


def _parse(root: Path, labels: Labels, path: Path) -> tuple[Machine, str] | None:
    kind, folder = kind_and_folder(root, path)
    match = _NAME.fullmatch(path.stem)
    machine = _ALL.get((kind, match[2])) if match else None
    if match is None or machine is None:
        return None
    if folder == "train" and match[1] == "normal":
        return machine, FIT
    if folder == "test":
        return machine, labels.get((kind, path.stem), _LABELS[match[1]])
    return None


def _read_labels(root: Path) -> Labels:
    """Read the list of labels, wherever it lies: a line with a kind of machine, then `name, name before the challenge, 0 or 1` for each."""
    labels: dict[tuple[str, str], str] = {}
    for path in sorted(root.rglob(SOURCE.labels)):
        kind = ""
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                for row in csv.reader(file):
                    if len(row) == 1:
                        kind = row[0].strip()
                    elif row:
                        labels[kind, Path(row[0].strip()).stem] = (NORMAL, ANOMALOUS)[("0", "1").index(row[2].strip())]
        except (OSError, UnicodeDecodeError, csv.Error, IndexError, ValueError):
            raise UserError(path, f"is not the list of labels; download it again from {SOURCE.labels_url}") from None
    return labels
