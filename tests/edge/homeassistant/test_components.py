"""What Home Assistant is told: what its documentation allows, and templates that become what they should."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import jinja2
import jsonschema
import pytest

from edge.config.schema import VERBS, Verb
from edge.homeassistant.components import KINDS, UPDATE_S, device_payload
from edge.mqtt.topics import Topics
from edge.remote.requests import RecalibrateRequest, Request, SnoozeRequest, parse_request
from tests.edge.homeassistant.discovery_schema import DISCOVERY

TOPICS = Topics("workshop")
NOW = datetime(2026, 11, 29, 12, 0, 0, 123456, timezone.utc)


def payload(sources: Sequence[str] = ("pump1", "fan-2"), gone: Sequence[str] = (), verbs: Sequence[Verb] = VERBS) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(device_payload(TOPICS, sources, gone, verbs, has_board=True)))
    return made


def rendered(template: str, **values: Any) -> str:
    """As Home Assistant renders a template, with those of its functions that ours use."""

    def as_float(value: Any, default: Any) -> Any:
        try:
            return float(value)
        except (TypeError, ValueError):
            return default

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters |= {"to_json": json.dumps, "float": as_float}
    environment.globals |= {"utcnow": lambda: NOW, "now": lambda: NOW}
    return environment.from_string(template).render(**values)


def entities(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {key: component for key, component in made["components"].items() if len(component) > 1}


@pytest.mark.parametrize("verbs", [(), ("info",), ("snooze",), VERBS])
@pytest.mark.parametrize("has_board", [True, False])
def test_payload_is_as_documented(verbs: Sequence[Verb], has_board: bool) -> None:
    made = json.loads(json.dumps(device_payload(TOPICS, ["pump1", "a", "x_-9"], ["old", "older"], verbs, has_board)))
    jsonschema.Draft202012Validator(DISCOVERY).validate(made)
    ids = [component["unique_id"] for component in entities(made).values()]
    names = [component["name"] for component in entities(made).values()]
    assert len(set(ids)) == len(ids)
    assert len(set(names)) == len(names)


def test_payload_ids_of_different_nodes_and_sources_never_meet() -> None:
    one = device_payload(Topics("a"), ["b_c"], [], VERBS, True)
    other = device_payload(Topics("a_b"), ["c"], [], VERBS, True)
    ids = [{component["unique_id"] for component in entities(made).values()} for made in (one, other)]
    assert not ids[0] & ids[1]


def test_payload_source_is_there_only_while_node_and_source_are() -> None:
    for kind in ("problem", "score", "level", "event"):
        component = payload()["components"][f"pump1.{kind}"]
        assert component["availability_mode"] == "all"
        assert component["availability"] == [{"topic": "auscult/workshop/status"}, {"topic": "auscult/workshop/pump1/availability"}]
    assert payload()["availability"] == [{"topic": "auscult/workshop/status"}]


def test_payload_gone_source_and_missing_buttons_are_removed() -> None:
    made = payload(["pump1"], ["fan-2"], ["snooze"])
    assert {key for key, component in made["components"].items() if component == {"platform": "button"}} == {
        "pump1.recalibrate",
        "fan-2.snooze",
        "fan-2.end_snooze",
        "fan-2.recalibrate",
    }
    assert {key: component for key, component in made["components"].items() if key.startswith("fan-2.")} == {
        f"fan-2.{kind}": {"platform": platform} for kind, platform in KINDS.items()
    }
    assert not [key for key in entities(payload(verbs=())) if "snooze" in key or "recalibrate" in key or key == "last_command"]


@pytest.mark.parametrize(
    ("key", "verb", "expected"),
    [
        ("fan-2.snooze", "snooze", {"source": "fan-2", "minutes": 60.0}),
        ("fan-2.end_snooze", "snooze", {"source": "fan-2", "minutes": 0.0}),
        ("pump1.recalibrate", "recalibrate-threshold", {"source": "pump1", "reset": False}),
    ],
)
def test_button_gives_a_command_that_is_taken_over_both_versions_of_mqtt(key: str, verb: Verb, expected: dict[str, Any]) -> None:
    button = payload()["components"][key]
    assert (button["command_topic"], button["qos"], button["retain"]) == (f"auscult/workshop/cmd/{verb}", 1, False)
    request: Request = parse_request(verb, rendered(button["command_template"]).encode())
    assert isinstance(request, SnoozeRequest | RecalibrateRequest)
    assert request.sent_at == NOW
    assert isinstance(request.transaction, str)
    assert NOW.isoformat() in request.transaction
    assert {name: getattr(request, name) for name in expected} == expected


def score(new: float | None, state: str, ago_s: float) -> str:
    this = SimpleNamespace(state=state, last_updated=NOW - timedelta(seconds=ago_s))
    return rendered(payload()["components"]["pump1.score"]["value_template"], value_json=SimpleNamespace(score=new), this=this)


@pytest.mark.parametrize(
    ("new", "state", "ago_s", "expected"),
    [
        (0.42, "unknown", 0.1, "0.42"),
        (0.42, "unavailable", 0.1, "0.42"),
        (0.42, "0.3", UPDATE_S - 0.1, "0.3"),
        (0.42, "0.3", UPDATE_S, "0.42"),
        (1.0, "0.99", 0.1, "1.0"),
        (0.99, "1.5", 0.1, "0.99"),
        (1.7, "1.5", 0.1, "1.5"),
        (None, "0.3", 0.1, "None"),
    ],
)
def test_score_changes_now_and_then_and_at_the_threshold(new: float | None, state: str, ago_s: float, expected: str) -> None:
    assert score(new, state, ago_s) == expected


def test_event_is_told_by_its_type_and_what_matters_of_it() -> None:
    told = {"type": "opened", "id": "01", "t_start": "a", "t_end": "b", "peak_score": 1.5, "regions": [{"t0_s": 0.0}], "replayed": False}
    told |= {"interrupted": False, "clip": None, "seq": 7, "bundle": "sha256:"}
    component = payload()["components"]["pump1.event"]
    made = json.loads(rendered(component["value_template"], value_json=told))
    assert made["event_type"] in component["event_types"]
    assert made["regions"] == [{"t0_s": 0.0}]
    assert "bundle" not in made


LISTENING = {"fan-2": {"reason": None, "learning": {"state": "listening"}}}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"fan-2": {"reason": None}}, "ok"),
        ({"fan-2": {"reason": "x" * 300}}, "x" * 250),
        ({}, "ok"),
        (LISTENING, "listening, no alarms yet"),
    ],
)
def test_status_is_the_reason_or_ok(sources: dict[str, Any], expected: str) -> None:
    template = payload()["components"]["fan-2.reason"]["value_template"]
    assert rendered(template, value_json=SimpleNamespace(sources=sources)) == expected


def test_health_that_is_not_known_is_none() -> None:
    health = SimpleNamespace(temperature_c=None, rss_mb=1.5, disk_free_fraction=None, lag_s=None, lost_s=0.0, throttled=None)
    health.outbox = SimpleNamespace(depth=3)
    made = payload()["components"]
    found = {key: rendered(made[key]["value_template"], value_json=health) for key in ("temperature", "memory", "disk", "lag", "throttled")}
    assert found == {"temperature": "None", "memory": "1.5", "disk": "None", "lag": "None", "throttled": "OFF"}
    health.disk_free_fraction = 0.12345
    assert rendered(made["disk"]["value_template"], value_json=health) == "12.3"
    assert rendered(made["waiting"]["value_template"], value_json=health) == "3"


def test_last_command_shows_errors_and_not_the_answers_to_who_watches() -> None:
    template = payload()["components"]["last_command"]["value_template"]
    this = SimpleNamespace(state="before")

    class Answer(dict[str, Any]):
        __getattr__ = dict.__getitem__

    assert rendered(template, value_json=Answer(error=None), this=this) == "done"
    assert rendered(template, value_json=Answer(error="no source"), this=this) == "no source"
    assert rendered(template, value_json=Answer(error=None, watched_until=None), this=this) == "before"
