"""A daemon that takes commands, and whoever gives them: with mosquitto_pub, through a real Mosquitto."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import soundfile

from edge.commands.schema import schema_document
from tests.broker import HOST, Broker, Subscriber

RATE_HZ = 16000
PROJECT = Path(__file__).parents[3]
SCHEMAS = schema_document()["topics"]


def publish(broker: Broker, verb: str, payload: str, *arguments: str) -> None:
    """Give a command, whether there is a node or not."""
    command = ["mosquitto_pub", "-h", HOST, "-p", str(broker.port), "-q", "1", "-t", f"auscult/test/cmd/{verb}", *arguments]
    subprocess.run([*command, "-s"], check=True, timeout=10, input=payload.encode())


class Node:
    """A daemon that takes commands, and one who listens to all it says."""

    def __init__(self, process: subprocess.Popen[bytes], broker: Broker, subscriber: Subscriber) -> None:
        self.process = process
        self.subscriber = subscriber
        self._broker = broker
        self._commands = 0

    def publish(self, verb: str, payload: str, *arguments: str) -> None:
        publish(self._broker, verb, payload, *arguments)

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Give a command and wait for its answer."""
        self._commands += 1
        transaction = f"{verb} {self._commands}"
        self.publish(verb, json.dumps({"transaction": transaction, **fields}))
        self.subscriber.wait_for(lambda _: self.answers(transaction))
        (answer,) = self.answers(transaction)
        jsonschema.validate(answer, SCHEMAS[f"auscult/<node>/response/{verb}"]["payload"])
        return answer

    def answers(self, transaction: object) -> list[dict[str, Any]]:
        answers = [json.loads(message.payload) for message in self.subscriber.messages if "/response/" in message.topic]
        return [answer for answer in answers if answer["transaction"] == transaction]

    def last(self, topic: str) -> Any:
        text = self.subscriber.texts(f"/{topic}")[-1]
        return json.loads(text) if text.startswith("{") else text

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.subscriber.texts("/event")]

    def wait_for(self, is_so: Any) -> None:
        self.subscriber.wait_for(lambda _: is_so())

    def stop(self) -> str:
        self.process.terminate()
        _, log = self.process.communicate(timeout=30.0)
        assert self.process.returncode == 0
        assert b"Traceback" not in log
        return log.decode()


@contextmanager
def node(folder: Path, broker: Broker, sound: Path, **settings: Any) -> Iterator[Node]:
    """The tiny daemon, on a file."""
    file = folder / "settings.json"
    told = {"port": broker.port, "folder": str(folder), "files": [str(sound)], "realtime": True, "loop": True, "commands": True, **settings}
    file.write_text(json.dumps(told))
    with started(["-m", "tests.edge.node.tiny_daemon", file], broker) as one:
        one.wait_for(lambda: one.subscriber.of("/score") and one.subscriber.of("/health"))
        if told["commands"]:
            one.wait_for(lambda: one.last("health")["commands"]["state"] == "subscribed")
        yield one


@contextmanager
def started(arguments: Sequence[str | Path], broker: Broker) -> Iterator[Node]:
    """A daemon that Python is to run so."""
    with broker.subscriber() as subscriber:
        process = subprocess.Popen([sys.executable, *arguments], cwd=PROJECT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            yield Node(process, broker, subscriber)
        finally:
            process.kill()
            process.communicate()


def write(path: Path, levels: list[float]) -> Path:
    """Half a second of noise at each level."""
    rng = np.random.default_rng(0)
    samples = np.concatenate([rng.uniform(-level, level, RATE_HZ // 2) for level in levels])
    soundfile.write(path, samples, RATE_HZ)
    return path
