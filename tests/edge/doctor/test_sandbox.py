"""The unit that we ship, put where systemd/install puts it, with the drop-ins that a technician may add."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from edge.config.schema import BundlesConfig, ClipsConfig, Config, FilesConfig, MqttConfig, OutboxConfig, SourceConfig, TlsConfig, UrlConfig
from edge.doctor import sandbox
from edge.doctor.finding import Finding
from edge.doctor.sandbox import Sandbox, check_sandbox, take_state_folder

SHIPPED = Path(__file__).resolve().parents[3] / "systemd" / "auscult.service"
STATE = "/var/lib/auscult"


@pytest.fixture(autouse=True)
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installed unit."""
    path = tmp_path / "system" / "auscult.service"
    path.parent.mkdir()
    shutil.copy(SHIPPED, path)
    monkeypatch.setattr(sandbox, "UNIT_FOLDERS", (path.parent, tmp_path / "package"))
    return path


def drop_in(unit: Path, text: str) -> None:
    folder = unit.with_name("auscult.service.d")
    folder.mkdir(exist_ok=True)
    (folder / "override.conf").write_text(f"[Service]\n{text}\n", encoding="utf-8")


def check(
    bundle: str = f"{STATE}/pump1.auscult",
    recording: str = f"{STATE}/recordings",
    key: str = "/etc/auscult/trusted.pem",
    outbox: str | None = None,
    clips: str | None = None,
    login: str | None = None,
) -> Finding:
    """With a configuration that was loaded; the paths need not be there."""
    return check_sandbox(
        Config(
            node="n",
            mqtt=MqttConfig(host="h", tls=TlsConfig()),
            sources={
                "s": SourceConfig(bundle=Path(bundle), files=FilesConfig(paths=(Path(recording),))),
                "camera": SourceConfig(bundle=Path(bundle), url=UrlConfig(address="rtsp://c/", credentials_file=Path(login or "/etc/c"))),
            },
            bundles=BundlesConfig(trusted_keys=(Path(key),)),
            outbox=OutboxConfig(path=Path(outbox) if outbox else None),
            clips=ClipsConfig(enabled=clips is not None, folder=Path(clips) if clips else None),
        )
    )


def test_sandbox_of_the_shipped_unit_reaches_its_own_folder_and_etc() -> None:
    finding = check(outbox=f"{STATE}/o.sqlite")
    assert (finding.verdict, finding.check) == ("OK", "sandbox")
    assert finding.found.endswith("writes to /var/lib/auscult")


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("sources.s.bundle", {"bundle": "/home/pi/pump1.auscult"}),
        ("sources.s.bundle", {"bundle": "/tmp/pump1.auscult"}),
        ("sources.s.files.paths", {"recording": "/root/recordings"}),
        ("bundles.trusted_keys", {"key": "/home/pi/trusted.pem"}),
        ("sources.camera.url.credentials_file", {"login": "/home/pi/camera"}),
    ],
)
def test_sandbox_that_hides_a_file_fails_and_names_its_key(key: str, changes: dict[str, str]) -> None:
    finding = check(**changes)
    assert finding.verdict == "FAIL"
    assert f"({key})" in finding.found
    assert "/var/lib/auscult" in finding.remedy


def test_sandbox_follows_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/home/pi/pump1.auscult")
    assert "(sources.s.bundle)" in check(bundle=str(tmp_path / "link")).found


@pytest.mark.parametrize("place", [{"outbox": "/data/o.sqlite"}, {"clips": "/data/clips"}])
def test_sandbox_that_forbids_writing_fails_until_it_is_opened(unit: Path, place: dict[str, str]) -> None:
    finding = check(**place)
    assert finding.verdict == "FAIL"
    assert "ReadWritePaths=/data" in finding.remedy
    drop_in(unit, "ReadWritePaths=-/data")
    assert check(**place).verdict == "OK"


def test_sandbox_when_a_drop_in_shows_a_home_reaches_that_folder_only(unit: Path) -> None:
    drop_in(unit, "BindReadOnlyPaths=/home/pi/machines:/home/pi/machines:norbind")
    assert check(bundle="/home/pi/machines/pump1.auscult").verdict == "OK"
    assert check(bundle="/home/pi/other/pump1.auscult").verdict == "FAIL"


def test_sandbox_settings_that_a_drop_in_takes_back_are_off(unit: Path) -> None:
    drop_in(unit, "ProtectHome=no\nPrivateTmp=no\nProtectSystem=full\nStateDirectory=\nStateDirectory=listener")
    found = Sandbox.of([unit.parent])
    assert found.state == (Path("/var/lib/listener"),)
    assert found.hidden == ()
    assert found.may_write(Path("/data/o.sqlite"))


def test_state_folder_is_taken_by_the_services_user_only(unit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "")
    monkeypatch.delenv("STATE_DIRECTORY")  # restored afterwards, although take_state_folder sets it
    (tmp_path / "auscult").mkdir()
    monkeypatch.setattr(sandbox, "_STATE", tmp_path)
    with monkeypatch.context() as other:
        other.setattr(os, "geteuid", lambda: (tmp_path / "auscult").stat().st_uid + 1)
        take_state_folder()
        assert "STATE_DIRECTORY" not in os.environ
    take_state_folder()
    assert os.environ["STATE_DIRECTORY"] == str(tmp_path / "auscult")
    unit.unlink()
    take_state_folder()  # no service here: nothing to know


def test_sandbox_of_a_unit_of_the_debian_package_has_the_drop_ins_of_the_administrator(unit: Path) -> None:
    package = unit.parent.with_name("package")
    package.mkdir()
    drop_in(unit, "ReadWritePaths=/data")
    unit.rename(package / unit.name)
    assert sandbox.is_installed()
    assert check(outbox="/data/o.sqlite").found.endswith("writes to /var/lib/auscult, /data")
