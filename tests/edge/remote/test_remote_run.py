"""`auscult run` with a configuration that allows commands and clips, and a bundle that was calibrated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import soundfile
import yaml

from edge.scoring import score_file
from export.synthesis import inject, tone_fault
from tests.broker import HOST, Broker
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.edge.remote.remote_node import PROJECT, started


def write_config(path: Path, broker: Broker, machine: CalibratedMachine, **more: Any) -> None:
    sound = path.parent / "stream.wav"
    if not sound.exists():
        fault = tone_fault(RATE_HZ, 1, 4.0, 3000.0)
        soundfile.write(sound, inject(machine.samples, fault, 12.0), RATE_HZ, subtype="PCM_16")
    config = {
        "node": "test",
        "mqtt": {"host": HOST, "port": broker.port},
        "sources": {"pump1": {"bundle": str(machine.bundle), "files": {"paths": [str(sound)], "loop": True}}},
        "outbox": {"path": "outbox.sqlite"},
        "health": {"interval_s": 0.5},
        "commands": {"enabled": True, "allow": ["info", "reload", "snapshot", "recalibrate-threshold"]},
        "clips": {"enabled": True, "folder": "clips", "before_s": 1, "after_s": 2},
        **more,
    }
    path.write_text(yaml.safe_dump(config))


def test_run_takes_commands_and_keeps_clips_as_its_configuration_says(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    path = tmp_path / "config.yaml"
    write_config(path, broker, machine)
    with started([PROJECT / "auscult.py", "run", "--config", path], broker) as one:
        one.wait_for(lambda: one.subscriber.of("/health") and one.last("health")["commands"]["state"] == "subscribed")
        info = one.ask("info")
        assert (info["config"], info["sources"]) == (str(path), one.last("info")["sources"])
        assert info["sources"]["pump1"]["threshold_factor"] == 1.0
        assert "not allowed on this node" in one.ask("snooze", source="pump1", minutes=1)["error"]

        one.wait_for(lambda: any(event["type"] == "closed" for event in one.events()))
        closed = next(event for event in one.events() if event["type"] == "closed")
        clip = tmp_path / "clips" / closed["clip"]
        one.wait_for(clip.exists)
        assert score_file(machine.model, clip).score > 1.0  # it holds what was heard

        too_little = one.ask("recalibrate-threshold", source="pump1")
        assert "are needed: send it again in" in too_little["error"]

        write_config(path, broker, machine, events={"cooldown_s": 2})
        assert one.ask("reload")["result"] == "the configuration holds"
        write_config(path, broker, machine, events={"cooldown": 2})
        refused = one.ask("reload")
        assert refused["error"].endswith("events.cooldown: unknown key; did you mean 'cooldown_s'?")
        write_config(path, broker, machine, commands={"enabled": False})
        assert "commands." in one.ask("reload")["error"]  # needs a restart
        snapshot = one.ask("snapshot", source="pump1", seconds=3)
        assert soundfile.info(snapshot["path"]).frames == 3 * RATE_HZ
        one.stop()
    assert sorted(file.name for file in (tmp_path / "state").iterdir()) == ["events.jsonl", "scores"]
    known = [json.loads(line) for line in (tmp_path / "state" / "events.jsonl").read_text().splitlines()]
    assert {line.get("event") for line in known} >= {event["id"] for event in one.events() if event["type"] == "closed"}
