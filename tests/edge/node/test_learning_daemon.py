"""A daemon that learns, with a real broker: over a change of bundle, until it is frozen, and after it was forgotten."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge.config.load import load_config
from edge.console.cli import run_command
from edge.learning.source_learner import SourceLearner
from edge.learning.store import Store
from edge.pipeline import Listener
from tests.broker import Broker
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.edge.node.test_reload import Running, half_as_strict, running, scores, stdin


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


def half_an_hour(machine: CalibratedMachine, folder: Path) -> None:
    """A store of two minutes, again and again."""
    listener = Listener(machine.model, RATE_HZ)
    listener.overhear(SourceLearner("pump1", folder, 1.0))
    for _ in range(6):
        listener.push(machine.samples)
    store = Store(folder)
    for _ in range(15):
        for stretch in list(Store(folder).stretches())[:4]:
            store.add(msgspec.structs.replace(stretch, learned_s=30.0))
    assert store.learned_s > 1800.0


def told(daemon: Running) -> dict[str, Any]:
    """What `pump1/learning` says last."""
    texts = daemon.subscriber.texts("/pump1/learning")
    found: dict[str, Any] = json.loads(texts[-1]) if texts else {}
    return found


def test_daemon_takes_over_what_it_has_learned_without_losing_a_window_and_goes_back(
    machine: CalibratedMachine, broker: Broker, tmp_path: Path
) -> None:
    own = f"sha256:{machine.model.bundle.sha256}"
    sound = np.resize(machine.samples, 41 * RATE_HZ)
    half_an_hour(machine, Path(os.environ["XDG_STATE_HOME"]) / "auscult" / "test" / "learning" / "pump1")
    with running(tmp_path, broker, {"pump1": {**stdin(machine.bundle), "learn": {"days": 1}}}) as daemon:
        daemon.hear(sound)
        daemon.subscriber.wait_for(lambda _: told(daemon).get("version") == 1, 100.0)
        assert told(daemon)["state"] == "watching"
        assert told(daemon)["bundle"] != own
        assert [one["version"] for one in told(daemon)["versions"]] == [1]
        assert told(daemon)["next_at_learned_s"] > 3600.0
        daemon.hear(sound)
        count = round((82.0 - 10.0) / 0.5)  # a window every half second, whichever bundle heard it
        daemon.wait_for_scores(count)
        assert run_command("edge.commands.learn", "auscult learn", ["--config", str(daemon.path), "--rollback"]) == 0
        daemon.subscriber.wait_for(lambda _: told(daemon).get("bundle") == own, 60.0)
        assert told(daemon)["version"] is None
        daemon.stop()
    assert count <= len(scores(daemon.subscriber)) <= count + 3
