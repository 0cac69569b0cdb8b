"""Several sources of one node, of which one fails: `auscult run` with the real pipeline, and the others must not notice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from numpy.typing import NDArray

from tests.broker import HOST, Broker, Subscriber
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.pulse import SINK_RATE_HZ, PulseServer

PROJECT = Path(__file__).parents[3]


@contextmanager
def running(folder: Path, broker: Broker, machine: CalibratedMachine, **sources: Any) -> Iterator[subprocess.Popen[str]]:
    """The daemon on some sources, killed in the end if it still runs."""
    config = {
        "node": "test",
        "mqtt": {"host": HOST, "port": broker.port},
        "outbox": {"path": str(folder / "outbox.sqlite")},
        "health": {"interval_s": 0.5},
        "sources": {name: {"bundle": str(machine.bundle), **source} for name, source in sources.items()},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    process = subprocess.Popen([sys.executable, PROJECT / "auscult.py", "run", "--config", path], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def write(path: Path, samples: NDArray[np.float32]) -> Path:
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    return path


def scores(subscriber: Subscriber, source: str) -> list[Any]:
    """All that is said of the windows of a source but when it was said."""
    payloads = [json.loads(text) for text in subscriber.texts(f"/{source}/score")]
    return [{key: value for key, value in payload.items() if key not in ("t_start", "t_end", "latency_ms")} for payload in payloads]


def health(subscriber: Subscriber, source: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(subscriber.texts("/health")[-1])["sources"][source]
    return found


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, log = process.communicate(timeout=60.0)
    assert "Traceback" not in log
    return process.returncode, log


def scores_alone(folder: Path, broker: Broker, machine: CalibratedMachine, path: Path) -> list[Any]:
    with broker.subscriber() as subscriber, running(folder, broker, machine, good={"files": {"paths": [str(path)]}}) as process:
        assert finished(process)[0] == 0
        subscriber.wait_for(lambda s: s.texts("/status")[-2:] == ["online", "offline"])
        return scores(subscriber, "good")


def test_run_file_that_is_damaged_in_the_middle_ends_alone_and_the_exit_code_says_so(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    good = write(tmp_path / "good.wav", machine.samples[: 14 * RATE_HZ])
    damaged = machine.samples[: 14 * RATE_HZ].copy()
    damaged[12 * RATE_HZ] = np.nan
    sources = {"bad": write(tmp_path / "bad.wav", damaged), "good": good}
    alone = scores_alone(tmp_path, broker, machine, good)
    assert len(alone) == 9
    with (
        broker.subscriber() as subscriber,
        running(tmp_path, broker, machine, **{name: {"files": {"paths": [str(path)]}} for name, path in sources.items()}) as process,
    ):
        code, log = finished(process)
        subscriber.wait_for(lambda s: s.texts("/status")[-2:] == ["online", "offline"])
        assert code == 2
        problem = f"{sources['bad']}: holds samples that are not sound (NaN, infinite or far beyond full scale); record or convert it again"
        assert log.splitlines()[-1] == f"auscult: {problem}"
        assert f"bad: {problem}; this source has ended" in log
        assert scores(subscriber, "good") == alone
        assert subscriber.texts("/bad/availability") == ["offline", "online", "offline"]
        assert health(subscriber, "bad")["reason"] == problem
        assert health(subscriber, "good")["reason"] == "the stream has ended"


def test_run_microphone_that_was_never_there_is_offline_and_the_others_work(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    good = write(tmp_path / "good.wav", machine.samples[: 12 * RATE_HZ])
    sources: dict[str, Any] = {"gone": {"microphone": {"device": "geophone"}}, "good": {"files": {"paths": [str(good)]}}}
    alone = scores_alone(tmp_path, broker, machine, good)
    with broker.subscriber() as subscriber, running(tmp_path, broker, machine, **sources) as process:
        subscriber.wait_for(lambda s: len(scores(s, "good")) == len(alone), 30.0)
        subscriber.wait_for(lambda s: health(s, "good")["reason"] == "the stream has ended")
        os.kill(process.pid, signal.SIGTERM)
        code, log = finished(process)
        assert code == 0
        assert scores(subscriber, "good") == alone
        assert subscriber.texts("/gone/availability") == ["offline"]
        reason = health(subscriber, "gone")["reason"]
    assert 'gone: device "geophone": no such input device' in log
    assert log.count("no such input device") == 1
    assert reason is not None


@pytest.mark.slow  # half a minute of real time
def test_run_microphone_that_is_pulled_out_and_comes_back_does_not_touch_the_others(
    pulse: PulseServer, broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    good = write(tmp_path / "good.wav", machine.samples[: 25 * RATE_HZ])
    alone = scores_alone(tmp_path, broker, machine, good)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 60 * SINK_RATE_HZ).astype(np.float32)
    pulse.plug("usb_microphone")
    pulse.play(noise, sink="usb_microphone")
    sources: dict[str, Any] = {"usb": {"microphone": {"device": "usb_"}}, "good": {"files": {"paths": [str(good)], "realtime": True}}}
    with broker.subscriber() as subscriber, running(tmp_path, broker, machine, **sources) as process:
        subscriber.wait_for(lambda s: s.texts("/usb/availability") == ["offline", "online"], 20.0)
        pulse.unplug("usb_microphone")
        subscriber.wait_for(lambda s: s.texts("/usb/availability")[-1] == "offline", 20.0)
        subscriber.wait_for(lambda s: "no such input device" in (health(s, "usb")["reason"] or ""), 30.0)
        pulse.plug("usb_microphone")
        pulse.play(noise, sink="usb_microphone")
        subscriber.wait_for(lambda s: s.texts("/usb/availability") == ["offline", "online", "offline", "online"], 45.0)
        subscriber.wait_for(lambda s: len(scores(s, "good")) == len(alone), 30.0)
        os.kill(process.pid, signal.SIGTERM)
        assert finished(process)[0] == 0
        assert scores(subscriber, "good") == alone
        assert health(subscriber, "usb")["lost_s"] > 3.0
