"""The device itself: its clock, its temperature and power, and the disk on which events wait."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edge.doctor.finding import Finding, fail, ok, warn
from edge.node import device_health

HOT_C = 75.0  # a Raspberry Pi slows down at 80
LEAST_FREE_BYTES = 16_000_000  # for SQLite's file and its journal, with a few thousand events


def check_clock(root: Path = Path("/")) -> Finding:
    """Whether the times that alerts carry are right."""
    synced = device_health.clock_synced(root)
    if synced:
        return ok("clock", "synchronised")
    remedy = "alerts would carry a wrong time: see `timedatectl`, and `sudo timedatectl set-ntp true`"
    if synced is None:
        return warn("clock", "nobody here says whether it is synchronised", remedy)
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
    check = "outbox"
    if path.is_dir():
        return fail(check, f"{path} is a folder", "name a file in outbox.path")
    folder = next((parent for parent in path.parents if parent.exists()), Path("/"))
    if not folder.is_dir():
        return fail(check, f"{folder} is not a folder", "name a file in a folder in outbox.path")
    may_write = os.access(folder, os.W_OK | os.X_OK) and (not path.exists() or os.access(path, os.W_OK))
    if not may_write:
        return fail(
            check,
            f"{path} cannot be written by this user",
            "ask as the service's user (sudo -u auscult auscult doctor ...), or set outbox.path",
        )
    free = shutil.disk_usage(folder).free
    told = f"{path}: {free / 1e6:.0f} MB free"
    if free < LEAST_FREE_BYTES:
        return fail(check, told, "make room on that disk: events would wait in memory only")
    if free < capacity_mb * 1e6:
        return warn(check, f"{told}, outbox.capacity_mb is {capacity_mb:g}", "make room, or lower outbox.capacity_mb")
    return ok(check, told)
