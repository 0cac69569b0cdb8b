"""The clocks of the daemon, and what each is for.

time.monotonic   timeouts, backoff and watchdogs: it does not jump, and stands still while the machine is suspended
now_s            when sound was heard: it does not jump either, but goes on through a suspension
time.time        stamps in messages, and nothing else: people and NTP set it
"""

from __future__ import annotations

import time

_BOOT_TIME = getattr(time, "CLOCK_BOOTTIME", None)  # Linux


def now_s() -> float:
    """Seconds since the machine was started, those in which it was suspended included."""
    return time.monotonic() if _BOOT_TIME is None else time.clock_gettime(_BOOT_TIME)


def suspended_s() -> float:
    """Seconds for which the computer has been suspended in all; 0 if the system does not report it."""
    return now_s() - time.monotonic()
