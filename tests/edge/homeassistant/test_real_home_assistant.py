"""`auscult run` and a real Home Assistant on one broker."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml

from export.synthesis import inject, tone_fault
from tests.broker import HOST, Broker
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.edge.homeassistant.home_assistant import home_assistant
from tests.edge.remote.remote_node import PROJECT, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
NODE = "auscult_workshop"


def write_config(path: Path, broker: Broker, machine: CalibratedMachine, *names: str, protocol: str = "5", **more: Any) -> None:
    sound = path.parent / "stream.wav"
    if not sound.exists():
        fault = tone_fault(RATE_HZ, 1, 4.0, 3000.0)
        soundfile.write(sound, inject(machine.samples, fault, 12.0), RATE_HZ, subtype="PCM_16")
    source = {"bundle": str(machine.bundle), "files": {"paths": [str(sound)], "realtime": True, "loop": True}}
    config = {
        "node": "workshop",
        "mqtt": {"host": HOST, "port": broker.port, "protocol": protocol},
        "sources": dict.fromkeys(names, source),
        "outbox": {"path": "outbox.sqlite"},
        "health": {"interval_s": 1},
        "commands": {"enabled": True},
        "homeassistant": {"enabled": True},
        **more,
    }
    path.write_text(yaml.safe_dump(json.loads(json.dumps(config))))


def automation() -> list[Any]:
    """The one of the documentation, which writes its message where a test can read it."""
    page = (PROJECT / "docs" / "home-assistant.md").read_text()
    (written,) = (block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if block.startswith("- alias"))
    (made,) = yaml.safe_load(written)
    (action,) = made["actions"]
    assert action["action"] == "notify.notify"
    made["actions"] = [{"action": "input_text.set_value", "data": {"entity_id": "input_text.told", "value": action["data"]["message"]}}]
    return [made]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_home_assistant_shows_a_node_and_presses_its_buttons(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    path = tmp_path / "config.yaml"
    write_config(path, broker, machine, "pump1", "fan-2", protocol=protocol)
    problem, event = f"binary_sensor.{NODE}_pump1_problem", f"event.{NODE}_pump1_event"
    with home_assistant(tmp_path / "home", broker, automation=automation(), input_text={"told": {"max": 255}}) as home:
        with started([PROJECT / "auscult.py", "run", "--config", path], broker) as node:
            home.wait_for(lambda: home.state(problem) in ("on", "off"))
            home.wait_for(lambda: home.number(f"sensor.{NODE}_pump1_score") >= 0.0)
            home.wait_for(lambda: home.number(f"sensor.{NODE}_fan_2_level") < 0.0)
            home.wait_for(lambda: home.state(f"sensor.{NODE}_fan_2_status") == "ok")
            home.wait_for(lambda: home.number(f"sensor.{NODE}_memory") > 10.0)

            home.wait_for(lambda: home.state(problem) == "on")
            home.wait_for(lambda: home.states()[event]["attributes"].get("event_type") in ("opened", "updated"))
            told = home.states()[event]["attributes"]
            assert told["peak_score"] >= 1.0
            assert told["regions"][0]["f_lo_hz"] < 3000.0 < told["regions"][0]["f_hi_hz"]

            home.wait_for(lambda: re.fullmatch(r"Score [0-9.]+, \d+ to \d+ Hz", home.state("input_text.told") or ""))

            home.press(f"button.{NODE}_pump1_snooze_for_60_minutes")  # ends the event
            home.wait_for(lambda: home.state(problem) == "off")
            home.wait_for(lambda: home.states()[event]["attributes"]["event_type"] == "closed")
            home.wait_for(lambda: home.state(f"sensor.{NODE}_last_command") == "done")
            node.wait_for(lambda: node.last("health")["sources"]["pump1"]["snoozed_until"] is not None)
            home.press(f"button.{NODE}_pump1_end_snooze")
            node.wait_for(lambda: node.last("health")["sources"]["pump1"]["snoozed_until"] is None)
            home.press(f"button.{NODE}_pump1_set_threshold_from_recent_sound")
            home.wait_for(lambda: "are needed" in (home.state(f"sensor.{NODE}_last_command") or ""))
            assert node.last("health")["commands"]["refused"] == 1  # of three

            write_config(path, broker, machine, "pump1", "press3", protocol=protocol)
            os.kill(node.process.pid, signal.SIGHUP)
            home.wait_for(lambda: home.state(f"binary_sensor.{NODE}_press3_problem") in ("on", "off"))
            home.wait_for(lambda: not any("fan_2" in entity for entity in home.states()))
            node.stop()
        home.wait_for(lambda: home.state(problem) == home.state(f"sensor.{NODE}_press3_score") == "unavailable")
        assert home.state(f"sensor.{NODE}_memory") == "unavailable"

        write_config(path, broker, machine, "pump1", protocol=protocol, homeassistant={"enabled": False})
        with started([PROJECT / "auscult.py", "run", "--config", path], broker) as node:
            node.wait_for(lambda: node.subscriber.of("/score"))
            home.wait_for(lambda: not any("auscult" in entity for entity in home.states()))
            assert "Home Assistant: removing homeassistant/device/auscult_workshop/config" in node.stop()
        complaints = [line for line in home.log().splitlines() if "mqtt" in line.lower()]
        assert complaints == []
