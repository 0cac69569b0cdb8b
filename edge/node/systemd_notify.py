"""Tells systemd that the daemon is ready and alive (sd_notify(3)); silent where there is no systemd."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress


class SystemdNotifier:
    """Sends datagrams to `NOTIFY_SOCKET`; keeps the watchdog content when `WATCHDOG_USEC` asks for it."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address  # @ is how an abstract socket is written
        for_us = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = os.environ.get("WATCHDOG_USEC", "") if for_us else ""
        # Half the time allowed, as sd_watchdog_enabled(3) recommends.
        self._interval_s = int(microseconds) / 2e6 if microseconds.isdigit() else 0.0
        self._fed_s = 0.0

    def ready(self, status: str) -> None:
        """Start-up is complete; `status` is shown by `systemctl status`."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` ends it."""
        # The time shows systemd which of two reloads is over (Type=notify-reload, from systemd 253 on); earlier ones ignore it.
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def alive(self) -> None:
        """Feed the watchdog when it is due; cheap enough to call in every round."""
        now_s = time.monotonic()
        if self._interval_s and now_s - self._fed_s >= self._interval_s:
            self._fed_s = now_s
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Shutting down has begun."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # A daemon must not fall because systemd does not listen.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
            notify.setblocking(False)
            notify.sendto(text.encode(), self._address)
