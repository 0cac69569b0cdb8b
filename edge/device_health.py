"""What the device reports about itself, read from /proc and /sys. None where it reports nothing."""

from __future__ import annotations

import ctypes
import os
import shutil
from contextlib import suppress
from pathlib import Path

_THROTTLED = 0xF  # under-voltage, frequency capped, throttled, soft temperature limit
_THROTTLED_BEFORE = _THROTTLED << 16  # the same at some time since the board was started
_TIME_ERROR = 5  # adjtimex(2)
_SYNCHRONIZED = Path("run/systemd/timesync/synchronized")


def rss_mb(root: Path = Path("/")) -> float | None:
    """Resident memory of this process in megabytes (10^6 bytes)."""
    try:
        pages = int((root / "proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def temperature_c(root: Path = Path("/")) -> float | None:
    """The hottest thermal zone, in degrees Celsius."""
    hottest: float | None = None
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*/temp")):
        with suppress(OSError, ValueError):  # Jetson has zones that cannot be read while their unit is powered down
            celsius = int(zone.read_text()) / 1000.0
            if -40.0 < celsius < 150.0:
                hottest = celsius if hottest is None else max(hottest, celsius)
    return hottest


def throttled(root: Path = Path("/")) -> bool | None:
    """Whether a Raspberry Pi runs slower than it could, for lack of power or for heat."""
    bits = _throttled_bits(root)
    return None if bits is None else bool(bits & _THROTTLED)


def throttled_before(root: Path = Path("/")) -> bool | None:
    """Whether it did at some time since it was started; a supply that is too weak shows at a peak of load only."""
    bits = _throttled_bits(root)
    return None if bits is None else bool(bits & _THROTTLED_BEFORE)


def _throttled_bits(root: Path) -> int | None:
    # Up to the Pi 4 it is soc/soc:firmware, later soc@107c000000/soc@107c000000:firmware.
    for path in (root / "sys/devices/platform").glob("soc*/soc*:firmware/get_throttled"):
        with suppress(OSError, ValueError):
            return int(path.read_text().strip(), 16)
    return None


def disk_free_fraction(path: Path) -> float | None:
    """Free part of the file system that holds `path`, as far as this user may fill it."""
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return None
    return usage.free / usage.total if usage.total else None


class _Timex(ctypes.Structure):
    # Only as much of struct timex as is read, then room for the rest: the kernel writes all of it.
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def clock_synced(root: Path = Path("/")) -> bool | None:
    """Whether the wall clock is synchronised by NTP or similar: according to the kernel, else according to systemd-timesyncd."""
    with suppress(OSError, AttributeError):
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(_Timex()))
        if state >= 0:
            return bool(state != _TIME_ERROR)
    return True if (root / _SYNCHRONIZED).exists() else None
