from __future__ import annotations

import logging
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.clips import clip_writer
from edge.clips.clip import Clip
from edge.clips.clip_folder import ClipFolder
from edge.clips.clip_writer import ClipWriter


def clip(number: int, samples: int = 4000) -> Clip:
    heard = np.random.default_rng(number).uniform(-0.5, 0.5, samples).astype(np.float32)
    return Clip(f"pump1-20261120T1000{number:02d}Z-01HF", 8000, (heard,), {"n": number})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False).returncode != 0:
        pytest.skip("only root may mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_writer_writes_in_order_and_says_when(tmp_path: Path) -> None:
    writer = ClipWriter(ClipFolder(tmp_path / "clips", 86_400.0, 10**9))
    done: list[str | None] = []
    writer.start()
    for number in range(3):
        assert writer.write(clip(number), done.append)
    writer.close()
    assert done == [None] * 3
    report = writer.report()
    assert (report.written, report.failed, report.problem) == (3, 0, None)
    assert report.stored_bytes == sum(path.stat().st_size for path in (tmp_path / "clips").iterdir())
    assert not writer.write(clip(4), done.append)
    assert done[-1] == "the node stops"


def test_writer_disk_that_is_full_is_reported_once_and_works_again_later(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = ClipWriter(ClipFolder(small_disk / "clips", 86_400.0, 10**9))
    done: list[str | None] = []
    written = threading.Event()

    def last(problem: str | None) -> None:
        done.append(problem)
        written.set()

    with caplog.at_level(logging.INFO):
        writer.start()
        for number in range(10):
            writer.write(clip(number, 16_000), done.append)  # 48 kB each
        writer.write(clip(11, 100), last)
        assert written.wait(20.0)
    full = [problem for problem in done if problem is not None]
    assert 8 <= len(full) <= 10
    assert full[0].endswith("cannot be written (No space left on device)")
    assert done[-1] is None  # a small one fits
    assert writer.report().failed == len(full)
    assert writer.report().problem is None
    assert sum("scores and events go on" in record.getMessage() for record in caplog.records) == 1
    assert not list((small_disk / "clips").glob(".*"))  # nothing half-written
    writer.close()


def test_writer_disk_that_is_too_slow_costs_clips_and_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_writer, "MOST_WAITING_BYTES", 40_000)
    writer = ClipWriter(ClipFolder(tmp_path, 86_400.0, 10**9))  # not started: nothing is written
    problems: list[str | None] = []
    assert [writer.write(clip(number), problems.append) for number in range(4)] == [True, True, False, False]
    assert problems == [f"{tmp_path}: the disk is too slow for the clips"] * 2
    assert writer.report().failed == 2
    writer.close()


def test_writer_folder_that_cannot_be_made_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("a file where a folder should be")
    writer = ClipWriter(ClipFolder(tmp_path / "clips", 86_400.0, 10**9))
    done: list[str | None] = []
    writer.start()
    writer.write(clip(1), done.append)
    writer.close()
    assert done[0] is not None
    assert "cannot be written (File exists)" in done[0]


def test_writer_deletes_the_oldest_and_counts_it(tmp_path: Path) -> None:
    writer = ClipWriter(ClipFolder(tmp_path, 86_400.0, 40_000))
    writer.start()
    for number in range(20):
        writer.write(clip(number))  # 12 kB each
    writer.close()
    report = writer.report()
    assert report.written == 20
    assert report.deleted >= 16
    assert report.stored_bytes <= 40_000
    assert (tmp_path / f"{clip(19).name}.flac").exists()


def test_writer_deletes_once_what_a_power_cut_left_and_nothing_of_others(tmp_path: Path) -> None:
    left = [tmp_path / f".pump1-20261120T100000Z-01HF.{kind}.0011aaf{number}.tmp" for number, kind in enumerate(("flac", "json"))]
    others = [tmp_path / name for name in (".notes.tmp", ".outbox.json.00112233.tmp", "pump1-20261120T100000Z-01HF.flac.00112233.tmp")]
    for path in (*left, *others):
        path.write_bytes(b"half")
    writer = ClipWriter(ClipFolder(tmp_path, 86_400.0, 10**9))
    writer.start()
    writer.write(clip(1))
    writer.close()
    name = clip(1).name
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in others} | {f"{name}.flac", f"{name}.json"}


def test_writer_clip_larger_than_the_capacity_is_there_when_it_is_reported(tmp_path: Path) -> None:
    writer = ClipWriter(ClipFolder(tmp_path, 86_400.0, 10_000))
    done: list[str | None] = []
    writer.start()
    writer.write(clip(1, 16_000), done.append)
    writer.close()
    assert done == [None]
    assert (tmp_path / f"{clip(1).name}.flac").exists()
    assert (writer.report().deleted, writer.report().stored_bytes > 10_000) == (0, True)
