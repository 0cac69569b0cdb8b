"""The unit as systemd reads it: no unknown settings, a tight sandbox, and a service that is never given up."""

from __future__ import annotations

import configparser
import fnmatch
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from edge.node.progress import ROUND_S

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


def test_unit_of_the_dashboard_is_known_to_systemd_and_as_tight(tmp_path: Path) -> None:
    unit = SYSTEMD / "auscult-dashboard.service"
    report = analyze("security", "--offline=true", "--no-pager", unit)
    match = re.search(r"Overall exposure level for auscult-dashboard\.service: ([\d.]+)", report)
    assert match is not None, report
    assert float(match[1]) <= MOST_EXPOSURE, report
    text = unit.read_text(encoding="utf-8").replace("/opt/auscult/bin/auscult dashboard", "/bin/true dashboard")
    (tmp_path / unit.name).write_text(text, encoding="utf-8")
    said = analyze("verify", "--man=no", tmp_path / unit.name)
    assert [line for line in said.splitlines() if unit.name in line] == []


def test_unit_is_restarted_without_end() -> None:
    unit = settings()
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Service"]["Restart"] == "on-failure"
    assert int(unit["Service"]["RestartSec"]) >= 5


def test_unit_leaves_the_device_memory_and_is_started_again_when_it_wants_more() -> None:
    service = settings()["Service"]
    assert 50 <= int(service["MemoryMax"].removesuffix("%")) <= 80
    assert "OOMPolicy" not in service  # systemd's own, stop, counts as a failure


def test_unit_lets_the_daemon_reach_what_it_needs() -> None:
    service = settings()["Service"]
    assert service["SupplementaryGroups"] == "audio"
    assert service["DeviceAllow"] == "char-alsa rw"
    assert {"AF_INET", "AF_INET6", "AF_UNIX"} == set(service["RestrictAddressFamilies"].split())
    assert service["StateDirectory"] == "auscult"  # $STATE_DIRECTORY, where the outbox is
    assert (service["RuntimeDirectory"], service["RuntimeDirectoryPreserve"]) == ("auscult", "yes")  # with its mark, over a restart


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system without Auscult's user, to which systemd has added it."""
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("systemd-sysusers is not installed; sudo apt install systemd")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "group").write_text("audio:x:29:\n", encoding="utf-8")
    said = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", SYSTEMD / "sysusers.conf"], capture_output=True, text=True, check=True, timeout=30
    )
    assert "Failed" not in said.stderr
    return tmp_path


def entry(root: Path, database: str, name: str) -> list[str]:
    """A line of /etc/passwd or /etc/group, in its parts."""
    lines = (root / "etc" / database).read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name}:")]
    return line.split(":")


def test_sysusers_makes_a_user_that_hears_and_cannot_log_in(root: Path) -> None:
    *_, home, shell = entry(root, "passwd", "auscult")
    assert (home, shell.endswith("nologin")) == ("/var/lib/auscult", True)
    assert entry(root, "group", "audio") == ["audio", "x", "29", "auscult"]
    assert settings()["Service"]["User"] == settings()["Service"]["Group"] == "auscult"


def test_tmpfiles_makes_the_folder_of_that_user_and_spares_what_is_in_it(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    folder = root / "var" / "lib" / "auscult"
    for _ in range(2):
        subprocess.run(["systemd-tmpfiles", f"--root={root}", "--create", "--clean", SYSTEMD / "tmpfiles.conf"], check=True, timeout=30)
        assert (str(folder.stat().st_uid), stat.S_IMODE(folder.stat().st_mode)) == (entry(root, "passwd", "auscult")[2], 0o700)
        (folder / "pump1.auscult").touch()
        os.utime(folder / "pump1.auscult", (0, 0))
    assert (folder / "pump1.auscult").exists()
    assert int(settings()["Service"]["StateDirectoryMode"], 8) == 0o700


@pytest.mark.parametrize(
    ("interfaces", "is_sound"),
    [(":010100:010200:030000:", True), (":0e0100:0e0200:010100:010200:", True), (":030101:030102:", False), (":080650:", False)],
)
def test_udev_rule_keeps_awake_what_has_a_sound_interface(interfaces: str, is_sound: bool) -> None:
    (rule,) = [line for line in (SYSTEMD / "udev.rules").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    match = re.search(r'ENV\{ID_USB_INTERFACES\}=="([^"]+)"', rule)
    assert match is not None
    assert fnmatch.fnmatchcase(interfaces, match[1]) == is_sound
    assert rule.endswith('TEST=="power/control", ATTR{power/control}="on"')


def test_udev_rule_is_what_udev_reads() -> None:
    if shutil.which("udevadm") is None:
        pytest.skip("udevadm is not installed; sudo apt install udev")
    done = subprocess.run(["udevadm", "verify", SYSTEMD / "udev.rules"], capture_output=True, text=True, timeout=30)
    if "Unknown command" in done.stderr:
        pytest.skip(f"this udevadm is too old: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_uninstall_takes_away_every_file_that_install_puts_in_place() -> None:
    installed = re.findall(r"^ *install (?:-D )?-m 0644 \S+ (\S+)$", (SYSTEMD / "install").read_text(encoding="utf-8"), re.MULTILINE)
    assert {Path(path).parent.name for path in installed} >= {"system", "sysusers.d", "tmpfiles.d", "rules.d"}
    uninstall = (SYSTEMD / "uninstall").read_text(encoding="utf-8")
    assert [path for path in installed if path not in uninstall] == []


def test_unit_reloads_by_the_signal_that_the_daemon_takes_and_is_watched() -> None:
    service = settings()["Service"]
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["Type"] == "notify"  # notify-reload needs systemd 253, and JetPack 6 has 249
    assert float(service["WatchdogSec"]) >= 2 * ROUND_S  # what stands still is told before systemd acts


def test_restart_drop_in_is_put_in_place_and_taken_away() -> None:
    assert (SYSTEMD / "restart.conf").is_file()
    for script in ("install", "uninstall"):
        text = (SYSTEMD / script).read_text(encoding="utf-8")
        assert "/etc/systemd/system/auscult.service.d/restart.conf" in text
        subprocess.run(["bash", "-n", SYSTEMD / script], check=True, timeout=10)
