"""A thread that does not return must not turn a clean end into a crash."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import soundfile
import yaml

from edge.node.stragglers import stragglers
from tests.broker import HOST, Broker
from tests.bundles import RATE_HZ, CalibratedMachine

PROJECT = Path(__file__).parents[3]

# `auscult run`, but a reload never comes out of ONNX Runtime.
HANGING_RELOAD = """
import sys
import auscult
import numpy as np
from edge.node.plan import Plan
from edge.pipeline import Listener

load = Plan.of.__func__

def of(cls, config, before=None):
    plan = load(cls, config, before)
    if before is not None:
        listener = Listener(plan.models["pump1"], 32000)
        print("reloading", file=sys.stderr, flush=True)
        noise = np.random.default_rng(0).uniform(-0.1, 0.1, 32000).astype(np.float32)
        while True:
            listener.push(noise)
    return plan

Plan.of = classmethod(of)
sys.exit(auscult.main())
"""

LEAVING = """
import sys, threading
from edge.node.stragglers import leave
threading.Thread(target=threading.Event().wait, name="hung", daemon=True).start()
print("told", end="")
sys.exit(leave(3, wait_s=0.0) + 1)
"""


def test_run_that_is_stopped_while_a_reload_is_in_native_code_ends_as_it_should(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    sound, path = tmp_path / "sound.wav", tmp_path / "config.yaml"
    soundfile.write(sound, machine.samples[: 2 * RATE_HZ], RATE_HZ, subtype="FLOAT")
    config = {
        "node": "test",
        "mqtt": {"host": HOST, "port": broker.port},
        "outbox": {"path": str(tmp_path / "outbox.sqlite")},
        "sources": {"pump1": {"bundle": str(machine.bundle), "files": {"paths": [str(sound)], "realtime": True, "loop": True}}},
    }
    path.write_text(yaml.safe_dump(config))
    command = [sys.executable, "-c", HANGING_RELOAD, "run", "--config", str(path)]
    with broker.subscriber() as subscriber, subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            assert any("started: " in line for line in process.stderr)
            process.send_signal(signal.SIGHUP)
            assert any("reloading" in line for line in process.stderr)
            process.terminate()
            log = process.stderr.read().splitlines()
            assert process.wait(30.0) == 0, log
        finally:
            process.kill()
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])
    assert log[-2].endswith("auscult: stopped")
    assert log[-1].endswith("not waited for, because they do not end: reload")


def test_leave_with_a_thread_that_hangs_ends_the_process_and_loses_no_word() -> None:
    process = subprocess.run([sys.executable, "-c", LEAVING], cwd=PROJECT, capture_output=True, text=True, timeout=30.0)
    assert (process.returncode, process.stdout) == (3, "told")
    assert "not waited for, because they do not end: hung" in process.stderr


def test_stragglers_are_those_that_are_still_at_work_after_the_wait() -> None:
    others = threading.enumerate()  # of other tests
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="at-work", daemon=True)
    thread.start()
    assert "at-work" in stragglers(wait_s=0.0)
    assert "at-work" not in stragglers(threading.enumerate(), 0.0)
    threading.Timer(0.05, over.set).start()
    assert stragglers(others, 10.0) == []
    assert not thread.is_alive()
