"""The metrics of a real `auscult run` are the numbers that it publishes, and Grafana, Prometheus and Telegraf find what they ask for."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.node.node_report import KEPT_S
from tests.broker import Broker
from tests.bundles import CalibratedMachine
from tests.edge.metrics.scraped import PROJECT, Samples, Scraped, scraped

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLES = PROJECT / "docs" / "examples"
# Of devices that have them, and when there is something to tell: named in docs/metrics.md, and not sent by this computer.
SOMETIMES = {"auscult_temperature_celsius", "auscult_throttled", "auscult_outbox_oldest_age_seconds"}
UNITS = ("seconds", "bytes", "ratio", "celsius", "hertz", "dbfs")
PROCESS = "process_"


def test_metrics_of_a_running_node(broker: Broker, machine: CalibratedMachine, tmp_path: Path) -> None:
    """One daemon for all of it: starting it is what takes long."""
    with scraped(tmp_path, broker, machine, commands={"enabled": True}, clips={"enabled": True}) as node:
        before = Told.by(node)
        samples = node.samples()
        check_numbers(samples, before, Told.by(node), node)
        check_names(node.text())
        check_grafana(samples)
        check_rules(samples)
        check_telegraf(samples, node)
        check_page(samples)
        check_reload(node)
        node.over.set()
        node.process.send_signal(signal.SIGTERM)
        _, log = node.process.communicate(timeout=60.0)
    assert node.process.returncode == 0
    lines = log.decode().splitlines()
    assert sum("metrics: http://127.0.0.1:" in line for line in lines) == 1
    assert not [line for line in lines if "Traceback" in line or "no password" in line]


def value(samples: Samples, name: str, **labels: str) -> float:
    (found,) = [value for at, value in samples[name] if at.items() >= labels.items()]
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """What a subscriber has received."""

    windows: list[dict[str, Any]]
    events: list[str]  # their types

    @classmethod
    def by(cls, node: Scraped) -> Told:
        """When the next window has come: everything before it is here."""
        texts = node.subscriber.texts
        count = len(texts("/pump1/score"))
        node.subscriber.wait_for(lambda s: len(s.texts("/pump1/score")) > count)
        return cls([json.loads(text) for text in texts("/pump1/score")], [json.loads(text)["type"] for text in texts("/pump1/event")])


def check_numbers(samples: Samples, before: Told, after: Told, node: Scraped) -> None:
    info = json.loads(node.subscriber.texts("/info")[-1])
    source = info["sources"]["pump1"]
    by = {"source": "pump1"}
    assert value(samples, "auscult_build_info", node="test", version=info["version"]) == 1.0
    assert value(samples, "auscult_source_info", bundle=source["bundle"], detector="patchcore", **by) == 1.0
    count = int(value(samples, "auscult_source_windows_total", **by))
    assert len(before.windows) <= count <= len(after.windows)
    window = after.windows[count - 1]
    assert window["score"] > 1.0
    assert value(samples, "auscult_source_score", **by) == window["score"]
    assert {labels["head"]: at for labels, at in samples["auscult_source_head_score"]} == window["heads"]
    assert value(samples, "auscult_source_anomalous_windows_total", **by) == sum(one["anomalous"] for one in after.windows[:count])
    assert value(samples, "auscult_inference_seconds_count") == count
    assert value(samples, "auscult_inference_seconds_sum") > 0.0
    assert 0.0 < value(samples, "auscult_inference_seconds", quantile="0.5") <= value(samples, "auscult_inference_seconds", quantile="0.95")
    events = {labels["type"]: count for labels, count in samples["auscult_source_events_total"]}
    for kind, number in events.items():
        later = after
        while later.events.count(kind) < number and len(later.windows) < len(after.windows) + 20:  # events may come after later scores
            later = Told.by(node)
        assert before.events.count(kind) <= number <= later.events.count(kind)
    assert events["opened"] == 1
    assert (value(samples, "auscult_source_event_open", **by), value(samples, "auscult_source_available", **by)) == (1.0, 1.0)
    states = {labels["state"]: at for labels, at in samples["auscult_broker_state"]}
    assert {state for state, at in states.items() if at} == {"connected"}
    assert value(samples, "auscult_broker_connections_total") == 1.0
    assert {labels["reason"] for labels, _ in samples["auscult_outbox_dropped_messages_total"]} == {"expired", "refused", "other"}
    assert value(samples, "auscult_source_snoozed", **by) == 0.0
    assert value(samples, "auscult_commands_subscribed") == 1.0
    assert value(samples, "auscult_clips_failed_total") == 0.0
    assert value(samples, "process_resident_memory_bytes") > 1e7


def check_names(text: str) -> None:
    """By https://prometheus.io/docs/practices/naming/: what `promtool check metrics` looks at, and our own habits."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
    assert kinds.keys() == helps.keys()
    for name, kind in kinds.items():
        assert name.startswith(("auscult_", PROCESS))
        assert (kind == "counter") == name.endswith("_total"), name
        assert helps[name].endswith((".", "seconds", "bytes")) or name.startswith(PROCESS), name
        words = name.removesuffix("_total").split("_")
        assert not {"ms", "mb", "db", "s", "hz", "percent", "fraction"} & set(words), name
        assert all(unit not in words[:-1] for unit in UNITS), name  # a unit comes last


