"""A container's health check: waits for the sign of life that the daemon would send to systemd's watchdog (sd_notify(3)).

The daemon sends it only while capture, inference and publishing each get on, so a broker that is away makes no node unhealthy.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path


def is_alive(address: Path, wait_s: float) -> bool:
    """Whether the sign comes within that time. The socket is there only while somebody asks."""
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.settimeout(wait_s)
        try:
            while b"WATCHDOG=1" not in listener.recv(4096).splitlines():
                pass
        except TimeoutError:
            return False
        finally:
            address.unlink(missing_ok=True)
    return True


if __name__ == "__main__":
    interval_s = int(os.environ["WATCHDOG_USEC"]) / 1e6
    if not is_alive(Path(os.environ["NOTIFY_SOCKET"]), 1.5 * interval_s):
        sys.exit("auscult: the daemon has given no sign of life; see its log")
