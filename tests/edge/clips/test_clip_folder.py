from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.clips.clip import Clip, Float32, excerpt
from edge.clips.clip_folder import SNAPSHOT, ClipFolder, clip_name

T = "2026-11-20T10:00:00.123Z"
RNG = np.random.default_rng(0)
DAY_S = 86_400.0


def noise(samples: int) -> Float32:
    return RNG.uniform(-0.5, 0.5, samples).astype(np.float32)


def test_clip_name_sorts_by_time_and_names_the_event() -> None:
    assert clip_name("pump1", T, "01HF") == "pump1-20261120T100000Z-01HF"


@pytest.mark.parametrize("rate_hz", [8000, 44_100, 48_000, 192_000, 384_000])
def test_folder_clip_is_flac_with_every_bit_of_a_16_bit_microphone(tmp_path: Path, rate_hz: int) -> None:
    folder = ClipFolder(tmp_path / "clips", 86_400.0, 10**9)
    heard = (np.round(noise(1000) * 32768) / 32768).astype(np.float32)
    bad = np.array([np.nan, np.inf, -np.inf, 5.0, -5.0], np.float32)
    folder.write(Clip("pump1-20261120T100000Z-01HF", rate_hz, (heard, 100, bad), {"id": "01HF"}))
    sound, rate = soundfile.read(folder.path_of("pump1-20261120T100000Z-01HF"), dtype="float32")
    assert rate == rate_hz
    assert np.array_equal(sound[:1000], heard)
    assert not sound[1000:1103].any()  # what was lost, and what is no number
    assert sound[1103:].tolist() == pytest.approx([1.0, -1.0], abs=1e-6)
    assert json.loads((folder.path / "pump1-20261120T100000Z-01HF.json").read_text()) == {"id": "01HF"}
    assert {path.suffix for path in folder.path.iterdir()} == {".flac", ".json"}  # nothing temporary


def test_folder_clip_without_sound_changes_what_is_said_of_it(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path, 86_400.0, 10**9)
    name = "pump1-20261120T100000Z-01HF"
    folder.write(Clip(name, 8000, (noise(800),), {"type": "opened"}))
    before = folder.path_of(name).read_bytes()
    folder.write(Clip(name, 8000, (), {"type": "closed"}))
    assert folder.path_of(name).read_bytes() == before
    assert json.loads((tmp_path / f"{name}.json").read_text()) == {"type": "closed"}


def make(folder: ClipFolder, number: int, at_s: float) -> str:
    name = f"pump1-202611{number:02d}T100000Z-01HF"
    folder.write(Clip(name, 8000, (noise(8000),), {"n": number}))
    for path in folder.path.glob(f"{name}.*"):
        os.utime(path, (at_s, at_s))
    return name


def test_folder_tidy_deletes_the_old_and_then_the_oldest_and_nothing_of_others(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path, 1000.0, 10**9, wall=lambda: 10_000.0, synced=lambda: True)
    for number in range(10, 20):
        make(folder, number, 8910.0 + 20 * number)  # up to 9000 is too old
    for name in ("notes.txt", "holiday.flac", ".hidden", "pump1.flac"):
        (tmp_path / name).write_text("not ours")
        os.utime(tmp_path / name, (0.0, 0.0))
    deleted, left_bytes = folder.tidy()
    assert deleted == 0
    folder = ClipFolder(tmp_path, 800.0, 10**9, wall=lambda: 10_000.0, synced=lambda: True)
    deleted, left_bytes = folder.tidy()
    assert deleted == 5
    clips = sorted(path.name[6:14] for path in tmp_path.glob("pump1-*.flac"))
    assert clips == [f"202611{number}" for number in range(15, 20)]
    folder.capacity_bytes = round(left_bytes * 0.5)
    deleted, left_bytes = folder.tidy()
    assert deleted == 3
    assert left_bytes <= folder.capacity_bytes
    assert {path.name for path in tmp_path.glob("*") if "-" not in path.name} == {"notes.txt", "holiday.flac", ".hidden", "pump1.flac"}


class Clocks:
    """A board whose clocks the test sets."""

    def __init__(self) -> None:
        self.wall_s = 1_800_000_000.0
        self.now_s = 20.0
        self.is_synced: bool | None = False

    def folder(self, path: Path, keep_s: float = DAY_S, capacity_bytes: int = 10**9) -> ClipFolder:
        """As a daemon makes it that was just started."""
        return ClipFolder(path, keep_s, capacity_bytes, lambda: self.wall_s, lambda: self.now_s, lambda: self.is_synced)


def put(folder: ClipFolder, number: int, mark: str = "01HF", samples: int = 8000) -> str:
    """Write a clip of 24 kB for each 8000 samples."""
    name = f"pump1-20261120T1000{number:02d}Z-{mark}"
    folder.write(Clip(name, 8000, (noise(samples),), {"n": number}))
    return f"{name}.flac"


