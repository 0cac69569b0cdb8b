"""systemd's watchdog is fed only while capture, inference and publishing get on."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge.audio.block import Block
from edge.errors import DeviceError
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.mqtt.connection import Connection
from edge.mqtt.publisher import Publisher
from edge.mqtt.settings import BrokerSettings
from edge.node.progress import Progress
from edge.node.source_report import source_health
from edge.node.source_worker import SourceWorker
from edge.node.systemd_notify import SystemdNotifier
from edge.outbox.outbox import Outbox
from tests.broker import HOST, Broker, MakeBroker
from tests.edge.node.scripted_source import RATE_HZ, ScriptedSource, make_worker, noise
from tests.edge.node.tiny_daemon import LoudnessListener

PROJECT = Path(__file__).parents[3]


class Clock:
    """A monotonic clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Watched:
    """Progress under a fake clock, whose watchdog would be fed every 30 s, and a systemd that listens."""

    def __init__(self, systemd: socket.socket, clock: Clock) -> None:
        network: Any = SimpleNamespace(silent_s=0.0)  # all is well
        self._systemd = systemd
        self._clock = clock
        self.progress = Progress(network, SystemdNotifier(), clock)

    def publishing_with(self, publisher: Publisher) -> None:
        self.progress = Progress(publisher, SystemdNotifier(), self._clock)

    def is_fed(self) -> bool:
        """Whether systemd hears of us."""
        self.progress.look()
        try:
            return self._systemd.recv(100) == b"WATCHDOG=1"
        except BlockingIOError:
            return False

    def pass_time(self, seconds: float, worker: SourceWorker | None = None) -> None:
        """The daemon goes round its loop meanwhile, if it can."""
        for _ in range(round(seconds)):
            self._clock.now_s += 1.0
            if worker is not None:
                self.progress.round("pump1")
                worker.step()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Watched]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        yield Watched(systemd, clock)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_progress_source_that_never_gives_a_block_is_a_stall_of_capture_reported_once(
    watched: Watched, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource()  # open, and says that all is well
    worker, _ = make_worker(source, tmp_path)
    worker.open()
    watched.progress.workers = {"pump1": worker}
    watched.pass_time(29, worker)
    assert watched.is_fed()
    watched.pass_time(31, worker)
    assert not watched.is_fed()
    watched.pass_time(31, worker)
    assert not watched.is_fed()
    assert told(caplog) == [
        "capture makes no progress: pump1: scripted is open and has given no sound for 60 s; systemd's watchdog is no longer fed"
    ]
    source.steps = [noise(1.0)]
    watched.pass_time(1, worker)
    assert watched.is_fed()
    assert caplog.messages[-1] == "capture continues"


def test_progress_microphone_that_is_away_is_no_stall(watched: Watched, tmp_path: Path) -> None:
    worker, _ = make_worker(ScriptedSource([noise(1.0), DeviceError("usb", "gone")], [RATE_HZ, DeviceError("usb", "gone")]), tmp_path)
    worker.open()
    watched.progress.workers = {"pump1": worker}
    watched.pass_time(500, worker)
    assert source_health(worker).reason == "usb: gone"
    assert watched.is_fed()


class Hanging:
    """Blocks who waits for it."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()

    def hang(self) -> None:
        self.begun.set()
        self.over.wait(30.0)


@pytest.mark.parametrize("part", ["capture", "inference"])
def test_progress_call_that_hangs_is_a_stall_of_the_part_that_it_is_in(
    watched: Watched, tmp_path: Path, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    hanging = Hanging()

    class HangingSource(ScriptedSource):
        def read(self) -> Block | None:
            hanging.hang()
            return super().read()

    class HangingListener(LoudnessListener):
        def push(self, samples: NDArray[np.float32]) -> list[Window | Event]:
            hanging.hang()
            return super().push(samples)

    source = (HangingSource if part == "capture" else ScriptedSource)([noise(1.0)])
    worker, _ = make_worker(source, tmp_path, HangingListener if part == "inference" else LoudnessListener)
    worker.open()
    watched.progress.workers = {"pump1": worker}
    watched.progress.round("pump1")
    thread = threading.Thread(target=worker.step)
    thread.start()
    assert hanging.begun.wait(10.0)
    assert watched.is_fed()
    watched.pass_time(31)
    assert not watched.is_fed()
    how = "pump1: reading scripted has not returned" if part == "capture" else "the listener of pump1 has been at work"
    assert told(caplog) == [f"{part} makes no progress: {how} for 31 s; systemd's watchdog is no longer fed"]
    hanging.over.set()
    thread.join(10.0)
    watched.progress.round()
    assert watched.is_fed()


def test_progress_listener_that_gives_no_windows_is_a_stall_of_inference_and_silence_is_none(
    watched: Watched, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class DeafListener(LoudnessListener):
        def push(self, samples: NDArray[np.float32]) -> list[Window | Event]:
            return []

    source = ScriptedSource()
    worker, _ = make_worker(source, tmp_path, DeafListener)
    worker.open()
    watched.progress.workers = {"pump1": worker}
    source.steps = [Block(np.zeros(RATE_HZ, np.float32)) for _ in range(50)]
    watched.pass_time(50, worker)
    assert watched.is_fed()
    source.steps = [noise(1.0) for _ in range(40)]
    watched.pass_time(40, worker)
    assert watched.is_fed()  # a window of 10 s may be on its way
    source.steps = [noise(1.0) for _ in range(31)]
    watched.pass_time(31, worker)
    assert not watched.is_fed()
    assert told(caplog)[0].startswith("inference makes no progress: pump1: no window came out of the last ")


def settings(port: int) -> BrokerSettings:
    return BrokerSettings(HOST, "auscult-test", port)


def test_progress_network_thread_that_is_stuck_is_a_stall_of_publishing(
    watched: Watched, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hanging = Hanging()
    monkeypatch.setattr(Connection, "open", lambda _self: hanging.hang())
    publisher = Publisher(settings(1), "auscult/test/status")
    watched.publishing_with(publisher)
    publisher.start(wait_s=0.0)
    assert hanging.begun.wait(10.0)
    clock.now_s += 100.0  # a look-up, TCP, TLS and an answer that all take their time
    watched.progress.round()
    assert watched.is_fed()
    clock.now_s += 31.0
    watched.progress.round()
    assert not watched.is_fed()
    what = "the thread of the network or of the outbox has not finished a round of its loop for 131 s"
    assert told(caplog) == [f"publishing makes no progress: {what}; systemd's watchdog is no longer fed"]
    publisher._stopping.set()
    hanging.over.set()
    publisher._thread.join(10.0)
    publisher.stop(0.0)


def test_progress_broker_that_is_lost_is_no_stall(watched: Watched, clock: Clock, make_broker: MakeBroker) -> None:
    publisher = Publisher(settings(make_broker(start=False).port), "auscult/test/status")
    watched.publishing_with(publisher)
    publisher.start()
    clock.now_s += 1000.0
    deadline = threading.Event()
    while publisher.silent_s > 0.0:  # it waits for its next try, and says so every second
        deadline.wait(0.05)
    watched.progress.round()
    assert watched.is_fed()
    assert publisher.link.state == "away"
    publisher._stopping.set()
    publisher._thread.join(10.0)
    publisher.stop(0.0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("which", ["network", "outbox"])
def test_progress_thread_that_has_died_is_a_stall_of_publishing(
    watched: Watched, broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path, which: str
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    outbox = Outbox(tmp_path / "outbox.sqlite")
    if which == "network":
        monkeypatch.setattr(Publisher, "_run", fail)
    else:
        monkeypatch.setattr(outbox, "work", fail)
    publisher = Publisher(settings(broker.port), "auscult/test/status", outbox=outbox)
    watched.publishing_with(publisher)
    publisher.open()
    publisher.start(wait_s=0.0)
    publisher.queue("auscult/test/pump1/event", b"{}", source="pump1", seq=1, closes=True)
    died = publisher._thread if which == "network" else outbox._thread
    assert died is not None
    died.join(10.0)
    assert not watched.is_fed()
    assert told(caplog)[-1].startswith("publishing makes no progress: the thread of the network or of the outbox is dead")
    monkeypatch.undo()
    publisher.stop(0.0)
    publisher._thread.join(10.0)
    publisher.stop(0.0)


def test_daemon_feeds_the_watchdog_while_it_makes_progress(broker: Broker, tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, np.random.default_rng(0).uniform(-0.1, 0.1, RATE_HZ), RATE_HZ)
    said = {"port": broker.port, "folder": str(tmp_path), "files": [str(sound)], "realtime": True, "loop": True}
    (tmp_path / "settings.json").write_text(json.dumps(said))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20.0)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        command = [sys.executable, "-m", "tests.edge.node.tiny_daemon", str(tmp_path / "settings.json")]
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.DEVNULL)
        try:
            assert systemd.recv(100).startswith(b"READY=1\n")
            assert [systemd.recv(100) for _ in range(2)] == [b"WATCHDOG=1", b"WATCHDOG=1"]
            process.terminate()
            while (said_last := systemd.recv(100)) == b"WATCHDOG=1":
                pass
            assert said_last == b"STOPPING=1"
            assert process.wait(20.0) == 0
        finally:
            process.kill()
            process.wait()
