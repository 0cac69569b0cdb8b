from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np
import pytest

from edge import clock
from edge.audio.channels import Channel
from edge.audio.pcm import SampleFormat
from edge.errors import AudioError
from edge.sources.stdin import StdinSource

RATE_HZ = 16000


class Pipe:
    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()

    def source(self, channels: int = 1, sample_format: SampleFormat = "s16le", channel: Channel = 0) -> StdinSource:
        source = StdinSource(
            "pump1", rate_hz=RATE_HZ, channels=channels, sample_format=sample_format, channel=channel, descriptor=self.read_end
        )
        source.open()
        return source

    def end(self) -> None:
        os.close(self.write_end)
        self.write_end = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    for descriptor in (pipe.read_end, pipe.write_end):
        if descriptor >= 0:
            os.close(descriptor)


def test_stdin_frame_in_two_writes_comes_out_whole(pipe: Pipe) -> None:
    source = pipe.source(channels=2, channel="mix")
    data = np.array([[100, 300], [200, 600]], "<i2").tobytes()
    os.write(pipe.write_end, data[:5])
    first = source.read()
    os.write(pipe.write_end, data[5:])
    second = source.read()
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(np.concatenate([first.samples, second.samples]) * 32768, [200, 400])


def test_stdin_part_of_a_frame_alone_gives_nothing(pipe: Pipe) -> None:
    source = pipe.source(channels=2, sample_format="s24le", channel="mix")
    os.write(pipe.write_end, b"12345")
    assert source.read() is None
    assert not source.finished


def test_stdin_tells_when_it_heard_only_where_the_pipe_is_empty(pipe: Pipe) -> None:
    source = pipe.source()
    assert not source.ready
    os.write(pipe.write_end, bytes(20_000))
    assert source.ready
    first, second = source.read(), source.read()
    assert first is not None
    assert second is not None
    assert first.heard_at_s is None  # more waits behind it: it may be old
    assert second.heard_at_s == pytest.approx(clock.now_s(), abs=1.0)
    assert not source.ready
    assert source.skip(100) == 0


def test_stdin_that_fails_is_one_line(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    source = pipe.source()
    os.write(pipe.write_end, bytes(100))

    def fail(descriptor: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(AudioError, match="stdin: cannot be read: Input/output error"):
        source.read()
    assert source.finished


def test_stdin_end_finishes_and_drops_the_part_frame(pipe: Pipe) -> None:
    source = pipe.source()
    os.write(pipe.write_end, b"\0\1\2")
    pipe.end()
    block = source.read()
    assert block is not None
    assert len(block.samples) == 1
    assert source.read() is None
    assert source.finished
    assert source.stalled_s == 0


def test_stdin_silent_writer_does_not_block_the_reader(pipe: Pipe) -> None:
    source = pipe.source()
    started_s = time.monotonic()
    assert source.read() is None
    assert time.monotonic() - started_s < 3.0  # on a busy machine; the writer never writes
    assert source.stalled_s > 0.05
    assert not source.finished


def test_stdin_ended_without_sound_is_an_error(pipe: Pipe) -> None:
    source = pipe.source()
    pipe.end()
    with pytest.raises(AudioError, match="stdin: ended before any sound"):
        source.read()
    assert source.finished


def test_stdin_not_a_number_is_an_error(pipe: Pipe) -> None:
    source = pipe.source(sample_format="f32le")
    os.write(pipe.write_end, np.array([0.5, np.nan], "<f4").tobytes())
    with pytest.raises(AudioError, match="really f32le"):
        source.read()


def test_stdin_terminal_or_closed_is_refused() -> None:
    controller, terminal = os.openpty()
    try:
        with pytest.raises(AudioError, match="stdin: a terminal; pipe raw PCM"):
            StdinSource("pump1", rate_hz=RATE_HZ, descriptor=terminal).open()
    finally:
        os.close(controller)
        os.close(terminal)
    with pytest.raises(AudioError, match="stdin: closed"):
        StdinSource("pump1", rate_hz=RATE_HZ, descriptor=terminal).open()


def test_stdin_channel_that_does_not_exist_is_refused(pipe: Pipe) -> None:
    with pytest.raises(AudioError, match="no channel 3"):
        StdinSource("pump1", rate_hz=RATE_HZ, channels=2, channel=3, descriptor=pipe.read_end).open()


def test_stdin_regular_file_is_read_to_its_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("pcm") / "pump.raw"
    samples = np.arange(20_000, dtype="<i2")
    path.write_bytes(samples.tobytes())
    descriptor = os.open(path, os.O_RDONLY)
    try:
        source = StdinSource("pump1", rate_hz=RATE_HZ, descriptor=descriptor)
        source.open()
        parts = []
        while not source.finished:
            if (block := source.read()) is not None:
                parts.append(block.samples)
        assert max(map(len, parts)) <= 8000
        np.testing.assert_array_equal(np.concatenate(parts) * 32768, samples)
    finally:
        os.close(descriptor)