def date(folder: ClipFolder, at_s: float) -> None:
    for path in folder.path.iterdir():
        os.utime(path, (at_s, at_s))


def sounds(folder: ClipFolder) -> list[str]:
    return sorted(path.name for path in folder.path.glob("*.flac"))


def test_folder_tidy_clip_larger_than_the_capacity_stays_until_the_next_one(tmp_path: Path) -> None:
    folder = Clocks().folder(tmp_path, capacity_bytes=50_000)
    put(folder, 1)
    second = put(folder, 2, samples=24_000)
    assert folder.tidy()[0] == 1
    assert sounds(folder) == [second]
    assert second.replace("flac", "json") in {path.name for path in tmp_path.iterdir()}
    third = put(folder, 3)
    date(folder, 1.0)  # the clock was set back: what was written last is the newest all the same
    os.utime(tmp_path / second, (2e9, 2e9))
    assert folder.tidy()[0] == 1
    assert sounds(folder) == [third]


def test_folder_tidy_clock_that_is_set_deletes_nothing_that_was_written_just_now(tmp_path: Path) -> None:
    clocks = Clocks()
    folder = clocks.folder(tmp_path)
    put(folder, 1)
    date(folder, clocks.wall_s - 31 * DAY_S)  # a board without a clock of its own has been off for so long
    clocks.is_synced = True
    clocks.now_s += 600.0
    assert folder.tidy()[0] == 0
    clocks.now_s += DAY_S
    clocks.is_synced = False
    assert folder.tidy() == (1, 0)  # it is a day old, whatever the date


@pytest.mark.parametrize("synced", [False, None])
def test_folder_tidy_clock_that_is_not_known_to_be_right_makes_no_clip_old(tmp_path: Path, synced: bool | None) -> None:
    clocks = Clocks()
    put(clocks.folder(tmp_path), 1)
    date(clocks.folder(tmp_path), clocks.wall_s)
    clocks.wall_s += 400 * DAY_S  # a boot with a clock that is in the future
    clocks.is_synced = synced
    folder = clocks.folder(tmp_path)
    assert folder.tidy()[0] == 0
    clocks.now_s += 1.1 * DAY_S
    assert folder.tidy()[0] == 1  # found more than a day ago


def test_folder_tidy_clip_of_an_earlier_run_is_old_by_a_clock_that_is_right(tmp_path: Path) -> None:
    clocks = Clocks()
    put(clocks.folder(tmp_path), 1)
    date(clocks.folder(tmp_path), clocks.wall_s - 1.1 * DAY_S)
    clocks.is_synced = True
    assert clocks.folder(tmp_path).tidy()[0] == 1


def test_folder_tidy_snapshots_take_a_tenth_and_never_the_clips_of_events(tmp_path: Path) -> None:
    folder = Clocks().folder(tmp_path, capacity_bytes=600_000)  # 20 to 25 clips
    events = []
    for number in range(18):
        events.append(put(folder, number))
        folder.tidy()
    snapshots = []
    for number in range(30):
        snapshots.append(put(folder, number, f"{SNAPSHOT}0000{number:02d}"))
        folder.tidy()
    assert [name for name in sounds(folder) if SNAPSHOT not in name] == events
    assert [name for name in sounds(folder) if SNAPSHOT in name] == snapshots[-2:]  # 48 of 60 kB
    large = put(folder, 30, f"{SNAPSHOT}ffffff", samples=80_000)
    folder.tidy()
    assert sounds(folder) == sorted([*events, large])  # somebody was told its name
    for number in range(18, 40):
        events.append(put(folder, number))
        folder.tidy()
    left = [name for name in sounds(folder) if SNAPSHOT not in name]
    assert left == events[-len(left) :]
    assert sum((tmp_path / name).stat().st_size for name in left) <= 540_000


def test_folder_what_is_said_of_a_clip_that_is_deleted_is_not_written(tmp_path: Path) -> None:
    folder = Clocks().folder(tmp_path)
    folder.write(Clip("pump1-20261120T100000Z-01HF", 8000, (), {"type": "closed"}))
    assert list(tmp_path.iterdir()) == []


def test_excerpt_takes_the_beginning_of_sound_and_gaps() -> None:
    parts: list[Float32 | int] = [noise(10), 5, noise(10)]
    for length, expected in ((0, []), (4, [4]), (10, [10]), (12, [10, 2]), (15, [10, 5]), (20, [10, 5, 5]), (99, [10, 5, 10])):
        found = excerpt(parts, length)
        assert [part if isinstance(part, int) else len(part) for part in found] == expected
    assert Clip("a", 10, parts).seconds == 2.5
