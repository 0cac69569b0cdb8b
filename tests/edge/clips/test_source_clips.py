from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile

from edge.audio.recent import Recent
from edge.clips import source_clips
from edge.clips.clip_folder import ClipFolder, clip_name
from edge.clips.clip_writer import ClipWriter
from edge.clips.source_clips import SourceClips
from edge.judgement.event import Event
from edge.mqtt.publisher import Publisher
from edge.mqtt.timestamp import timestamp
from edge.mqtt.topics import Topics
from edge.node.health import InferenceTimes
from edge.node.source_publisher import SourcePublisher
from edge.node.source_worker import SourceWorker
from tests.edge.node.scripted_source import RATE_HZ as RATE_16K_HZ
from tests.edge.node.scripted_source import Said, ScriptedSource, noise
from tests.edge.node.tiny_daemon import LoudnessListener, make_bundle

RATE_HZ = 1000
START_S = 1_763_700_000.0
NAME = clip_name("pump1", timestamp(START_S + 10.0), "A")


class Desk:
    """Clips of one source whose sound counts up, so that each sample tells where it is from."""

    def __init__(self, folder: Path, before_s: float = 2.0, after_s: float = 3.0, remembered_s: float = 65.0) -> None:
        self.folder = ClipFolder(folder, 86_400.0, 10**9)
        self.writer = ClipWriter(self.folder)
        self.writer.start()
        self.clips = SourceClips("pump1", before_s, after_s, self.writer, wall=lambda: START_S + self.recent.end / RATE_HZ)
        self.recent = Recent(round(remembered_s * RATE_HZ))
        self.clips.began(self.recent, RATE_HZ)

    def hear(self, until_s: float, lost: bool = False) -> None:
        while self.recent.end < round(until_s * RATE_HZ):
            count = min(250, round(until_s * RATE_HZ) - self.recent.end)
            ramp = (self.recent.end + np.arange(count)) / 2**20
            self.recent.add(count if lost else ramp.astype(np.float32))
            self.clips.heard()

    def tell(self, kind: Any, t_end_s: float, name: str = "A", t_start_s: float = 10.0) -> str | None:
        event = Event(name, 1, kind, t_start_s, t_end_s, 1.5, 0.01, (), 0.0)
        if kind == "opened":
            self.clips.begin(event, lambda stream_s: timestamp(START_S + stream_s))
        told = self.clips.file_of(name) if kind == "closed" else None
        self.clips.tell(event, {"id": name, "type": kind, "clip": told})
        return told

    def read(self, name: str = NAME) -> tuple[float, float, dict[str, Any]]:
        """Where the clip begins and ends, in seconds of the stream, and what is said of it."""
        self.writer.close()
        sound, rate = soundfile.read(self.folder.path_of(name), dtype="float64")
        assert rate == RATE_HZ
        about = json.loads((self.folder.path / f"{name}.json").read_text())
        return round(sound[0] * 2**20) / RATE_HZ, round(sound[-1] * 2**20 + 1) / RATE_HZ, about


