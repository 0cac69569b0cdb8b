"""A fleet: many machines, each calibrated from its own recordings into its own bundle, here or on the workers of a cluster.

    bundles/pump1.auscult
    bundles/pump2.auscult
    bundles/fleet.json      from which recordings, with which settings; a bundle that would come out the same is not made again

A worker hands its bundle back and this process alone writes it: in one go, and however often a worker had to begin again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from calibrate.calibration import Calibration, calibrate, check_output
from calibrate.cluster import Failure, run_each
from calibrate.settings import CalibrationSettings
from edge.atomic_file import SHARED, replacing
from edge.bundles.bundle import signed
from edge.bundles.signature import SigningKey
from edge.errors import BundleError, UserError
from edge.version import VERSION

RECORD = "fleet.json"
SUFFIX = ".auscult"
_RECORD_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Unit:
    """One machine: what to learn from, and how."""

    name: str
    line: int  # of the manifest
    recordings: tuple[Path, ...]  # files, absolute
    settings: CalibrationSettings


@dataclass(frozen=True, slots=True)
class FleetBundle:
    """A unit's bundle."""

    unit: str
    bundle: Path
    sha256: str  # of the file
    skipped: bool  # it was there, made from the same recordings with the same settings
    recordings: int
    seconds: float  # of sound
    dropped: tuple[str, ...]
    warnings: tuple[str, ...]  # about recordings and threshold, one line each


class FleetRecord(msgspec.Struct):
    """`fleet.json`: how the bundles beside it came to be."""

    schema: int = _RECORD_SCHEMA
    made_from: dict[str, str] = {}  # unit -> digest of its recordings and settings
    bundles: dict[str, FleetBundle] = {}


def calibrate_fleet(
    units: Sequence[Unit], folder: Path, cluster: str | None = None, *, anew: bool = False, key: SigningKey | None = None
) -> Generator[tuple[Unit, FleetBundle | Failure], None, None]:
    """Calibrate every unit; one that fails does not stop the others.

    Parameters
    ----------
    units
        With different names. `settings.created_at` should be one moment for all: bundles are then the same bit for bit wherever they are
        made, on processors of one kind.
    folder
        For the bundles; made when it is missing.
    cluster
        As `calibrate.cluster.run_each` takes it. Its workers see recordings and backbones under the same paths.
    anew
        Make bundles again that were made from the same recordings (paths, sizes, times) with the same settings.
    key
        Whose signature the bundles shall bear. It never leaves this process: workers hand back unsigned bundles.

    Yields
    ------
    A unit and its bundle, which is on disk then, or why there is none: first those that are skipped, then the others as they are done.

    Raises
    ------
    UserError
        Before the work: the folder or a bundle in it cannot be written, or the cluster cannot be used.
    """
    check_folder(units, folder)
    record = _read_record(folder)
    made_from = {unit.name: _made_from(unit, key) for unit in units}
    missing = []
    for unit in units:
        known = None if anew else _known(record, folder, unit, made_from[unit.name])
        if known is None:
            missing.append(unit)
        else:
            yield unit, known
    check = partial(_invisible, _samples_of(missing))
    with closing(run_each(_fit, missing, cluster, label="calibrating the fleet", check=check)) as work:
        for index, done in work:
            unit = missing[index]
            if isinstance(done, Failure):
                yield unit, done
                continue
            bundle = _write(unit, folder, *done, key)
            record.made_from[unit.name], record.bundles[unit.name] = made_from[unit.name], bundle
            with replacing(folder / RECORD, SHARED) as file:
                file.write(msgspec.json.format(msgspec.json.encode(record, enc_hook=str), indent=1))
            yield unit, bundle


