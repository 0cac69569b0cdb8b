"""A real `auscult run` that serves metrics: a steady machine, then a fault that opens an event."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.broker import HOST, Broker, Subscriber, free_port
from tests.bundles import RATE_HZ, CalibratedMachine

PROJECT = Path(__file__).parents[3]
Samples = dict[str, list[tuple[dict[str, str], float]]]


class Scraped:
    """A daemon and where its metrics are."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, subscriber: Subscriber, path: Path, config: dict[str, Any]) -> None:
        self.process, self.port, self.subscriber, self.path, self.config = process, port, subscriber, path, config

    def text(self) -> str:
        """One scrape."""
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics", timeout=20.0) as answer:
            return str(answer.read().decode())

    def samples(self) -> Samples:
        """One scrape, by the name of the sample."""
        found: Samples = {}
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found


def _wait_for_quiet(subscriber: Subscriber) -> None:
    """Until all that was heard has been scored and told."""
    count = -1
    while len(subscriber.texts("/pump1/score")) != count:
        count = len(subscriber.texts("/pump1/score"))
        time.sleep(2.0)


@contextmanager
def scraped(folder: Path, broker: Broker, machine: CalibratedMachine, **sections: Any) -> Iterator[Scraped]:
    """Sound is heard until an event is open."""
    port = free_port()
    config = {
        "node": "test",
        "mqtt": {"host": HOST, "port": broker.port},
        "outbox": {"path": str(folder / "outbox.sqlite")},
        "health": {"interval_s": 0.5},
        "sources": {"pump1": {"bundle": str(machine.bundle), "stdin": {"rate_hz": RATE_HZ, "format": "f32le"}}},
        "metrics": {"listen": f"{HOST}:{port}"},
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    command: list[str | Path] = [sys.executable, PROJECT / "auscult.py", "run", "--config", path]
    tone = 0.3 * np.sin(2 * np.pi * 3300.0 / RATE_HZ * np.arange(4 * RATE_HZ))  # (n,)
    with broker.subscriber() as subscriber:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            assert process.stdin is not None
            process.stdin.write(machine.samples[: 12 * RATE_HZ].astype("<f4").tobytes())
            process.stdin.write((machine.samples[12 * RATE_HZ : 16 * RATE_HZ] + tone).astype("<f4").tobytes())
            process.stdin.flush()
            subscriber.wait_for(lambda s: s.texts("/pump1/event"))
            _wait_for_quiet(subscriber)
            yield Scraped(process, port, subscriber, path, config)
        finally:
            process.kill()
            process.communicate()
