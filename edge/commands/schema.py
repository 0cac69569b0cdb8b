"""Print the JSON Schema of every MQTT payload, by topic: what the node publishes, and the commands that it accepts."""

from __future__ import annotations

import argparse
import json
from typing import Any

import msgspec

from edge.mqtt import payloads
from edge.mqtt.topics import Topics
from edge.remote.requests import REQUESTS
from edge.remote.responses import RESPONSES

EXAMPLE = """example:
  auscult schema | jq '.topics["auscult/<node>/<source>/score"].payload'
  auscult schema | jq '.commands["auscult/<node>/cmd/snooze"].payload'"""


# (method of Topics, QoS, retained, payload). Its docstring says what the topic is for.
_TOPICS: tuple[tuple[str, int, bool, Any], ...] = (
    ("status", 1, True, payloads.Status),
    ("info", 1, True, payloads.InfoPayload),
    ("health", 1, True, payloads.HealthPayload),
    ("availability", 1, True, payloads.Status),
    ("state", 1, True, payloads.State),
    ("event", 1, False, payloads.EventPayload),
    ("learning", 1, True, payloads.LearningPayload),
    ("drift", 1, True, payloads.DriftPayload),
    ("score", 0, False, payloads.ScorePayload),
    ("level", 0, False, payloads.LevelPayload),
    ("cells", 0, False, payloads.CellsPayload),
)


def schema_document() -> dict[str, Any]:
    """Return the JSON Schema of every payload by topic; each `payload` is a whole schema of its own."""
    topics = Topics("<node>")
    published: dict[str, Any] = {}
    for name, qos, retained, payload in _TOPICS:
        topic = getattr(topics, name)
        published[topic if isinstance(topic, str) else topic("<source>")] = (qos, retained, payload, getattr(Topics, name).__doc__)
    answers = {topics.response(verb): (1, False, payload, payload.__doc__) for verb, payload in RESPONSES.items()}
    commands = {topics.command(verb): (1, False, payload, payload.__doc__) for verb, payload in REQUESTS.items()}
    return {
        "schema": payloads.SCHEMA_VERSION,
        "topics": {topic: _topic(topic, *entry) for topic, entry in (published | answers).items()},
        "commands": {topic: _topic(topic, *entry) for topic, entry in commands.items()},
    }


def _topic(topic: str, qos: int, retained: bool, payload: Any, description: str | None) -> dict[str, Any]:
    is_text = not (isinstance(payload, type) and issubclass(payload, msgspec.Struct))
    return {
        "description": " ".join((description or "").split()),
        "qos": qos,
        "retained": retained,
        "content_type": "text/plain" if is_text else "application/json",
        "payload": {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": topic, **msgspec.json.schema(payload)},
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXAMPLE


def run(_args: argparse.Namespace) -> int:
    """Print the document."""
    print(json.dumps(schema_document(), indent=2))
    return 0
