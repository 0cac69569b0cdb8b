"""The unit as systemd reads it: no unknown settings, a tight sandbox, and a service that is never given up."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).resolve().parents[1] / "systemd"
UNIT = SYSTEMD / "auscult.service"
MOST_EXPOSURE = 1.5


def analyze(*arguments: str | Path) -> str:
    """What systemd-analyze says, whatever its exit code."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed; sudo apt install systemd")
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60)
    if "Unknown command" in done.stderr or "unrecognized option" in done.stderr:
        pytest.skip(f"this systemd-analyze is too old: {done.stderr.strip()}")
    return done.stdout + done.stderr


def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    parser.read(UNIT, encoding="utf-8")
    return parser


def test_unit_sandbox_leaves_little_exposed() -> None:
    report = analyze("security", "--offline=true", "--no-pager", UNIT)
    match = re.search(r"Overall exposure level for auscult\.service: ([\d.]+)", report)
    assert match is not None, report
    assert float(match[1]) <= MOST_EXPOSURE, report


def test_unit_verified_lacks_nothing_but_the_installed_program(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8").replace("/opt/auscult/bin/auscult run", "/bin/true run")
    (tmp_path / UNIT.name).write_text(text, encoding="utf-8")
    said = analyze("verify", "--man=no", tmp_path / UNIT.name)
    assert [line for line in said.splitlines() if UNIT.name in line] == []


def test_unit_is_restarted_without_end() -> None:
    unit = settings()
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Service"]["Restart"] == "on-failure"
    assert int(unit["Service"]["RestartSec"]) >= 5


def test_unit_lets_the_daemon_reach_what_it_needs() -> None:
    service = settings()["Service"]
    assert service["SupplementaryGroups"] == "audio"
    assert service["DeviceAllow"] == "char-alsa rw"
    assert {"AF_INET", "AF_INET6", "AF_UNIX"} == set(service["RestrictAddressFamilies"].split())
    assert service["StateDirectory"] == "auscult"  # $STATE_DIRECTORY, where the outbox is


def test_restart_drop_in_is_put_in_place_and_taken_away() -> None:
    assert (SYSTEMD / "restart.conf").is_file()
    for script in ("install", "uninstall"):
        text = (SYSTEMD / script).read_text(encoding="utf-8")
        assert "/etc/systemd/system/auscult.service.d/restart.conf" in text
        subprocess.run(["bash", "-n", SYSTEMD / script], check=True, timeout=10)
