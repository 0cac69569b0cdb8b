from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.doctor import board
from edge.doctor.board import check_clips, check_clock, check_outbox, check_temperature


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(("synced", "verdict"), [(True, "OK"), (False, "WARN"), (None, "WARN")])
def test_clock_not_known_to_be_right_is_a_warning(monkeypatch: pytest.MonkeyPatch, synced: bool | None, verdict: str) -> None:
    monkeypatch.setattr("edge.device_health.clock_synced", lambda root: synced)
    finding = check_clock()
    assert finding.verdict == verdict
    assert ("timedatectl" in finding.remedy) == (verdict == "WARN")


@pytest.mark.parametrize(
    ("millidegrees", "throttled", "verdict"),
    [("48000", "0x0", "OK"), ("48000", "0x50000", "WARN"), ("48000", "0x1", "WARN"), ("79000", "0x0", "WARN"), (None, None, "OK")],
)
def test_temperature_hot_or_throttled_is_a_warning(tmp_path: Path, millidegrees: str | None, throttled: str | None, verdict: str) -> None:
    if millidegrees is not None:
        _write(tmp_path / "sys/class/thermal/thermal_zone0/temp", millidegrees)
    if throttled is not None:
        _write(tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled", throttled)
    assert check_temperature(tmp_path).verdict == verdict


def test_outbox_in_a_folder_to_be_made_is_measured_where_it_will_be(tmp_path: Path) -> None:
    finding = check_outbox(tmp_path / "not" / "yet" / "outbox.sqlite", capacity_mb=0.1)
    assert (finding.verdict, finding.check) == ("OK", "outbox")
    assert not (tmp_path / "not").exists()


def test_outbox_that_is_a_folder_or_in_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert check_outbox(tmp_path, 1.0).verdict == "FAIL"
    assert check_outbox(tmp_path / "file" / "outbox.sqlite", 1.0).verdict == "FAIL"


def test_outbox_with_less_room_than_its_capacity_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_outbox(tmp_path / "outbox.sqlite", 1e12).verdict == "WARN"
    monkeypatch.setattr(board, "LEAST_FREE_BYTES", 10**20)
    assert check_outbox(tmp_path / "outbox.sqlite", 1.0).verdict == "FAIL"


def test_outbox_that_this_user_cannot_write_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, who may run the tests, can write everywhere
    finding = check_outbox(tmp_path / "outbox.sqlite", 1.0)
    assert finding.verdict == "FAIL"
    assert "sudo -u auscult" in finding.remedy


def test_clips_folder_is_looked_at_as_the_outbox_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = check_clips(tmp_path / "not" / "yet", capacity_mb=0.1)
    assert (finding.verdict, finding.check) == ("OK", "clips")
    assert not (tmp_path / "not").exists()
    assert check_clips(tmp_path, 0.1).verdict == "OK"
    too_much = check_clips(tmp_path, 1e12)
    assert too_much.verdict == "WARN"
    assert "clips.capacity_mb is 1e+12" in too_much.found
    (tmp_path / "file").touch()
    assert check_clips(tmp_path / "file", 0.1).verdict == check_clips(tmp_path / "file" / "clips", 0.1).verdict == "FAIL"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "set clips.folder" in check_clips(tmp_path, 0.1).remedy
