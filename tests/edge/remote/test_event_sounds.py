from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.judgement.taught import EventSound
from edge.remote.event_sounds import REMEMBERED, EventSounds


def sound(event: str, moments: int = 3) -> EventSound:
    rng = np.random.default_rng(len(event))
    return EventSound(event, rng.integers(0, 40, (moments, 64)).astype(np.float32), np.arange(1, moments + 1))


def test_event_sounds_after_a_restart_are_the_same_numbers(tmp_path: Path) -> None:
    sounds = EventSounds(tmp_path / "pump1")
    sounds.add(sound("A"), [])
    sounds.add(sound("B", 5), [])
    (path,) = {path.stat().st_mode & 0o777 for path in (tmp_path / "pump1").iterdir()}
    assert path == 0o600
    again = EventSounds(tmp_path / "pump1").of(["B", "A", "unknown"])
    assert [one.event for one in again] == ["B", "A"]
    for one, other in zip(again, sounds.of(["B", "A"]), strict=True):
        assert np.array_equal(one.beyond, other.beyond)
        assert np.array_equal(one.common, other.common)
        assert one.beyond.dtype == np.float32


def test_event_sounds_that_are_judged_outlive_the_others_which_are_bounded(tmp_path: Path) -> None:
    sounds = EventSounds(tmp_path)
    events = [f"E{number:03d}" for number in range(REMEMBERED + 10)]
    for event in events:
        sounds.add(sound(event), ["E000", "E005"])
    for one in (sounds, EventSounds(tmp_path)):
        kept = [found.event for found in one.of(events)]
        assert kept == ["E000", "E005", *events[-REMEMBERED:]]
    assert len(list(tmp_path.iterdir())) == REMEMBERED + 2


@pytest.mark.parametrize("content", [b"", b"no zip", b"\x00" * (2 << 20)])
def test_event_sounds_damaged_file_is_passed_over_and_named(content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    EventSounds(tmp_path).add(sound("A"), [])
    (tmp_path / "B.npz").write_bytes(content)
    sounds = EventSounds(tmp_path)
    assert [one.event for one in sounds.of(["A", "B"])] == ["A"]
    assert "B.npz: cannot be read" in caplog.text


def test_event_sounds_disk_that_fails_is_reported_once_and_the_sounds_hold(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "file"
    folder.write_text("")
    sounds = EventSounds(folder)
    sounds.add(sound("A"), [])
    sounds.add(sound("B"), [])
    assert [one.event for one in sounds.of(["A", "B"])] == ["A", "B"]
    assert caplog.text.count("cannot be written") == 1
