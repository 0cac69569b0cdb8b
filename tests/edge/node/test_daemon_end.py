"""The daemon ends: each source, the clips and the broker are closed, whatever happens to the others."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.clips.clip_folder import ClipFolder
from edge.clips.clip_writer import ClipWriter
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.mqtt.publisher import Publisher
from edge.mqtt.settings import BrokerSettings
from edge.mqtt.topics import Topics
from edge.node.daemon import Daemon
from edge.node.health import HealthReporter, InferenceTimes
from edge.node.source_publisher import SourcePublisher
from edge.node.source_worker import MakeListener, SourceWorker
from tests.broker import HOST, Broker
from tests.edge.node.scripted_source import ScriptedSource, noise
from tests.edge.node.tiny_daemon import LoudnessListener, make_bundle

TOPICS = Topics("test")


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


class FailingListener(LoudnessListener):
    """Cannot be brought to an end."""

    def finish(self) -> list[Window | Event]:
        raise RuntimeError("out of memory")


class LastListener(LoudnessListener):
    """Hears one block, and somebody stops the daemon."""

    def push(self, samples: NDArray[np.float32]) -> list[Window | Event]:
        os.kill(os.getpid(), signal.SIGTERM)
        return super().push(samples)


def test_daemon_source_that_cannot_be_ended_does_not_keep_the_others_from_ending(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = Publisher(BrokerSettings(HOST, "auscult-test", broker.port), TOPICS.status)
    clip_writer = ClipWriter(ClipFolder(tmp_path / "clips", 86_400.0, 10**8))
    bundle = make_bundle(tmp_path / "pump.auscult")

    def worker(name: str, make_listener: MakeListener) -> SourceWorker:
        source = ScriptedSource([noise(1.0)])
        source.name = name
        return SourceWorker(source, bundle, make_listener, SourcePublisher(name, publisher, TOPICS), InferenceTimes())

    workers = {"pump1": worker("pump1", FailingListener), "pump2": worker("pump2", LastListener)}
    health = HealthReporter(InferenceTimes(), tmp_path)
    with broker.subscriber() as subscriber:
        with pytest.raises(RuntimeError, match="out of memory"):
            Daemon("test", workers, publisher, TOPICS, health, clip_writer=clip_writer).run()
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])
        for name in workers:
            assert subscriber.texts(f"/{name}/availability") == ["offline", "online", "offline"]
    assert not clip_writer._thread.is_alive()
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["pump1: could not be ended cleanly"]
