"""A daemon that learns, with a real broker: over a change of bundle, until it is frozen, and after it was forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edge.config.load import load_config
from edge.console.cli import run_command
from edge.learning.store import Store
from tests.broker import Broker
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.edge.node.test_reload import Running, half_as_strict, running, stdin


def learning(daemon: Running) -> dict[str, Any]:
    """What `health` says last."""
    told = daemon.subscriber.texts("/health")
    found: dict[str, Any] = (json.loads(told[-1])["sources"]["pump1"]["learning"] or {}) if told else {}
    return found


def wait_until_learned(daemon: Running, seconds: float) -> None:
    daemon.subscriber.wait_for(lambda _: learning(daemon).get("learned_s", 0.0) >= seconds, 60.0)


def test_daemon_learns_over_a_change_of_bundle_until_it_is_frozen_and_begins_anew_when_forgotten(
    machine: CalibratedMachine, broker: Broker, tmp_path: Path
) -> None:
    sound = np.resize(machine.samples, 41 * RATE_HZ)
    with running(tmp_path, broker, {"pump1": {**stdin(machine.bundle), "learn": {"days": 1}}}) as daemon:
        daemon.hear(sound)
        wait_until_learned(daemon, 30.0)
        daemon.config["sources"]["pump1"]["bundle"] = str(half_as_strict(machine, tmp_path / "other.auscult"))
        assert daemon.reload()["result"] == "applied"
        daemon.hear(sound)
        wait_until_learned(daemon, 60.0)
        folder = load_config(daemon.path).state_folder / "learning" / "pump1"
        kept = list(Store(folder).stretches())
        assert [one.number for one in kept] == [0, 1]
        assert kept[0].bundle == machine.model.bundle.sha256 != kept[1].bundle
        assert run_command("edge.commands.learn", "auscult learn", ["--config", str(daemon.path), "--freeze"]) == 0
        daemon.hear(sound)
        daemon.subscriber.wait_for(lambda _: "--resume" in str(learning(daemon).get("reason")), 60.0)
        assert Store(folder).count == 2
        assert run_command("edge.commands.learn", "auscult learn", ["--config", str(daemon.path), "--forget"]) == 0
        daemon.hear(sound)
        daemon.subscriber.wait_for(lambda _: learning(daemon).get("learning"), 60.0)
        daemon.stop()
    assert 1 <= Store(folder).count <= 2