def asked_for(expression: str) -> list[tuple[str, set[str]]]:
    """The metrics of a PromQL expression, each with the labels that it is chosen by."""
    found = re.findall(r"\b((?:auscult|process)_\w+|up)\b(?:\{([^}]*)\})?", expression)
    return [(name, set(re.findall(r"(\w+)\s*=", chosen))) for name, chosen in found]


def check_asked(expression: str, samples: Samples) -> None:
    given_by_prometheus = {"instance", "job"}
    for name, labels in asked_for(expression):
        if name not in SOMETIMES and name != "up":
            assert name in samples, expression
            assert labels - given_by_prometheus <= samples[name][0][0].keys(), expression


def check_grafana(samples: Samples) -> None:
    dashboard = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    expressions += [entry["expr"] for entry in dashboard["annotations"]["list"]]
    expressions += [entry["definition"] for entry in dashboard["templating"]["list"] if entry["type"] == "query"]
    assert len(expressions) > 20
    for expression in expressions:
        assert asked_for(expression), expression
        check_asked(expression, samples)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            known = {label for name, _ in asked_for(target["expr"]) for label in (samples.get(name) or [({}, 0.0)])[0][0]} | {"instance"}
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= known, panel["title"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def check_rules(samples: Samples) -> None:
    (group,) = yaml.safe_load((EXAMPLES / "prometheus-rules.yml").read_text())["groups"]
    for rule in group["rules"]:
        assert asked_for(rule["expr"]), rule
        check_asked(rule["expr"], samples)
    assert yaml.safe_load((EXAMPLES / "prometheus.yml").read_text())["scrape_configs"][0]["job_name"] in str(group["rules"])


def flattened(payload: Any, prefix: str = "") -> dict[str, Any]:
    """The fields that Telegraf's JSON parser makes of a payload."""
    entries = payload.items() if isinstance(payload, dict) else enumerate(payload) if isinstance(payload, list) else None
    if entries is None:
        return {prefix: payload}
    return {name: at for key, inner in entries for name, at in flattened(inner, f"{prefix}_{key}" if prefix else str(key)).items()}


def check_telegraf(samples: Samples, node: Scraped) -> None:
    inputs = tomllib.loads((EXAMPLES / "telegraf.conf").read_text())["inputs"]
    for plugin in inputs["mqtt_consumer"]:
        (topic,), (parsing,) = plugin["topics"], plugin["topic_parsing"]
        pattern = re.compile(topic.replace("+", "[^/]+"))
        received = [message for message in node.subscriber.messages if pattern.fullmatch(message.topic)]
        assert received, topic
        assert parsing["topic"] == topic
        tags = dict(zip(parsing["tags"].split("/"), received[-1].topic.split("/"), strict=True))
        assert tags["node"] == "test"
        fields = flattened(json.loads(received[-1].payload))
        for wanted in (plugin["json_time_key"], *plugin["json_string_fields"], *plugin["fieldinclude"], *plugin.get("tag_keys", [])):
            assert any(fnmatchcase(field, wanted) for field in fields), (topic, wanted)
        for name in plugin["json_string_fields"]:
            assert not isinstance(fields[name], float), name
        kept = {field for field in fields if any(fnmatchcase(field, pattern) for pattern in plugin["fieldinclude"])}
        for field in kept - set(plugin["json_string_fields"]):  # strings and booleans that are not listed would be left out
            assert not isinstance(fields[field], str | bool), (topic, field)
    (prometheus,) = inputs["prometheus"]
    assert all(any(fnmatchcase(name, wanted) for name in samples) for wanted in prometheus["fieldinclude"])


def check_page(samples: Samples) -> None:
    """The table of docs/metrics.md names every metric, and no other."""
    page = (PROJECT / "docs" / "metrics.md").read_text()
    listed = set(re.findall(r"^\| `(auscult_\w+)` \|", page, re.MULTILINE))
    sent = {re.sub(r"_(sum|count)$", "", name) for name in samples if not name.startswith(PROCESS)}
    once = {"auscult_source_snoozed_until_timestamp_seconds", "auscult_source_measured_sample_rate_hertz", "auscult_source_drifting"}
    reloaded = {"auscult_config_last_reload_successful", "auscult_config_last_reload_timestamp_seconds"}
    assert listed - sent <= SOMETIMES | once | reloaded
    assert sent <= listed


def check_reload(node: Scraped) -> None:
    """What a running daemon cannot take over is refused as a whole, and the metrics say so."""
    node.path.write_text(yaml.safe_dump({**node.config, "metrics": {}}))
    node.process.send_signal(signal.SIGHUP)
    node.subscriber.wait_for(lambda s: any(json.loads(text)["reload"] for text in s.texts("/health")))
    reload = next(filter(None, (json.loads(text)["reload"] for text in node.subscriber.texts("/health"))))
    assert "metrics.listen has changed, which needs a restart" in reload["problem"]
    time.sleep(KEPT_S)
    samples = node.samples()
    assert value(samples, "auscult_config_last_reload_successful") == 0.0


@pytest.mark.parametrize("expression", ["sum(auscult_no_such)", 'auscult_source_score{colour="red"}'])
def test_check_of_examples_finds_what_is_not_sent(expression: str) -> None:
    with pytest.raises(AssertionError):
        check_asked(expression, {"auscult_source_score": [({"source": "pump1"}, 1.0)]})
