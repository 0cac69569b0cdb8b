from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.clips.clip import Clip, Float32, excerpt
from edge.clips.clip_folder import ClipFolder, clip_name

T = "2026-11-20T10:00:00.123Z"
RNG = np.random.default_rng(0)


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
    folder = ClipFolder(tmp_path, 1000.0, 10**9, wall=lambda: 10_000.0)
    for number in range(10, 20):
        make(folder, number, 8910.0 + 20 * number)  # up to 9000 is too old
    for name in ("notes.txt", "holiday.flac", ".hidden", "pump1.flac"):
        (tmp_path / name).write_text("not ours")
        os.utime(tmp_path / name, (0.0, 0.0))
    deleted, left_bytes = folder.tidy()
    assert deleted == 0
    folder = ClipFolder(tmp_path, 800.0, 10**9, wall=lambda: 10_000.0)
    deleted, left_bytes = folder.tidy()
    assert deleted == 5
    clips = sorted(path.name[6:14] for path in tmp_path.glob("pump1-*.flac"))
    assert clips == [f"202611{number}" for number in range(15, 20)]
    folder.capacity_bytes = round(left_bytes * 0.5)
    deleted, left_bytes = folder.tidy()
    assert deleted == 3
    assert left_bytes <= folder.capacity_bytes
    assert {path.name for path in tmp_path.glob("*") if "-" not in path.name} == {"notes.txt", "holiday.flac", ".hidden", "pump1.flac"}


def test_excerpt_takes_the_beginning_of_sound_and_gaps() -> None:
    parts: list[Float32 | int] = [noise(10), 5, noise(10)]
    for length, expected in ((0, []), (4, [4]), (10, [10]), (12, [10, 2]), (15, [10, 5]), (20, [10, 5, 5]), (99, [10, 5, 10])):
        found = excerpt(parts, length)
        assert [part if isinstance(part, int) else len(part) for part in found] == expected
    assert Clip("a", 10, parts).seconds == 2.5
