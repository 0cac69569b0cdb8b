from __future__ import annotations

import socket
from pathlib import Path

import pytest

from edge.node.systemd_notify import SystemdNotifier


@pytest.mark.parametrize("abstract", [False, True])
def test_notifier_tells_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    address = f"@{tmp_path.name}" if abstract else str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + address[1:] if abstract else address)
        systemd.settimeout(5.0)
        notifier = SystemdNotifier()
        notifier.ready("listening")
        notifier.alive()
        notifier.alive()  # not due yet
        notifier.stopping()
        assert [systemd.recv(100) for _ in range(3)] == [b"READY=1\nSTATUS=listening", b"WATCHDOG=1", b"STOPPING=1"]


def test_notifier_without_systemd_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    SystemdNotifier().ready("listening")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    SystemdNotifier().ready("listening")


def test_notifier_watchdog_of_another_process_is_not_fed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        SystemdNotifier().alive()
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
