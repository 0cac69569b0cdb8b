"""MIMII: fans, pumps, sliders and valves by eight microphones, with the noise of a factory at 6, 0 and -6 dB.

Published     https://zenodo.org/records/3384388, "public 1.0": an archive for each kind and ratio (`6_dB_fan.zip`) that holds
              `fan/id_00/normal/00000000.wav` and `fan/id_00/abnormal/00000000.wav`; 10 s each, 16 kHz, 16 bit, 8 channels. The archives of
              the three ratios hold the same names, so a folder has to say the ratio: the archive's name (`6_dB_fan/`, `-6_dB_fan/`) or what
              the authors' baseline unzips into (`6dB/`, `0dB/`, `min6dB/`), above or below the kind.
Split         Purohit et al., "MIMII Dataset" (2019): all anomalous recordings are tested, and with them as many normal ones, drawn at
              random; the machine is learned from the other normal ones.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.datasets.manifest import Unit
from benchmarks.datasets.published import (
    ANOMALOUS,
    NORMAL,
    Machine,
    Parts,
    Published,
    Source,
    find_machines,
    notes_of,
    unit_of,
)
from edge.errors import UserError

SOURCE = Source("MIMII", "https://zenodo.org/records/3384388", "6_dB_fan/fan/id_00/normal/00000000.wav")
DATASET = "mimii"
KINDS = ("fan", "pump", "slider", "valve")
MACHINE_IDS = ("00", "02", "04", "06")
RATIOS = ("6_dB", "0_dB", "-6_dB")  # of machine to noise, as in the archives' names
PUBLISHED = tuple(Machine(kind, machine_id, ratio) for ratio in RATIOS for kind in KINDS for machine_id in MACHINE_IDS)

_LABELS = {"normal": NORMAL, "abnormal": ANOMALOUS}
_ID = re.compile(r"id_(\d\d)")
_NAME = re.compile(r"\d{8}")
_RATIO = re.compile(rf"(?P<db>0|6|(?P<minus>-|min|minus_?)6)_?dB(?:_(?P<kind>{'|'.join(KINDS)}))?", re.IGNORECASE)


def read_mimii(root: Path, *, channel: int = 0, seed: int = 0) -> Published:
    """Return one unit for each machine and ratio, such as `fan/id_00/6_dB`; its condition is the ratio.

    Parameters
    ----------
    root : the folder that the archives were unzipped into; a single archive's folder will do.
    channel : of the microphone array, to be heard. The authors' baseline hears 0.
    seed : of the draw of tested normal recordings. They are the same at every ratio.

    Raises
    ------
    UserError
        When nothing of it is there, a machine's folders do not say its ratio, or a recording is there twice.
    """
    found = find_machines(root, SOURCE, partial(_parse, root.resolve().parts[-3:], root))
    machines = sorted(found.machines, key=_order)
    return Published(
        units=tuple(_unit(machine, found.machines[machine], channel, seed) for machine in machines),
        notes=notes_of(root, SOURCE, found, (PUBLISHED,), _key),
    )


def _key(machine: Machine) -> str:
    return f"{machine.kind}/id_{machine.machine_id}/{machine.condition}"


def _order(machine: Machine) -> tuple[int, str, str]:
    return (RATIOS.index(machine.condition), machine.kind, machine.machine_id)


def _parse(above: Sequence[str], root: Path, path: Path) -> tuple[Machine, str] | None:
    """Read a path from its end; `above` are the last folders of the root, which may lie inside an archive."""
    *folders, machine_id, label, _ = ("", "", *above, *path.relative_to(root).parts)
    identified = _ID.fullmatch(machine_id)
    if label not in _LABELS or identified is None or not _NAME.fullmatch(path.stem):
        return None
    ratios = [match for folder in folders if (match := _RATIO.fullmatch(folder))]
    kinds = [folder for folder in folders if folder in KINDS] or [match["kind"].lower() for match in ratios if match["kind"]]
    if not kinds:
        return None
    if not ratios:
        raise UserError(
            path.parent.parent,
            f"no folder above it says the ratio to noise; unzip each archive into a folder of its name ({RATIOS[0]}_{kinds[-1]})",
        )
    ratio = ratios[-1]
    return Machine(kinds[-1], identified[1], "-6_dB" if ratio["minus"] else f"{ratio['db']}_dB"), _LABELS[label]


def _unit(machine: Machine, parts: Parts, channel: int, seed: int) -> Unit:
    name = f"{machine.kind}/id_{machine.machine_id}"
    normal, anomalous = parts.get(NORMAL, ()), parts.get(ANOMALOUS, ())
    # Half at most: in the whole dataset there are always more normal recordings, but an excerpt must leave something to learn from.
    tested = min(len(anomalous), len(normal) // 2)
    random = np.random.default_rng([seed, zlib.crc32(f"{DATASET}/{name}".encode())])
    held_out = set(random.permutation(len(normal))[:tested].tolist())
    return replace(
        unit_of(DATASET, name, machine, parts),
        key=_key(machine),
        fit=tuple(path for i, path in enumerate(normal) if i not in held_out),
        normal=tuple(path for i, path in enumerate(normal) if i in held_out),
        channel=channel,
    )
