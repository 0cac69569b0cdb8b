from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from calibrate.recorder import Recorder
from edge.audio.block import Block
from edge.audio.level_meter import Level
from edge.errors import AudioError, AuscultError
from edge.sources import FileSource

RATE_HZ = 8000


def now() -> datetime:
    return datetime(2026, 11, 20, 10, 0, 1, tzinfo=timezone.utc)


def noise(seconds: float) -> NDArray[np.float32]:
    return (np.random.default_rng(5).integers(-8000, 8000, round(seconds * RATE_HZ)) / 32768).astype(np.float32)


def source_of(path: Path, samples: NDArray[np.float32]) -> FileSource:
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    source = FileSource("pump1", [path])
    source.open()
    return source


def recorded(folder: Path) -> NDArray[np.float32]:
    return np.concatenate([soundfile.read(path, dtype="float32")[0] for path in sorted(folder.iterdir())])


def test_recorder_stops_at_the_length_that_was_asked_for(tmp_path: Path) -> None:
    samples = noise(5)
    summary = Recorder(source_of(tmp_path / "in.wav", samples), tmp_path / "out", 2.5, now=now).record()
    np.testing.assert_array_equal(recorded(tmp_path / "out"), samples[: round(2.5 * RATE_HZ)])
    assert (summary.source, summary.rate_hz, summary.seconds, summary.lost_s, summary.xruns) == ("pump1", RATE_HZ, 2.5, 0.0, 0)
    assert summary.files == ["pump1-20261120T100000.000Z.flac"]  # its first sample was a block's length before now
    assert summary.warnings == []
    assert summary.dbfs == pytest.approx(-17.0, abs=0.2)
    assert summary.peak_dbfs == pytest.approx(-12.2, abs=0.1)


def test_recorder_source_that_ends_sooner_is_kept_whole(tmp_path: Path) -> None:
    samples = noise(1.25)
    summary = Recorder(source_of(tmp_path / "in.wav", samples), tmp_path / "out", 60).record()
    np.testing.assert_array_equal(recorded(tmp_path / "out"), samples)
    assert summary.seconds == 1.25


def test_recorder_stopped_keeps_what_it_took(tmp_path: Path) -> None:
    answers = iter([False, False, True])
    summary = Recorder(source_of(tmp_path / "in.wav", noise(9)), tmp_path / "out", 60).record(lambda: next(answers))
    assert summary.seconds == 2.0
    assert len(recorded(tmp_path / "out")) == 2 * RATE_HZ


def test_recorder_damaged_file_keeps_what_came_before(tmp_path: Path) -> None:
    samples = noise(2)
    samples[12_000] = np.nan
    recorder = Recorder(source_of(tmp_path / "in.wav", samples), tmp_path / "out", 60)
    with pytest.raises(AudioError):
        recorder.record()
    np.testing.assert_array_equal(recorded(tmp_path / "out"), samples[:RATE_HZ])


def test_recorder_warns_of_clipping_and_a_dead_channel(tmp_path: Path) -> None:
    heard: list[str] = []
    sound = np.concatenate([np.sign(noise(2)), np.zeros(3 * RATE_HZ)]).astype(np.float32)
    summary = Recorder(source_of(tmp_path / "in.wav", sound), tmp_path / "out", 60, warn=heard.append).record()
    assert [warning.partition(":")[0] for warning in heard] == ["clipping", "dead channel"]
    assert (summary.clipped_s, summary.dead_s) == (2, 3)
    assert summary.warnings == ["clipping in 2 of 5 s", "dead channel in 3 of 5 s"]


def test_recorder_shows_ten_levels_a_second(tmp_path: Path) -> None:
    shown: list[tuple[Level, float, float]] = []
    path = tmp_path / "in.wav"
    soundfile.write(path, noise(0.5), RATE_HZ)
    source = FileSource("pump1", [path], realtime=True)
    source.open()
    Recorder(source, tmp_path / "out", 0.5, show=lambda *shows: shown.append(shows)).record()
    assert [round(heard_s, 1) for _, heard_s, _ in shown] == [0.1, 0.2, 0.3, 0.4, 0.5]


class Lossy(FileSource):
    """Loses half a second before its second block, then stalls."""

    def __init__(self, path: Path) -> None:
        super().__init__("pump1", [path])
        self.taken = 0

    def read(self) -> Block | None:
        self.taken += 1
        if self.taken > 2:
            self.stalled_s = 6.0
            return None
        block = super().read()
        assert block is not None
        return Block(block.samples, RATE_HZ // 2 if self.taken == 2 else 0)


def test_recorder_lost_sound_is_counted_and_never_spliced(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", noise(5), RATE_HZ)
    source = Lossy(tmp_path / "in.wav")
    source.open()
    heard: list[str] = []
    summary = Recorder(source, tmp_path / "out", 2, now=now, warn=heard.append).record()
    assert summary.lost_s == 0.5
    assert summary.files == ["pump1-20261120T100000.000Z.flac", "pump1-20261120T100001.500Z.flac"]
    assert summary.warnings == ["lost 0.50 s of sound"]
    assert heard == ["lost 0.50 s of sound; a new file begins after the gap"]


def test_recorder_stalled_source_fails_and_keeps_what_came(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", noise(5), RATE_HZ)
    source = Lossy(tmp_path / "in.wav")
    source.open()
    with pytest.raises(AuscultError, match="gave no sound for 5 s"):
        Recorder(source, tmp_path / "out", 60).record()
    assert len(recorded(tmp_path / "out")) == 2 * RATE_HZ
