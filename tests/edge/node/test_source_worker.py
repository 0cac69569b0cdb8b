from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edge.mqtt.publisher import Publisher
from edge.mqtt.settings import BrokerSettings
from edge.mqtt.topics import Topics
from edge.node import source_keeper, source_worker
from edge.node.health import InferenceTimes
from edge.node.source_publisher import SourcePublisher
from edge.node.source_report import source_health
from edge.node.source_worker import SourceWorker
from edge.sources import Microphone
from tests.broker import HOST, Broker
from tests.edge.node.tiny_daemon import LoudnessListener, make_bundle
from tests.pulse import MICROPHONE, SINK_RATE_HZ, PulseServer


@contextmanager
def listening(broker: Broker, folder: Path) -> Iterator[SourceWorker]:
    """A worker that listens to the microphone in a thread of its own."""
    topics = Topics("test")
    publisher = Publisher(BrokerSettings(HOST, "auscult-test", broker.port), topics.status)
    publisher.start()
    bundle = make_bundle(folder / "pump1.auscult")
    source_publisher = SourcePublisher("pump1", publisher, topics)
    worker = SourceWorker(Microphone("pump1", MICROPHONE), bundle, LoudnessListener, source_publisher, InferenceTimes())
    worker.open()
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            if not worker.step():
                time.sleep(0.02)
        worker.finish()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield worker
    finally:
        over.set()
        thread.join(10.0)
        publisher.stop()


def wait_until(is_so: Callable[[], object], timeout_s: float = 15.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline_s:
            pytest.fail("did not come about in time")
        time.sleep(0.02)


def test_source_worker_microphone_unplugged_is_offline_until_it_is_back(
    pulse: PulseServer, broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_worker, "REOPEN_AFTER_S", 0.5)
    monkeypatch.setattr(source_keeper, "RETRY_LONGEST_S", 0.2)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 30 * SINK_RATE_HZ).astype(np.float32)
    with broker.subscriber() as subscriber:
        pulse.play(noise)
        with listening(broker, tmp_path) as worker:
            subscriber.wait_for(lambda s: s.texts("/availability") == ["offline", "online"], 20.0)
            pulse.stop()
            subscriber.wait_for(lambda s: s.texts("/availability") == ["offline", "online", "offline"], 20.0)
            pulse.start()
            pulse.play(noise)
            subscriber.wait_for(
                lambda s: s.texts("/availability")[-2:] == ["offline", "online"] and len(s.texts("/availability")) == 4, 20.0
            )
            assert source_health(worker).lost_s > 0.4
            wait_until(lambda: any(json.loads(text)["lost_s"] > 0.4 for text in subscriber.texts("/score")))
        subscriber.wait_for(lambda s: s.texts("/availability")[-1] == "offline")
