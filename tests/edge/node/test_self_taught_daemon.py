"""A daemon with a source that has no bundle, and a real broker: it listens, makes its own, hears a fault, and goes back."""

from __future__ import annotations

import json
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge.console.cli import run_command
from export.synthesis import MachineDesign, RotatingMachine, inject, tone_fault
from tests.broker import Broker
from tests.bundles import RATE_HZ, CalibratedMachine, Float32
from tests.edge.node.test_learning_daemon import told
from tests.edge.node.test_reload import Running, running, scores

STDIN = {"stdin": {"rate_hz": RATE_HZ, "format": "f32le"}, "learn": {"days": 1}}
LOW_HZ = 16000
FIRST_MINUTES = 15


def with_tone(samples: Float32, at_s: float, rate_hz: int = RATE_HZ, level_dbfs: float = -20.0) -> Float32:
    """A fault that nobody misses."""
    found: Float32 = inject(samples, tone_fault(rate_hz, 1, seconds=5.0, frequency_hz=3150.0, level_dbfs=level_dbfs), at_s)
    return found


def wait_until(daemon: Running, timeout_s: float = 100.0, **wanted: Any) -> None:
    daemon.subscriber.wait_for(lambda _: all(told(daemon).get(key, "") == value for key, value in wanted.items()), timeout_s)


def test_daemon_without_a_bundle_listens_and_goes_on_where_it_was_killed(
    machine: CalibratedMachine, broker: Broker, tmp_path: Path
) -> None:
    sound = np.resize(machine.samples, 41 * RATE_HZ)
    with running(tmp_path, broker, {"pump1": STDIN}) as daemon:
        wait_until(daemon, state="listening", first_in_s=1800.0)
        for _ in range(5):  # more than the first three minutes
            daemon.hear(sound)
        wait_until(daemon, reason=None)
        daemon.hear(with_tone(sound, 30.0))
        wait_until(daemon, learned_s=30.0)
        listening = told(daemon)
        info = json.loads(daemon.subscriber.texts("/info")[-1])["sources"]["pump1"]
        daemon.process.send_signal(signal.SIGKILL)
    assert (listening["state"], listening["bundle"], listening["version"]) == ("listening", None, None)
    assert listening["supported_false_alarms_per_week"] is None
    assert listening["supported_at_end_per_week"] == pytest.approx(21.0)
    assert 1500.0 < listening["first_in_s"] < 1620.0
    assert (info["bundle"], info["threshold"]) == (None, None)
    heard = scores(daemon.subscriber)
    assert len(heard) >= 450
    assert set(heard) == {None}
    assert daemon.subscriber.of("/event") == []
    assert set(daemon.subscriber.texts("/pump1/state")) == {"OFF"}
    with running(tmp_path, broker, {"pump1": STDIN}) as daemon:
        wait_until(daemon, state="listening", learned_s=30.0, reason=None)  # nothing is gathered again
        daemon.hear(sound)
        wait_until(daemon, learned_s=60.0)
        daemon.stop()


@pytest.mark.slow
def test_daemon_without_a_bundle_hears_a_fault_on_its_first_evening_and_is_rolled_back(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "machine.wav"
    machine = RotatingMachine(6, LOW_HZ, MachineDesign(load_hold_s=20.0, slip=0.004))
    fault_s = 60.0 * (FIRST_MINUTES + 1)
    soundfile.write(path, with_tone(machine.render(fault_s + 60.0), fault_s, LOW_HZ, -36.0), LOW_HZ, subtype="PCM_24")
    learn = {"days": 1, "first_minutes": FIRST_MINUTES}
    with running(tmp_path, broker, {"pump1": {"files": {"paths": [str(path)], "loop": True}, "learn": learn}}) as daemon:
        wait_until(daemon, 200.0, state="watching", version=1)
        daemon.subscriber.wait_for(lambda s: any('"closed"' in text for text in s.texts("/pump1/event")), 200.0)
        assert run_command("edge.commands.learn", "auscult learn", ["--config", str(daemon.path), "--rollback"]) == 0
        wait_until(daemon, state="listening", bundle=None)
        daemon.stop()
    heard = [json.loads(text) for text in daemon.subscriber.texts("/pump1/score")]
    first = next(index for index, one in enumerate(heard) if one["score"] is not None)
    assert 10.0 + 0.5 * first <= 60.0 * FIRST_MINUTES
    assert all(one["score"] is not None for one in heard[first : first + 100])
    assert heard[-1]["score"] is None
    ends_s = np.array([datetime.fromisoformat(one["t_end"].replace("Z", "+00:00")).timestamp() for one in heard])
    assert np.diff(ends_s).max() < 0.55  # no window is lost, whoever listens
    false = [one for one in heard[first : round(2.0 * (fault_s - 10.0))] if one["anomalous"]]
    assert not false
    event = json.loads(daemon.subscriber.texts("/pump1/event")[0])
    assert event["bundle"] in {one["bundle"] for text in daemon.subscriber.texts("/pump1/learning") for one in json.loads(text)["versions"]}
    assert min(region["f_lo_hz"] for region in event["regions"]) < 3150.0 < max(region["f_hi_hz"] for region in event["regions"])
