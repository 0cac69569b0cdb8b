"""Commands to a daemon, given as a user gives them: with mosquitto_pub, through a real Mosquitto."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.broker import Broker
from tests.edge.remote.remote_node import Node, node, write


@pytest.fixture
def loud(tmp_path: Path) -> Path:
    """Anomalous all the time."""
    return write(tmp_path / "loud.wav", [0.8] * 4)


@pytest.fixture
def knocks(tmp_path: Path) -> Path:
    """Loud for half a second of each two."""
    return write(tmp_path / "knocks.wav", [0.1, 0.8, 0.1, 0.1])


def test_node_snooze_closes_the_open_event_and_silences_the_next(broker: Broker, loud: Path, tmp_path: Path) -> None:
    with node(tmp_path, broker, loud) as one:
        one.wait_for(lambda: one.last("state") == "ON")
        answer = one.ask("snooze", source="pump1", minutes=60, note="oil\nchange")
        assert (answer["status"], answer["error"], answer["source"]) == ("ok", None, "pump1")
        one.wait_for(lambda: one.last("state") == "OFF" and len(one.events()) == 2)
        assert [event["type"] for event in one.events()] == ["opened", "closed"]
        assert one.events()[0]["id"] == one.events()[1]["id"]
        one.wait_for(lambda: one.last("health")["sources"]["pump1"]["snoozed_until"] == answer["snoozed_until"])
        one.wait_for(lambda: one.last("info")["sources"]["pump1"]["snoozed_until"] == answer["snoozed_until"])
        scores = len(one.subscriber.of("/score"))
        one.wait_for(lambda: len(one.subscriber.of("/score")) > scores + 2)  # they go on, and are high
        assert one.last("score")["anomalous"]
        log = one.stop()
    assert len(one.events()) == 2
    assert '"note":"oil\\nchange"' in log  # on one line
    with node(tmp_path, broker, loud) as one:  # it survives
        one.wait_for(lambda: len(one.subscriber.of("/score")) > 2)
        assert one.events() == []
        assert "pump1: snoozed for another 60 minutes" in one.stop()


@pytest.mark.slow
def test_node_snooze_that_is_ended_lets_events_through_again(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    with node(tmp_path, broker, knocks) as one:
        assert one.ask("snooze", source="pump1", minutes=60)["snoozed_until"] is not None
        heard = len(one.events())
        assert one.ask("snooze", source="pump1", minutes=0)["snoozed_until"] is None
        one.wait_for(lambda: len(one.events()) > heard + 2)
        one.stop()
    types = [event["type"] for event in one.events()]
    assert types == ["opened", "closed"] * (len(types) // 2)


def test_node_mark_is_kept_with_what_is_known_of_the_event(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    with node(tmp_path, broker, knocks) as one:
        one.wait_for(lambda: len(one.events()) >= 2)
        event = one.events()[1]
        answer = one.ask("mark", event=event["id"], verdict="false_alarm", note="a fork-lift")
        assert (answer["status"], answer["event"], answer["verdict"]) == ("ok", event["id"], "false_alarm")
        assert (answer["source"], answer["t_start"], answer["peak_score"]) == ("pump1", event["t_start"], 1.5)
        unknown = one.ask("mark", event="0" * 26, verdict="real")
        assert unknown["error"] == "no such event is known here; the node remembers the last 300 of each source"
        assert unknown["event"] is None
        one.stop()
    (line,) = (tmp_path / "state" / "marks.jsonl").read_text().splitlines()
    assert json.loads(line) | {"t": "", "crc32": ""} == {
        "t": "", "event": event["id"], "verdict": "false_alarm", "note": "a fork-lift", "source": "pump1",
        "t_start": event["t_start"], "t_end": event["t_end"], "peak_score": 1.5, "crc32": "",
    }  # fmt: skip
    with node(tmp_path, broker, knocks) as one:  # events are remembered over a restart
        assert one.ask("mark", event=event["id"], verdict="real")["status"] == "ok"
        one.stop()


@pytest.mark.slow
def test_node_recalibrate_threshold_moves_it_by_what_was_heard(broker: Broker, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    levels = np.minimum(0.2 + rng.exponential(0.02, 4000), 0.45).tolist()  # scores around 0.4, never above 0.9
    sound = write(tmp_path / "quiet.wav", levels)
    with node(tmp_path, broker, sound, realtime=False) as one:
        answer = one.ask("recalibrate-threshold", source="pump1", false_alarms_per_week=10)
        while answer["error"] is not None:
            assert "60 are needed: send it again in" in answer["error"]
            seen = len(one.subscriber.of("/health"))
            one.wait_for(lambda seen=seen: len(one.subscriber.of("/health")) > seen + 1)
            answer = one.ask("recalibrate-threshold", source="pump1", false_alarms_per_week=10)
        factor = answer["threshold_factor"]
        assert (answer["threshold_factor_before"], answer["clipped"]) == (1.0, False)
        assert 0.6 < factor < 0.95
        assert answer["hours_used"] == answer["hours_heard"] >= 1.0
        assert (answer["false_alarms"], answer["events_left_out"], answer["note"]) == (0, 0, None)
        assert answer["supported_false_alarms_per_week"] == pytest.approx(3 * 168 / answer["hours_used"], rel=0.01)
        one.wait_for(lambda: one.last("info")["sources"]["pump1"]["threshold_factor"] == factor)
        assert one.ask("info")["sources"]["pump1"]["threshold_factor"] == factor
        one.stop()
    (before,) = json.loads((tmp_path / "state" / "thresholds.json").read_text())["content"]
    assert (before["source"], before["bundle"], round(before["factor"], 4)) == ("pump1", bundle_of(one), factor)
    with node(tmp_path, broker, sound) as one:  # it holds after a restart
        assert one.last("info")["sources"]["pump1"]["threshold_factor"] == factor
        assert json.loads(one.subscriber.texts("/score")[0])["score"] == pytest.approx(levels[0] / 0.5 / factor, rel=0.02)
        undone = one.ask("recalibrate-threshold", source="pump1", reset=True)
        assert (undone["threshold_factor_before"], undone["threshold_factor"]) == (factor, 1.0)
        one.wait_for(lambda: one.last("info")["sources"]["pump1"]["threshold_factor"] == 1.0)
        one.stop()
    assert json.loads((tmp_path / "state" / "thresholds.json").read_text())["content"] == []


def bundle_of(one: Node) -> str:
    return str(one.last("info")["sources"]["pump1"]["bundle"]).removeprefix("sha256:")


def test_node_garbage_duplicates_and_retained_commands_do_no_harm(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    with node(tmp_path, broker, knocks) as one:
        one.publish("snooze", "\0\xff not JSON")
        one.publish("snooze", "x" * 5000)
        one.publish("reboot", "{}")
        one.wait_for(lambda: len(one.answers(None)) == 3)
        assert [answer["status"] for answer in one.answers(None)] == ["error"] * 3
        for _ in range(2):
            one.publish("snooze", '{"transaction": "again", "source": "pump1", "minutes": 5}')
        one.wait_for(lambda: len(one.answers("again")) == 2)
        assert one.answers("again")[0] == one.answers("again")[1]
        one.publish("snooze", '{"transaction": "retained", "source": "fan9", "minutes": 5}', "-r", "-V", "5")
        one.wait_for(lambda: one.answers("retained"))
        assert "it is retained" in one.answers("retained")[0]["error"]
        nowhere = one.ask("snooze", source="fan2", minutes=1)
        assert nowhere["error"] == "no source is called 'fan2' here; there are pump1"
        one.wait_for(lambda: one.last("health")["commands"]["taken"] == 7)
        commands = one.last("health")["commands"]
        assert commands == {"state": "subscribed", "reason": None, "taken": 7, "refused": 5, "dropped": 0}
        one.stop()


def test_node_snapshot_and_reload_that_are_not_to_be_had_say_why(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    with node(tmp_path, broker, knocks) as one:
        snapshot = one.ask("snapshot", source="pump1", seconds=1)
        assert snapshot["error"] == "no sound is kept on this node; `clips.enabled: true` in its config.yaml allows it"
        assert one.ask("reload")["error"] == "this daemon was made without a configuration file; restart it"
        info = one.ask("info")
        assert (info["node"], Path(info["config"]).name, info["uptime_s"] > 0) == ("test", "config.yaml", True)
        one.stop()
    assert not (tmp_path / "clips").exists()


def test_node_without_commands_subscribes_to_nothing_and_keeps_nothing(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    with node(tmp_path, broker, knocks, commands=False) as one:
        one.publish("info", '{"transaction": "a"}')
        seen = len(one.subscriber.of("/health"))
        one.wait_for(lambda: len(one.subscriber.of("/health")) > seen + 2)
        assert one.answers("a") == []
        assert one.last("health")["commands"] is None
        one.stop()
    assert not (tmp_path / "state").exists()