def check_folder(units: Sequence[Unit], folder: Path) -> None:
    """Make the folder, and refuse what could not be written in the end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(folder, f"cannot be made: {error.strerror}; give --output-dir another name") from error
    for unit in units:
        try:
            check_output(folder / f"{unit.name}{SUFFIX}")
        except BundleError as error:
            raise BundleError(error.subject, error.problem.replace("--output ", "--output-dir ")) from error


def _fit(unit: Unit) -> tuple[Calibration, bytes]:
    """On a worker, or here: a unit's calibration and its bundle."""
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        calibration = calibrate(list(unit.recordings), Path(folder) / f"{unit.name}{SUFFIX}", unit.settings)
        return calibration, calibration.bundle.read_bytes()


def _write(unit: Unit, folder: Path, calibration: Calibration, content: bytes, key: SigningKey | None) -> FleetBundle:
    path = folder / f"{unit.name}{SUFFIX}"
    if key is not None:
        content = signed(content, key)
    try:
        with replacing(path, SHARED) as file:
            file.write(content)
    except OSError as error:
        raise BundleError(path, f"cannot be written: {error.strerror or error}") from error
    return FleetBundle(
        unit=unit.name,
        bundle=path,
        sha256=hashlib.sha256(content).hexdigest(),
        skipped=False,
        recordings=calibration.recordings,
        seconds=calibration.seconds,
        dropped=calibration.dropped,
        warnings=(*calibration.warnings, *filter(None, [calibration.threshold_note])),
    )


def _known(record: FleetRecord, folder: Path, unit: Unit, made_from: str) -> FleetBundle | None:
    """The bundle that is there, if it would come out the same and nobody touched it since."""
    path = folder / f"{unit.name}{SUFFIX}"
    bundle = record.bundles.get(unit.name)
    if bundle is None or record.made_from.get(unit.name) != made_from or not path.is_file():
        return None
    if hashlib.sha256(path.read_bytes()).hexdigest() != bundle.sha256:
        return None
    return replace(bundle, bundle=path, skipped=True)


def _read_record(folder: Path) -> FleetRecord:
    """What is known of the bundles in the folder; nothing, when there is no record that this version reads."""
    try:
        record = msgspec.json.decode((folder / RECORD).read_bytes(), type=FleetRecord, dec_hook=_decode)
    except (OSError, msgspec.DecodeError):
        return FleetRecord()
    return record if record.schema == _RECORD_SCHEMA else FleetRecord()


def _decode(kind: type, value: Any) -> Any:
    return kind(value)


def _made_from(unit: Unit, key: SigningKey | None) -> str:
    """Digest of all that a bundle depends on, but the moment; of recordings the path, size and time, as `make` and `rsync` do."""
    settings: Mapping[str, object] = msgspec.to_builtins(replace(unit.settings, created_at=None), enc_hook=str)
    known: dict[str, object] = {
        "auscult": VERSION,
        "detector": unit.settings.fitting.detector,
        "settings": settings,
        "files": [_trace(path) for path in (*unit.recordings, *_backbone_files(unit.settings))],
    }
    if key is not None:
        known["signed_by"] = key.fingerprint
    return hashlib.sha256(msgspec.json.encode(known, order="sorted")).hexdigest()


def _trace(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return os.fsencode(path).decode(errors="backslashreplace"), status.st_size, status.st_mtime_ns


def _backbone_files(settings: CalibrationSettings) -> tuple[Path, ...]:
    path = Path(settings.backbone or settings.fitting.backbone)
    return (path, path.with_suffix(".json")) if path.suffix == ".onnx" else ()


def _samples_of(units: Sequence[Unit]) -> tuple[Path, ...]:
    """One recording of each unit, and each backbone: enough to tell whether a worker sees the folders that we see."""
    return tuple(dict.fromkeys(path for unit in units for path in (unit.recordings[0], *_backbone_files(unit.settings))))


def _invisible(paths: Sequence[Path]) -> str | None:
    """On a worker: which of the files it does not see."""
    lost = [path for path in paths if not os.access(path, os.R_OK)]
    if not lost:
        return None
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return f"cannot read {lost[0]}{more}; share that folder with it under the same path"