def test_clips_event_is_kept_from_before_its_start_to_after_its_end(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.hear(12.0)
    desk.tell("opened", 11.0)
    desk.hear(16.0)
    told = desk.tell("closed", 15.0)
    assert told == f"{NAME}.flac"
    desk.hear(17.9)
    assert not desk.folder.path_of(NAME).exists()  # the end was told before
    desk.hear(18.25)
    start_s, end_s, about = desk.read()
    assert (start_s, end_s) == (8.0, 18.0)
    assert about == {
        "id": "A", "type": "closed", "clip": f"{NAME}.flac", "clip_seconds": 10.0, "rate_hz": RATE_HZ,
        "clip_t_start": timestamp(START_S + 8.0),
    }  # fmt: skip


def test_clips_stream_that_ends_keeps_what_there_is(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.hear(12.0)
    desk.tell("opened", 11.0, t_start_s=1.0)
    assert desk.tell("closed", 12.0, t_start_s=1.0) is not None
    desk.clips.finish()
    start_s, end_s, _ = desk.read(clip_name("pump1", timestamp(START_S + 1.0), "A"))
    assert (start_s, end_s) == (0.0, 12.0)


def test_clips_long_event_keeps_its_beginning_and_its_whole_story(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.hear(12.0)
    desk.tell("opened", 11.0)
    for second in range(20, 200, 10):
        desk.hear(float(second))
        desk.tell("updated", float(second))
    assert desk.tell("closed", 195.0) == f"{NAME}.flac"
    desk.hear(210.0)
    start_s, end_s, about = desk.read()
    assert (start_s, end_s) == (8.0, 8.0 + source_clips.LONGEST_S)
    assert (about["type"], about["clip_seconds"]) == ("closed", source_clips.LONGEST_S)
    assert desk.writer.report().written == 1


def test_clips_disk_that_failed_before_the_end_names_no_clip(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("a file where a folder should be")
    desk = Desk(tmp_path / "clips")
    desk.hear(12.0)
    desk.tell("opened", 11.0)
    desk.hear(80.0)
    desk.writer.close()
    assert desk.tell("closed", 79.0) is None
    assert desk.writer.report().failed == 1


def test_clips_what_was_lost_is_silence_and_keeps_its_place(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.hear(11.0)
    desk.tell("opened", 11.0)
    desk.hear(12.0, lost=True)
    desk.hear(16.0)
    desk.tell("closed", 13.0)
    desk.clips.heard()
    start_s, end_s, about = desk.read()
    assert (start_s, end_s, about["clip_seconds"]) == (8.0, 16.0, 8.0)
    sound, _ = soundfile.read(desk.folder.path_of(NAME))
    assert not sound[3000:4000].any()
    assert round(sound[4000] * 2**20) == 12_000


def test_clips_long_gap_reported_in_one_piece_keeps_the_sound_before_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.hear(12.0)
    desk.tell("opened", 11.0)
    desk.hear(14.0)
    desk.recent.add(100 * RATE_HZ)  # as Listening.lose does: the gap first, then what the listener says of it
    assert desk.tell("closed", 14.0) == f"{NAME}.flac"
    desk.clips.heard()
    desk.writer.close()
    sound, _ = soundfile.read(desk.folder.path_of(NAME))
    assert (round(sound[0] * 2**20), round(sound[5999] * 2**20)) == (8_000, 13_999)
    assert len(sound) == 9_000
    assert not sound[6000:].any()


def test_clips_source_that_is_away_for_an_hour_in_an_event_keeps_its_sound(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    publisher = SourcePublisher("pump1", cast(Publisher, Said()), Topics("test"), clips=desk.clips)
    away = noise(0.5, lost_samples=3600 * RATE_16K_HZ)
    source = ScriptedSource([noise(3.0), noise(2.0, 0.9), away, noise(2.0)])
    worker = SourceWorker(source, make_bundle(tmp_path / "pump1.auscult"), LoudnessListener, publisher, InferenceTimes())
    worker.open()
    while worker.step():
        pass
    worker.finish()
    desk.writer.close()
    (path,) = tmp_path.glob("*.flac")
    sound, _ = soundfile.read(path)
    loud = np.abs(sound) > 0.2
    assert not loud[: 2 * RATE_16K_HZ].any()  # from two seconds before the event
    assert loud[2 * RATE_16K_HZ : 4 * RATE_16K_HZ].mean() > 0.7
    assert not sound[4 * RATE_16K_HZ :].any()  # what was lost is silence


def test_clips_beginning_that_is_remembered_no_more_is_reported(tmp_path: Path) -> None:
    desk = Desk(tmp_path, remembered_s=4.0)
    desk.hear(15.0)
    desk.tell("opened", 14.5)
    desk.tell("closed", 14.0)
    desk.hear(17.5)
    start_s, end_s, about = desk.read()
    assert (12.5 <= start_s <= 14.0, end_s) == (True, 17.0)
    assert about["clip_t_start"] == timestamp(START_S + start_s)


def test_clips_two_events_that_overlap_are_two_clips(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.hear(12.0)
    desk.tell("opened", 11.0)
    desk.tell("closed", 11.0)
    desk.tell("opened", 12.0, "B", 11.5)
    desk.tell("closed", 12.0, "B", 11.5)
    desk.hear(20.0)
    desk.writer.close()
    assert len(list(tmp_path.glob("*.flac"))) == 2


def test_snapshot_is_the_last_seconds_or_what_there_is(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.clips.snapshot(5.0) is None
    desk.hear(3.0)
    short = desk.clips.snapshot(5.0)
    assert short is not None
    assert short.seconds == 3.0
    desk.hear(20.0)
    clip = desk.clips.snapshot(5.0)
    assert clip is not None
    assert clip.name.startswith(f"pump1-{timestamp(START_S + 15.0)[:4]}")
    desk.writer.write(clip)
    start_s, end_s, about = desk.read(clip.name)
    assert (start_s, end_s) == (15.0, 20.0)
    assert about == {
        "schema": 1, "source": "pump1", "type": "snapshot", "clip_t_start": timestamp(START_S + 15.0), "clip": f"{clip.name}.flac",
        "clip_seconds": 5.0, "rate_hz": RATE_HZ,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["updated", "closed"])
def test_clips_event_that_was_never_opened_has_none(tmp_path: Path, kind: str) -> None:
    desk = Desk(tmp_path)
    desk.hear(20.0)
    assert desk.tell(kind, 11.0) is None
    desk.clips.finish()
    desk.writer.close()
    assert list(tmp_path.iterdir()) == []
