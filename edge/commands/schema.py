"""Print one JSON document with the JSON Schema of every MQTT payload, by topic: what the node publishes, and what it may be asked."""

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


def schema_document() -> dict[str, Any]:
    """Return the JSON Schema of every payload by topic; each `payload` is a whole schema of its own."""
    topics = Topics("<node>")
    source = "<source>"
    table: list[tuple[str, int, bool, Any]] = [  # (topic, QoS, retained, payload)
        (topics.status, 1, True, payloads.Status),
        (topics.info, 1, True, payloads.InfoPayload),
        (topics.health, 1, True, payloads.HealthPayload),
        (topics.availability(source), 1, True, payloads.Status),
        (topics.score(source), 0, False, payloads.ScorePayload),
        (topics.state(source), 1, True, payloads.State),
        (topics.event(source), 1, False, payloads.EventPayload),
        (topics.level(source), 0, False, payloads.LevelPayload),
        *((topics.response(verb), 1, False, payload) for verb, payload in RESPONSES.items()),
    ]
    commands: list[tuple[str, int, bool, Any]] = [(topics.command(verb), 1, False, payload) for verb, payload in REQUESTS.items()]
    return {
        "schema": payloads.SCHEMA_VERSION,
        "topics": {topic: _topic(topic, qos, retained, payload) for topic, qos, retained, payload in table},
        "commands": {topic: _topic(topic, qos, retained, payload) for topic, qos, retained, payload in commands},
    }


def _topic(topic: str, qos: int, retained: bool, payload: Any) -> dict[str, Any]:
    is_text = not (isinstance(payload, type) and issubclass(payload, msgspec.Struct))
    return {
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
