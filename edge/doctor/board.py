"""The device itself: its clock, its temperature and power, and the disk on which events wait and clips are kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edge import device_health
from edge.doctor.finding import Finding, fail, ok, warn

HOT_C = 75.0  # a Raspberry Pi slows down at 80
LEAST_FREE_BYTES = 16_000_000  # for SQLite's file and its journal, with a few thousand events


def check_clock(root: Path = Path("/")) -> Finding:
    """Whether the times that alerts carry are right."""
    synced = device_health.clock_synced(root)
    if synced:
        return ok("clock", "synchronised")
    remedy = "alerts would carry a wrong time: see `timedatectl`, and `sudo timedatectl set-ntp true`"
    if synced is None:
        return warn("clock", "this system does not say whether it is synchronised", remedy)
    return warn("clock", "not synchronised", remedy)


def check_temperature(root: Path = Path("/")) -> Finding:
    """Whether the board is slowed down, or soon will be."""
    celsius, throttled = device_health.temperature_c(root), device_health.throttled(root)
    told = "no sensor" if celsius is None else f"{celsius:.0f} °C"
    if throttled:
        return warn("temperature", f"{told}; the board is throttled", "use a stronger power supply and better cooling")
    if device_health.throttled_before(root):
        return warn("temperature", f"{told}; the board has been throttled since it was started", "is the power supply strong enough?")
    if celsius is not None and celsius >= HOT_C:
        return warn("temperature", f"{told} is hot", "cool it: a heat sink, a fan or a cooler place")
    return ok("temperature", told if throttled is None else f"{told}, not throttled")


def check_outbox(path: Path, capacity_mb: float) -> Finding:
    """Whether events can wait on disk: the folder can be written by this user, and has room."""
    if path.is_dir():
        return fail("outbox", f"{path} is a folder", "name a file in outbox.path")
    return _check_place("outbox", path, "outbox.path", capacity_mb, "events would wait in memory only")


def check_clips(folder: Path, capacity_mb: float) -> Finding:
    """Whether the sound of events can be kept, where it is to be: as for the outbox."""
    if folder.exists() and not folder.is_dir():
        return fail("clips", f"{folder} is not a folder", "name a folder in clips.folder")
    return _check_place("clips", folder, "clips.folder", capacity_mb, "clips would be lost")


def _check_place(check: str, path: Path, key: str, capacity_mb: float, otherwise: str) -> Finding:
    """Whether this user can write what `path` is, or will be, and how much room there is for it."""
    start = path if path.is_dir() else path.parent
    folder = next((parent for parent in (start, *start.parents) if parent.exists()), Path("/"))
    if not folder.is_dir():
        return fail(check, f"{folder} is not a folder", f"name another place in {key}")
    if not (os.access(folder, os.W_OK | os.X_OK) and (not path.exists() or os.access(path, os.W_OK))):
        remedy = f"run it as the service's user (sudo -u auscult auscult doctor ...), or set {key}"
        return fail(check, f"{path} cannot be written by this user", remedy)
    free = shutil.disk_usage(folder).free
    told = f"{path}: {free / 1e6:.0f} MB free"
    if free < LEAST_FREE_BYTES:
        return fail(check, told, f"make room on that disk: {otherwise}")
    if free < capacity_mb * 1e6:
        return warn(check, f"{told}, {check}.capacity_mb is {capacity_mb:g}", f"make room, or lower {check}.capacity_mb")
    return ok(check, told)
