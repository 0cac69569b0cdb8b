from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge import clock
from edge.audio.block import Block
from edge.errors import AudioError
from edge.sources.files import FileSource
from edge.sources.source import READ_WAIT_S

RATE_HZ = 16000


def write(path: Path, value: float, seconds: float = 0.5, rate_hz: int = RATE_HZ) -> Path:
    soundfile.write(path, np.full(round(seconds * rate_hz), value, np.float32), rate_hz, subtype="FLOAT")
    return path


def test_file_source_plays_a_folder_in_order_then_finishes(tmp_path: Path) -> None:
    write(tmp_path / "b.wav", 0.2)
    write(tmp_path / "a.wav", 0.1, seconds=1.5)
    source = FileSource("pump1", [tmp_path])
    source.open()
    assert (source.name, source.rate_hz, source.live, source.xruns, source.stalled_s) == ("pump1", RATE_HZ, False, 0, 0.0)
    sizes, values = [], []
    while (block := source.read()) is not None:
        sizes.append(len(block.samples))
        values.append(round(float(block.samples[0]), 3))
        assert block.lost_samples == 0
    assert (sizes, values) == ([16000, 8000, 8000], [0.1, 0.1, 0.2])
    assert source.finished
    assert source.read() is None
    source.close()


def test_file_source_opens_again_from_the_start(tmp_path: Path) -> None:
    source = FileSource("pump1", [write(tmp_path / "a.wav", 0.1)])
    for _ in range(2):
        source.open()
        assert not source.finished
        block = source.read()
        assert block is not None
        assert len(block.samples) == 8000
        source.close()


def test_file_source_loop_never_finishes(tmp_path: Path) -> None:
    source = FileSource("pump1", [write(tmp_path / "a.wav", 0.1)], loop=True)
    source.open()
    for _ in range(10):
        assert source.read() is not None
    assert not source.finished
    source.close()


def test_file_source_realtime_takes_its_time_and_never_waits_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleep, slept = time.sleep, []

    def noted_sleep(seconds: float) -> None:
        slept.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", noted_sleep)
    source = FileSource("pump1", [write(tmp_path / "a.wav", 0.1, seconds=0.5)], realtime=True)
    source.open()
    assert source.live
    started_s = time.monotonic()
    heard = 0
    while not source.finished:
        waits = len(slept)
        block = source.read()
        assert sum(slept[waits:]) <= READ_WAIT_S
        if block is not None:
            heard += len(block.samples)
            assert heard / RATE_HZ <= time.monotonic() - started_s + 0.001
    assert heard == 8000
    assert sum(slept) < 0.6  # of half a second of sound; a busy machine needs longer


def test_file_source_realtime_is_ready_when_its_block_is_due_and_tells_when_that_was(tmp_path: Path) -> None:
    source = FileSource("pump1", [write(tmp_path / "a.wav", 0.1, seconds=0.25)], realtime=True)
    source.open()
    assert not source.ready
    begun_s = clock.now_s()
    heard_s: list[float] = []
    while not source.finished:
        while not source.ready:
            time.sleep(0.005)
        if (block := source.read()) is not None:
            assert block.heard_at_s is not None
            heard_s.append(block.heard_at_s - begun_s)
    assert heard_s == pytest.approx([0.1, 0.2, 0.25], abs=0.01)
    assert (source.waiting_s, source.skip(100)) == (0.0, 0)


def ramp(path: Path, seconds: float) -> Path:
    """Each sample says where it is."""
    soundfile.write(path, np.arange(round(seconds * RATE_HZ), dtype=np.float32) / 1e6, RATE_HZ, subtype="FLOAT")
    return path


def place(block: Block | None) -> int:
    """Where in a ramp a block begins."""
    assert block is not None
    return round(float(block.samples[0]) * 1e6)


@pytest.fixture
def at_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock says, to be set."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("loop", [False, True])
def test_file_source_realtime_sound_that_is_due_waits_and_can_be_skipped(tmp_path: Path, at_s: list[float], loop: bool) -> None:
    source = FileSource("pump1", [ramp(tmp_path / "a.wav", 3.0)], realtime=True, loop=loop)
    source.open()
    assert (source.ready, source.waiting_s) == (False, 0.0)
    at_s[0] += 2.0
    assert (source.ready, source.waiting_s) == (True, 2.0)
    assert place(source.read()) == 0
    assert source.waiting_s == pytest.approx(1.9)
    assert source.skip(RATE_HZ + 7) == RATE_HZ + 7
    block = source.read()
    assert place(block) == round(1.1 * RATE_HZ) + 7
    assert block is not None
    assert source.waiting_s == pytest.approx(0.9 - (7 + len(block.samples)) / RATE_HZ)
    at_s[0] += 100.0
    left = 3 * RATE_HZ - round(1.1 * RATE_HZ) - 7 - len(block.samples)
    assert source.waiting_s * RATE_HZ == pytest.approx(left + 99 * RATE_HZ * loop)
    assert source.skip(50 * RATE_HZ) == (50 * RATE_HZ if loop else left)  # a file that has ended has no more


def test_file_source_as_fast_as_possible_has_nothing_that_waits(tmp_path: Path, at_s: list[float]) -> None:
    source = FileSource("pump1", [ramp(tmp_path / "a.wav", 3.0)])
    source.open()
    source.read()
    at_s[0] += 1000.0
    assert (source.waiting_s, source.skip(RATE_HZ)) == (0.0, 0)
    assert place(source.read()) == RATE_HZ


def test_file_source_closed_before_its_end_continues_where_it_was(tmp_path: Path, at_s: list[float]) -> None:
    for realtime in (False, True):
        source = FileSource("pump1", [ramp(tmp_path / "a.wav", 3.0)], realtime=realtime, loop=True)
        source.open()
        assert source.ready != realtime
        at_s[0] += 0.1
        block = source.read()
        assert block is not None
        heard = len(block.samples)
        source.close()
        at_s[0] += 2.0
        source.open()
        at_s[0] += 0.1
        block = source.read()
        assert block is not None
        assert block.lost_samples == (2 * RATE_HZ if realtime else 0)  # real time goes on meanwhile
        assert place(block) == heard + block.lost_samples


def test_file_source_as_fast_as_possible_is_always_ready(tmp_path: Path) -> None:
    source = FileSource("pump1", [write(tmp_path / "a.wav", 0.1)])
    source.open()
    assert source.ready
    block = source.read()
    assert block is not None
    assert block.heard_at_s is None


def test_file_source_different_rates_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", 0.1)
    write(tmp_path / "b.wav", 0.1, rate_hz=44100)
    with pytest.raises(AudioError, match=r"b\.wav: 44100 Hz, but .*a\.wav has 16000 Hz"):
        FileSource("pump1", [tmp_path]).open()


def test_file_source_missing_file_or_channel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no such file"):
        FileSource("pump1", [tmp_path / "nothing.wav"]).open()
    with pytest.raises(AudioError, match="no channel 1"):
        FileSource("pump1", [write(tmp_path / "a.wav", 0.1)], channel=1).open()
    with pytest.raises(AudioError, match="no audio files are named"):
        FileSource("pump1", []).open()
