"""Unexpected errors of one source among others."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

from edge.bundles.bundle import Bundle
from edge.errors import DeviceError
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.mqtt.backoff import Backoff
from edge.mqtt.publisher import Publisher
from edge.mqtt.settings import BrokerSettings
from edge.mqtt.topics import Topics
from edge.node import source_keeper
from edge.node.daemon import Daemon
from edge.node.health import HealthReporter, InferenceTimes
from edge.node.shared import SharedError
from edge.node.source_publisher import SourcePublisher
from edge.node.source_report import source_health
from edge.node.source_worker import SourceWorker
from tests.broker import HOST, Broker
from tests.edge.node.scripted_source import RATE_HZ, Said, ScriptedSource, make_worker, noise
from tests.edge.node.test_source_trouble import settle
from tests.edge.node.tiny_daemon import LoudnessListener, make_bundle

TOPICS = Topics("test")
ERRORS = [RuntimeError("no\nkernel"), MemoryError("std::bad_alloc"), RuntimeException("[ONNXRuntimeError] : 6 : Non-zero status code")]


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_keeper, "RETRY_FIRST_S", 0.0)
    monkeypatch.setattr(source_keeper, "RETRY_LONGEST_S", 0.0)


class Faulty:
    """Makes listeners of which the first ones fail with their so-manieth block."""

    def __init__(self, error: Exception, *fail_at: int) -> None:
        self.made = 0
        self._error = error
        self._fail_at = fail_at

    def __call__(self, rate_hz: int) -> LoudnessListener:
        blocks = 0
        fail_at = self._fail_at[self.made] if self.made < len(self._fail_at) else 0
        self.made += 1

        class Listener(LoudnessListener):
            def push(listener, samples: NDArray[np.float32]) -> list[Window | Event]:  # noqa: N805
                nonlocal blocks
                blocks += 1
                if blocks == fail_at:
                    raise self._error
                return super().push(samples)

        return Listener(rate_hz)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_worker_error_that_is_unexpected_interrupts_the_source_which_starts_again(
    error: Exception, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource([noise(1.0, 0.9, heard_at_s=1001.0), noise(1.0, 0.9, heard_at_s=1002.0)])
    worker, said = make_worker(source, tmp_path, Faulty(error, 2))
    worker.open()
    assert [worker.step(), worker.step()] == [True, True]
    told = f"failed unexpectedly ({type(error).__name__}: {' '.join(str(error).split())}); the log has the details"
    assert (source_health(worker).availability, source_health(worker).reason, source_health(worker).warnings) == ("offline", told, [told])
    assert not worker.finished
    opened, closed = said.of("event")
    assert (opened["type"], closed["type"], closed["interrupted"]) == ("opened", "closed", True)
    assert (closed["id"], closed["seq"], closed["t_end"]) == (opened["id"], 2, opened["t_end"])
    assert said.of("state") == ["OFF", "ON", "OFF"]
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING and "event" not in record.message]
    assert (record.levelname, record.message) == ("ERROR", f"pump1: {told}; trying again, every 0 s at the latest")
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    settle(worker, source)
    source.steps = [noise(1.5, 0.9), noise(0.5)]
    assert [worker.step(), worker.step()] == [True, True]
    assert source.opened == 2
    assert said.of("availability") == ["offline", "online", "offline", "online"]
    assert [event["type"] for event in said.of("event")] == ["opened", "closed", "opened", "closed"]
    assert [event["seq"] for event in said.of("event")] == [1, 2, 3, 4]
    assert not said.of("event")[3]["interrupted"]
    assert len(said.of("score")) == 2 + 4
    assert (source_health(worker).availability, source_health(worker).warnings) == ("online", [told])


def test_worker_error_again_and_again_is_one_line_until_the_source_has_worked_for_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ScriptedSource()
    worker, _ = make_worker(source, tmp_path, Faulty(RuntimeError("no kernel"), 2, 2, 2, 3, 2))
    waits: list[int] = []
    backoff = worker.keeper._backoff

    def next_s() -> float:
        waits.append(backoff._tries)
        return Backoff.next_s(backoff)

    monkeypatch.setattr(backoff, "next_s", next_s)
    monkeypatch.setattr(backoff, "_first_s", 1e-9)
    monkeypatch.setattr(backoff, "_longest_s", 1e-6)

    def fail(after: int) -> None:
        source.steps = [noise(1.0)] * after
        for _ in range(after):
            worker.step()
        assert source_health(worker).availability == "offline"
        settle(worker, source)

    worker.open()
    for _ in range(3):
        fail(2)
    assert waits == [0, 1, 2]  # each wait may be twice as long
    source.steps = [noise(1.0)]
    worker.step()
    worker.keeper._opened_s -= source_keeper.LASTING_S
    source.steps = [noise(1.0)]
    worker.step()
    assert source_health(worker).warnings == []
    fail(1)
    fail(2)
    assert waits == [0, 1, 2, 0, 1]
    lines = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lines) == 2
    assert all("failed unexpectedly (RuntimeError: no kernel)" in line for line in lines)


@pytest.mark.parametrize("place", ["make", "open", "read", "publish", "close"])
def test_worker_error_anywhere_in_its_turn_is_its_own(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ZeroDivisionError("nobody foresaw")
    source = ScriptedSource(
        [noise(1.0), error] if place == "read" else [noise(1.0), noise(1.0)], [error, RATE_HZ] if place == "open" else [RATE_HZ]
    )
    made = 0

    def make_listener(rate_hz: int) -> LoudnessListener:
        nonlocal made
        made += 1
        if place == "make" and made == 1:
            raise error
        return LoudnessListener(rate_hz)

    worker, said = make_worker(source, tmp_path, make_listener)
    if place == "publish":
        level, calls = worker.publisher.level, iter([error])

        def tell(*arguments: Any) -> None:
            for one in calls:
                raise one
            level(*arguments)

        monkeypatch.setattr(worker.publisher, "level", tell)
    if place == "close":
        monkeypatch.setattr(source, "close", fail_with(error))
        source.steps = [noise(1.0), DeviceError("usb", "gone")]
    worker.open()
    while source.steps and worker.keeper.is_open:
        worker.step()
    assert (worker.finished, source_health(worker).availability) == (False, "offline")
    settle(worker, source)
    source.steps = [noise(1.0)]
    assert worker.step()
    assert source_health(worker).availability == "online"
    assert said.of("availability")[-2:] == ["offline", "online"]


def fail_with(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def daemon_of(
    said: Said, bundle: Bundle, folder: Path, **listeners: Callable[[int], LoudnessListener]
) -> tuple[Daemon, dict[str, SourceWorker]]:
    """Each source hears the same: four seconds, of which the third is loud."""
    workers = {}
    for name, make_listener in listeners.items():
        source = ScriptedSource([noise(1.0, level, heard_at_s=1000.0 + at) for at, level in enumerate((0.1, 0.9, 0.1, 0.9))])
        source.name = name
        workers[name] = SourceWorker(source, bundle, make_listener, SourcePublisher(name, cast(Publisher, said), TOPICS), InferenceTimes())
    return Daemon("test", workers, cast(Publisher, said), TOPICS, HealthReporter(InferenceTimes(), folder)), workers


def heard_of(said: Said, name: str) -> list[Any]:
    """All that was said of a source but when, in which epoch and under which id."""
    left_out = ("t", "t_start", "t_end", "latency_ms", "id", "seq", "clock_synced")
    messages = [(topic, payload) for topic, payload in said.messages if f"/{name}/" in topic]
    return [(topic, {k: v for k, v in p.items() if k not in left_out} if isinstance(p, dict) else p) for topic, p in messages]


def test_daemon_other_sources_do_not_notice_an_error_of_one(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "pump.auscult")
    heard = []
    for make_listener in (LoudnessListener, Faulty(MemoryError(), 3)):
        said = Said()
        daemon, workers = daemon_of(said, bundle, tmp_path, bad=make_listener, good=LoudnessListener)
        for worker in workers.values():
            worker.open()
        deadline_s = time.monotonic() + 10.0
        while any(cast(ScriptedSource, worker.source).steps for worker in workers.values()) and time.monotonic() < deadline_s:
            daemon._take_turn()
        heard.append(heard_of(said, "good"))
        assert source_health(workers["good"]).availability == "online"
    assert heard[0] == heard[1]
    assert len([topic for topic, _ in heard[0] if topic.endswith("/score")]) == 8


def test_daemon_continues_when_a_source_fails_and_hears_it_again(broker: Broker, tmp_path: Path) -> None:
    publisher = Publisher(BrokerSettings(HOST, "auscult-test", broker.port), TOPICS.status)
    sources = {name: ScriptedSource([noise(1.0, 0.9)] * 3) for name in ("bad", "good")}

    class Listener(LoudnessListener):
        def push(self, samples: NDArray[np.float32]) -> list[Window | Event]:
            if not any(source.steps for source in sources.values()):
                os.kill(os.getpid(), signal.SIGTERM)  # all is heard
            return super().push(samples)

    class Failing(Listener):
        def push(self, samples: NDArray[np.float32]) -> list[Window | Event]:
            if len(sources["bad"].steps) == 1:
                raise MemoryError
            return super().push(samples)

    bundle = make_bundle(tmp_path / "pump.auscult")
    workers = {}
    for name, source in sources.items():
        source.name = name
        make_listener = Failing if name == "bad" else Listener
        workers[name] = SourceWorker(source, bundle, make_listener, SourcePublisher(name, publisher, TOPICS), InferenceTimes())
    with broker.subscriber() as subscriber, kept_handlers():
        assert Daemon("test", workers, publisher, TOPICS, HealthReporter(InferenceTimes(), tmp_path)).run() == 0
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])
        assert subscriber.texts("/bad/availability") == ["offline", "online", "offline", "online", "offline"]
        assert subscriber.texts("/good/availability") == ["offline", "online", "offline"]
        assert len(subscriber.texts("/good/score")) == 6
        events = [json.loads(text) for text in subscriber.texts("/bad/event")]
    assert [(event["seq"] - events[0]["seq"], event["type"], event["interrupted"]) for event in events] == [
        (0, "opened", False), (1, "closed", True), (2, "opened", False), (3, "closed", False),
    ]  # fmt: skip


@contextmanager
def kept_handlers() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_daemon_error_of_what_all_sources_share_is_not_one_of_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Said()
    daemon, workers = daemon_of(said, make_bundle(tmp_path / "pump.auscult"), tmp_path, pump1=LoudnessListener)
    workers["pump1"].open()
    monkeypatch.setattr(said, "queue", lambda *_arguments, **_event: [][0])
    assert daemon._take_turn()
    with pytest.raises(SharedError, match="IndexError"):
        daemon._take_turn()  # which opens an event


def test_worker_error_in_the_last_window_of_a_stream_ends_it_with_that_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Listener(LoudnessListener):
        def finish(self) -> list[Window | Event]:
            raise MemoryError

    source = ScriptedSource([noise(1.0, 0.9), None])
    worker, said = make_worker(source, tmp_path, Listener)
    worker.open()
    worker.step()
    source.finished = True
    worker.step()
    assert worker.finished
    assert isinstance(worker.error, MemoryError)
    assert (said.of("event")[-1]["type"], said.of("event")[-1]["interrupted"]) == ("closed", True)
    assert said.of("availability") == ["offline", "online", "offline"]
    assert [record.message for record in caplog.records if record.exc_info] == ["pump1: could not be ended cleanly"]


def test_worker_error_while_the_bundle_is_changed_is_its_own_and_the_new_bundle_listens_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(LoudnessListener):
        def end_event(self) -> list[Window | Event]:
            raise MemoryError

    source = ScriptedSource([noise(1.0)])
    worker, _ = make_worker(source, tmp_path, Stuck)
    worker.open()
    worker.step()
    bundle = make_bundle(tmp_path / "new.auscult")
    worker.change_bundle(bundle, LoudnessListener, None)
    assert (source_health(worker).availability, worker.bundle) == ("offline", bundle)
    settle(worker, source)
    source.steps = [noise(1.0)]
    worker.step()
    assert source_health(worker).availability == "online"
