"""`auscult run` with somebody who watches: what comes, and what does not."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile
import yaml

from edge.bundles.bundle import Bundle
from edge.commands.schema import schema_document
from edge.mqtt.backoff import Backoff
from edge.mqtt.publisher import Publisher
from edge.mqtt.settings import BrokerSettings
from edge.remote.requests import LONGEST_WATCH_S
from tests.broker import HOST, Broker
from tests.bundles import RATE_HZ, CalibratedMachine, tampered
from tests.edge.remote.remote_node import PROJECT, Node, started

SCHEMA = schema_document()["topics"]["auscult/<node>/<source>/cells"]["payload"]
PROTOCOLS = ("5", "3.1.1")


def write_config(path: Path, broker: Broker, machine: CalibratedMachine, **more: Any) -> None:
    sound = path.parent / "fan.wav"
    if not sound.exists():
        soundfile.write(sound, machine.samples[: 12 * RATE_HZ], RATE_HZ, subtype="PCM_16")
    bundle = str(more.pop("bundle", machine.bundle))
    config = {
        "node": "test",
        "mqtt": {"host": HOST, "port": broker.port, "protocol": more.pop("protocol", "5")},
        "sources": {
            "pump1": {"bundle": bundle, "stdin": {"rate_hz": RATE_HZ, "format": "f32le"}},
            "fan2": {"bundle": bundle, "files": {"paths": [str(sound)], "realtime": True, "loop": True}},
        },
        "outbox": {"path": "outbox.sqlite"},
        "health": {"interval_s": 0.5},
        "commands": {"enabled": True},
        **more,
    }
    path.write_text(yaml.safe_dump(config))


class Listening:
    """A node whose sound on standard input a test gives piece by piece."""

    def __init__(self, node: Node, machine: CalibratedMachine) -> None:
        self.node = node
        self._samples = machine.samples
        self._heard = 0

    def hear(self, seconds: float) -> None:
        """More sound, and wait until it is scored."""
        assert self.node.process.stdin is not None
        count = round(seconds * RATE_HZ)
        part = self._samples[self._heard : self._heard + count]
        assert len(part) == count
        self._heard += count
        self.node.process.stdin.write(part.astype("<f4").tobytes())
        self.node.process.stdin.flush()
        heard_s = self._heard / RATE_HZ
        windows = int((heard_s - 10.0 - 1.5) / 0.5) + 1  # what the lag leaves
        self.node.wait_for(lambda: len(self.node.subscriber.of("/pump1/score")) >= windows)

    def ask(self, seconds: float, source: str = "pump1") -> dict[str, Any]:
        """Watch; as it has to be over either version of MQTT."""
        return self.node.ask("watch", source=source, seconds=seconds, sent_at=datetime.now(timezone.utc).isoformat())

    def cells(self, source: str = "pump1") -> list[dict[str, Any]]:
        """All messages so far."""
        return [json.loads(text) for text in self.node.subscriber.texts(f"/{source}/cells")]


@contextmanager
def listening(
    folder: Path, broker: Broker, machine: CalibratedMachine, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> Iterator[Listening]:
    monkeypatch.setenv("STATE_DIRECTORY", str(folder / "state"))
    write_config(folder / "config.yaml", broker, machine, **more)
    with started([PROJECT / "auscult.py", "run", "--config", folder / "config.yaml"], broker) as node:
        node.wait_for(lambda: node.subscriber.of("/health") and node.last("health")["commands"]["state"] == "subscribed")
        yield Listening(node, machine)
        assert node.stop()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_watch_comes_while_it_lasts_and_of_that_source_alone(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    with listening(tmp_path, broker, machine, monkeypatch, protocol=protocol) as one:
        if protocol == "3.1.1":
            time.sleep(5.1)  # in which a node over MQTT 3.1.1 takes no command
        one.hear(12.0)
        assert one.cells() == one.cells("fan2") == []
        asked_at = datetime.now(timezone.utc)
        answer = one.ask(LONGEST_WATCH_S)
        until = datetime.fromisoformat(answer["watched_until"].replace("Z", "+00:00"))
        assert timedelta(seconds=LONGEST_WATCH_S - 1) < until - asked_at < timedelta(seconds=LONGEST_WATCH_S + 30)
        one.hear(4.0)
        one.node.wait_for(lambda: len(one.cells()) >= 2)
        for cells in one.cells():
            jsonschema.validate(cells, SCHEMA)
            level = np.frombuffer(base64.b64decode(cells["level"]), np.uint8).reshape(cells["steps"], 16)
            anomaly = np.frombuffer(base64.b64decode(cells["anomaly"]), np.uint8).reshape(cells["steps"], 16)
            assert (cells["source"], cells["steps"], cells["step_s"]) == ("pump1", 2, 0.52)
            assert ((level > 20) & (level < 130)).all()
            assert (anomaly < 100).all()
        assert not any(message.retained or message.qos for message in one.node.subscriber.of("/cells"))
        assert one.cells("fan2") == []

        assert one.ask(0)["watched_until"] is None
        seen = len(one.cells())
        one.hear(3.0)
        assert len(one.cells()) == seen
        nowhere = one.ask(10, "fan9")
        assert nowhere["error"] == "no source is called 'fan9' here; there are fan2, pump1"


def test_watch_ends_by_itself_unless_it_is_renewed(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path, broker, machine, monkeypatch) as one:
        one.hear(12.0)
        one.ask(2.0)
        one.ask(4.0)
        asked_s = time.monotonic()
        time.sleep(2.2)
        one.hear(3.0)
        assert time.monotonic() - asked_s < 4.0, "the machine is too slow for this test"
        one.node.wait_for(lambda: one.cells())
        time.sleep(max(0.0, 4.2 - (time.monotonic() - asked_s)))
        seen = len(one.cells())
        one.hear(3.0)
        assert len(one.cells()) == seen


def test_watch_goes_on_over_a_reload(broker: Broker, machine: CalibratedMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(tmp_path, broker, machine, monkeypatch) as one:
        one.ask(300)
        one.ask(300, "fan2")
        one.hear(13.0)
        one.node.wait_for(lambda: one.cells() and len(one.cells("fan2")) > 2)
        told = [(datetime.fromisoformat(cells["t_start"].replace("Z", "+00:00")), cells["steps"]) for cells in one.cells("fan2")]
        for (start, steps), (following, _) in pairwise(told):
            assert following - start == timedelta(seconds=0.52 * steps)
        assert one.cells()[0]["steps"] == 19  # all of the first window
        write_config(tmp_path / "config.yaml", broker, machine, events={"cooldown_s": 2})
        os.kill(one.node.process.pid, signal.SIGHUP)
        one.node.wait_for(lambda: (one.node.last("health")["reload"] or {}).get("result") == "applied")
        seen, seen_fan = len(one.cells()), len(one.cells("fan2"))
        one.hear(4.0)
        one.node.wait_for(lambda: len(one.cells()) > seen and len(one.cells("fan2")) > seen_fan)

        other = tampered(machine.bundle, tmp_path / "other.auscult", lambda manifest, *_: manifest["threshold"].update(score_scale=1.0))
        write_config(tmp_path / "config.yaml", broker, machine, events={"cooldown_s": 2}, bundle=other)
        os.kill(one.node.process.pid, signal.SIGHUP)
        sha256 = Bundle.read(other).sha256
        one.node.wait_for(lambda: one.node.last("info")["sources"]["fan2"]["bundle"] == f"sha256:{sha256}")
        seen, seen_fan = len(one.cells()), len(one.cells("fan2"))
        one.hear(4.0)
        one.node.wait_for(lambda: len(one.cells()) > seen and len(one.cells("fan2")) > seen_fan + 1)
        ends = [datetime.fromisoformat(cells["t_start"].replace("Z", "+00:00")) for cells in one.cells("fan2")]
        assert all(following - start >= timedelta(seconds=1.04) for start, following in pairwise(ends))  # no step is told twice


def test_watch_that_is_not_allowed_is_answered_so(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path, broker, machine, monkeypatch, commands={"enabled": True, "allow": ["info"]}) as one:
        assert "not allowed on this node" in one.ask(10)["error"]
        one.hear(13.0)
        assert one.cells() == []


def test_watch_broker_that_does_not_keep_up_loses_cells_and_no_event(broker: Broker) -> None:
    settings = BrokerSettings(HOST, "auscult-test", broker.port)
    publisher = Publisher(settings, "auscult/test/status", backoff=Backoff(0.1, 0.2))
    cells, count = json.dumps({"level": "A" * 2000}).encode(), 8000
    with broker.subscriber() as subscriber:
        publisher.open()
        publisher.start()
        try:
            broker.signal(signal.SIGSTOP)
            for number in range(count):
                publisher.send("auscult/test/pump1/cells", cells)
                if number % 1000 == 0:
                    publisher.queue("auscult/test/pump1/event", b'{"n":%d}' % number, source="pump1", seq=number, closes=False)
            broker.signal(signal.SIGCONT)
            subscriber.wait_for(lambda s: len(s.of("/event")) == 8)
            subscriber.wait_for(lambda _: publisher.idle)
            assert 0 < len(subscriber.of("/cells")) < count
        finally:
            broker.signal(signal.SIGCONT)
            publisher.stop()
