"""The archive for whoever helps: everything useful, and nothing secret."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge.console.cli import run_command
from edge.doctor import sandbox, support
from edge.doctor.finding import fail, ok
from edge.doctor.support import support_parts, write_archive
from edge.errors import UserError
from tests.broker import HOST, MakeBroker
from tests.bundles import CalibratedMachine

LOGIN = "user-MARKER"
PASSWORD = "password-MARKER"
KEY = "/etc/key-MARKER.pem"


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal whose lines hold what they should not."""
    monkeypatch.setattr(sandbox, "UNIT", tmp_path / "auscult.service")
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'auscult[1]: {LOGIN} logged in with {PASSWORD} and {KEY}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def write_config(folder: Path, port: int, bundle: Path, extra: str = "") -> Path:
    (folder / "mqtt-MARKER").write_text(PASSWORD, encoding="utf-8")
    (folder / "mqtt-MARKER").chmod(0o600)
    path = folder / "config.yaml"
    path.write_text(
        f"node: n\nmqtt: {{host: {HOST}, port: {port}, username: {LOGIN}, password_file: mqtt-MARKER{extra}}} # comment-MARKER\n"
        f"outbox: {{path: {folder}/outbox.sqlite, capacity_mb: 1}}\n"
        f"sources: {{pump1: {{bundle: {bundle}, files: {{paths: [{folder}]}}}}}}\n",
        encoding="utf-8",
    )
    return path


def contents(path: Path) -> Mapping[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def doctor(*arguments: str) -> int:
    return run_command("edge.commands.doctor", "auscult doctor", arguments)


def test_doctor_support_holds_what_helps_and_no_secret(
    make_broker: MakeBroker, machine: CalibratedMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = make_broker(users={LOGIN: PASSWORD})
    config = write_config(tmp_path, broker.port, machine.bundle, f", tls: {{enabled: false, cert_file: c-MARKER, key_file: {KEY}}}")
    health = ("-u", LOGIN, "-P", PASSWORD, "-r", "-t", "auscult/n/health", "-m", '{"temperature_c": 48.5}')
    subprocess.run(["mosquitto_pub", "-h", HOST, "-p", str(broker.port), *health], check=True, timeout=10)
    archive = tmp_path / "support.zip"
    doctor("--config", str(config), "--support", str(archive), "--yes")
    found = contents(archive)
    assert sorted(found) == ["bundles/pump1.json", "config.json", "doctor.txt", "health.txt", "log.txt", "versions.txt"]
    assert json.loads(found["bundles/pump1.json"])["detector"]
    assert found["health.txt"] == 'auscult/n/health {"temperature_c": 48.5}\n'
    assert found["log.txt"] == "auscult[1]: (withheld) logged in with (withheld) and (withheld)\n"
    assert f"logged in as {LOGIN}" in capsys.readouterr().out
    assert "MARKER" not in "".join(found.values())
    assert b"MARKER" not in archive.read_bytes()
    assert archive.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("extra", [", password: inline-MARKER", ", tls: {key_file: [", ", port: key-MARKER"])
def test_doctor_support_of_a_wrong_configuration_says_what_is_missing(tmp_path: Path, extra: str) -> None:
    config, archive = write_config(tmp_path, 1, tmp_path / "none.auscult", extra), tmp_path / "support.zip"
    assert doctor("--config", str(config), "--support", str(archive), "--yes") == 1
    found = contents(archive)
    assert "health.txt: " in found["missing.txt"]
    assert "FAIL  config" in found["doctor.txt"]
    assert LOGIN not in "".join(found.values())
    assert PASSWORD not in "".join(found.values())
    assert "inline-MARKER" not in "".join(found.values())


def test_doctor_support_without_configuration_bundle_broker_or_journal_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    archive = tmp_path / "support.zip"
    assert doctor("--config", str(tmp_path / "none.yaml"), "--support", str(archive), "--yes") == 1
    found = contents(archive)
    assert sorted(found) == ["doctor.txt", "missing.txt", "versions.txt"]
    assert [line.partition(":")[0] for line in found["missing.txt"].splitlines()] == ["config.json", "health.txt", "log.txt"]
    assert "journalctl: is not installed" in found["missing.txt"]


@pytest.mark.parametrize(("answer", "is_written"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_doctor_support_on_a_terminal_shows_what_it_writes_and_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, is_written: bool
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return answer

    monkeypatch.setattr(sys, "stdin", Terminal())
    archive = tmp_path / "support.zip"
    doctor("--config", str(tmp_path / "none.yaml"), "--support", str(archive))
    printed = capsys.readouterr().err
    assert archive.exists() is is_written
    assert f"Write {archive}? [y/N]" in printed
    assert "  doctor.txt\n" in printed
    assert ("Nothing was written." in printed) is not is_written


def test_doctor_support_without_a_terminal_wants_yes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("--support", str(tmp_path / "support.zip")) == 2
    printed = capsys.readouterr()
    assert printed == ("", "auscult: --support: asks before it writes, but standard input is not a terminal; add --yes\n")


def test_doctor_support_writes_over_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.zip").write_text("mine", encoding="utf-8")
    for path, problem in ((tmp_path / "mine.zip", "already exists"), (tmp_path / "none" / "a.zip", "no folder that you may write to")):
        assert doctor("--support", str(path), "--yes") == 2
        assert problem in capsys.readouterr().err
    assert (tmp_path / "mine.zip").read_text(encoding="utf-8") == "mine"


def test_support_parts_of_a_part_that_fails_are_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(support, "_versions", broken)
    parts = {
        part.name: part.content
        for part in support_parts(tmp_path / "none.yaml", [ok("clock", "right"), fail("broker", "away", "start it")])
    }
    assert parts["doctor.txt"] == "OK    clock  right\nFAIL  broker  away; start it\n"
    assert "versions.txt: ZeroDivisionError: of ours\n" in parts["missing.txt"]


def test_write_archive_on_a_name_that_is_taken_raises(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="already exists"):
        write_archive(tmp_path, [])
