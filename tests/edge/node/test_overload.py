"""More sound than the worker can take, from real microphones and from files that are played in real time."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge import clock
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.mqtt.publisher import Publisher
from edge.mqtt.topics import Topics
from edge.node import stream
from edge.node.daemon import Daemon
from edge.node.health import HealthReporter, InferenceTimes
from edge.node.source_publisher import SourcePublisher
from edge.node.source_report import source_health
from edge.node.source_worker import SourceWorker
from edge.sources import FileSource, Microphone
from tests.edge.node.scripted_source import RATE_HZ, Said
from tests.edge.node.tiny_daemon import HOP_S, LoudnessListener, make_bundle
from tests.pulse import MICROPHONE, SPARE_MICROPHONE, PulseServer

SLOWNESS = 3.0  # seconds of work for a second of sound


class SlowListener(LoudnessListener):
    """A bundle that is too heavy for the board."""

    def push(self, samples: NDArray[np.float32]) -> list[Window | Event]:
        """Take as long as a throttled board."""
        time.sleep(SLOWNESS * len(samples) / RATE_HZ)
        return super().push(samples)


@pytest.mark.slow  # ten seconds of real time
def test_overloaded_worker_sheds_the_slow_source_and_the_quick_one_loses_nothing(
    pulse: PulseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_LAG_S", 3.0)  # twice what one step of the slow source takes
    bundle = make_bundle(tmp_path / "pump.auscult")
    said = Said()
    inference = InferenceTimes()

    def make_worker(name: str, device: str, listener: type[LoudnessListener]) -> SourceWorker:
        publisher = SourcePublisher(name, cast(Publisher, said), Topics("test"))
        return SourceWorker(Microphone(name, device, rate_hz=RATE_HZ), bundle, listener, publisher, inference)

    slow, quick = make_worker("slow", MICROPHONE, SlowListener), make_worker("quick", SPARE_MICROPHONE, LoudnessListener)
    workers = {"slow": slow, "quick": quick}
    daemon = Daemon("test", workers, cast(Publisher, said), Topics("test"), HealthReporter(inference, tmp_path))
    for worker in workers.values():
        worker.open()
    try:
        ends_s = time.monotonic() + 10.0
        while time.monotonic() < ends_s:
            if not daemon._take_turn():
                time.sleep(0.01)
        # It hears about a third, in whole stretches, and what it hears is of now.
        assert 1.0 < source_health(slow).shed_s < 9.0
        assert source_health(slow).shed_s % HOP_S == pytest.approx(0.0, abs=1e-6)
        assert source_health(slow).lost_s == source_health(slow).shed_s
        assert slow.source.waiting_s < 3.0 + SLOWNESS * 0.5 + 0.5
        assert (source_health(quick).lost_s, source_health(quick).shed_s) == (0.0, 0.0)
        assert len(said.of("quick/score")) > 2 * len(said.of("slow/score"))
    finally:
        for worker in workers.values():
            worker.finish()


@pytest.mark.parametrize("realtime", [True, False])
def test_overloaded_worker_sheds_files_in_real_time_and_never_those_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, realtime: bool
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(clock, "now_s", lambda: now[0])
    file = tmp_path / "a.wav"
    soundfile.write(file, np.random.default_rng(0).uniform(-0.1, 0.1, 60 * RATE_HZ), RATE_HZ, subtype="FLOAT")

    class Heavy(LoudnessListener):
        def push(self, samples: NDArray[np.float32]) -> list[Window | Event]:
            now[0] += 0.5 * len(samples) / RATE_HZ  # with five sources: 2.5 s of work for a second of sound
            return super().push(samples)

    bundle = make_bundle(tmp_path / "pump.auscult")
    said = Said()
    workers = {}
    for name in ("a", "b", "c", "d", "e"):
        publisher = SourcePublisher(name, cast(Publisher, said), Topics("test"))
        worker = workers[name] = SourceWorker(
            FileSource(name, [file], realtime=realtime, loop=realtime), bundle, Heavy, publisher, InferenceTimes()
        )
        worker.clock._now = lambda: now[0]
        worker.open()
    daemon = Daemon("test", workers, cast(Publisher, said), Topics("test"), HealthReporter(InferenceTimes(), tmp_path))
    begun_s = now[0]
    warned = []
    while now[0] < begun_s + 60.0 if realtime else not all(worker.finished for worker in workers.values()):
        if not daemon._take_turn():
            now[0] += 0.01
        warned += [source_health(worker).warnings for worker in workers.values()]
    scores = said.of("score")
    for name, worker in workers.items():
        heard = [score for score in scores if score["source"] == name]
        assert len(heard) * HOP_S == pytest.approx(60.0 - source_health(worker).shed_s - worker.source.waiting_s, abs=2 * HOP_S)
        assert source_health(worker).lost_s == source_health(worker).shed_s
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    if not realtime:
        assert {source_health(worker).shed_s for worker in workers.values()} == {0.0}
        assert (lines, [warnings for warnings in warned if warnings]) == ([], [])
        assert now[0] - begun_s == pytest.approx(5 * 0.5 * 60.0, abs=0.1)
        return
    assert all(25.0 < source_health(worker).shed_s < 40.0 for worker in workers.values())  # 1 - 1 / 2.5 of 60 s is 36 s
    latest_ms = max(score["latency_ms"] for score in scores)
    assert 2000.0 < latest_ms < 1000.0 * (stream.MOST_LAG_S + 1.0)  # it waits, and no longer than it may
    assert any("inference is slower than the sound" in warning for warnings in warned for warning in warnings)
    assert all("inference is slower than the sound" in line for line in lines)
    assert len(lines) == len(workers)  # one for each; the next comes after a minute
