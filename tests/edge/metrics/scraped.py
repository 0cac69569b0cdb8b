"""A real `auscult run` that serves metrics: a steady machine, then a fault that opens an event."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.broker import HOST, Broker, Subscriber, free_port
from tests.bundles import RATE_HZ, CalibratedMachine, Float32

PROJECT = Path(__file__).parents[3]
BLOCK_S = 0.5
NORMAL_S = 12.0  # then the fault begins, and does not end
Samples = dict[str, list[tuple[dict[str, str], float]]]


class Scraped:
    """A daemon and where its metrics are."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, subscriber: Subscriber, path: Path, config: dict[str, Any], over: threading.Event
    ) -> None:
        self.process, self.port, self.subscriber, self.path, self.config, self.over = process, port, subscriber, path, config, over

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


@contextmanager
def scraped(folder: Path, broker: Broker, machine: CalibratedMachine, **sections: Any) -> Iterator[Scraped]:
    """A machine that has begun to sound wrong: an event is open, and goes on."""
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
    with broker.subscriber() as subscriber:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        over = threading.Event()
        feeder = threading.Thread(target=_feed, args=(process.stdin, machine.samples, over))
        try:
            feeder.start()
            subscriber.wait_for(lambda s: s.texts("/pump1/event"), 60.0)
            yield Scraped(process, port, subscriber, path, config, over)
        finally:
            over.set()
            process.kill()
            feeder.join(30.0)
            process.communicate()


def _feed(pipe: IO[bytes], samples: Float32, over: threading.Event) -> None:
    """The machine as fast as it is taken, and from the fault on as fast as it is heard: a source that is not fed is away."""
    tone = 0.3 * np.sin(2 * np.pi * 3300.0 / RATE_HZ * np.arange(BLOCK_S * RATE_HZ)).astype(np.float32)  # (n,) a whole number of periods
    block = len(tone)
    with suppress(BrokenPipeError):
        for first in itertools.count(0, block):
            is_wrong = first >= NORMAL_S * RATE_HZ
            heard = samples[first % (len(samples) - block) :][:block] + (tone if is_wrong else 0.0)
            pipe.write(heard.astype("<f4").tobytes())
            pipe.flush()
            if over.wait(BLOCK_S if is_wrong else 0.0):
                return
