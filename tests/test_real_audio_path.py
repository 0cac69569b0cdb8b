"""The whole way that sound takes on site: loudspeaker, microphone, PortAudio, daemon, Mosquitto, `mosquitto_sub`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from numpy.typing import NDArray

from export.synthesis import inject, tone_fault
from tests.broker import HOST, Broker
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.pulse import MICROPHONE, PulseServer

Float32 = NDArray[np.float32]

PROJECT = Path(__file__).parents[1]
FAN = PROJECT.parent / "shared" / "data" / "mimii_0dB" / "fan_id_02"


class Listening:
    """What `mosquitto_sub` has printed so far."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def of(self, topic: str) -> list[Any]:
        """The payloads of a topic of the source, parsed when they are JSON."""
        lines = [line.partition(" ") for line in self._log.read_text().splitlines()]
        return [json.loads(text) if text.startswith("{") else text for name, _, text in lines if name == f"auscult/test/fan/{topic}"]

    def wait_for(self, is_there: Callable[[], object], timeout_s: float) -> None:
        """Wait until something has been printed; fail with all that was."""
        deadline_s = time.monotonic() + timeout_s
        while not is_there():
            assert time.monotonic() < deadline_s, self._log.read_text()[-2000:]
            time.sleep(0.1)


@contextmanager
def listening(bundle: Path, broker: Broker, folder: Path) -> Iterator[Listening]:
    """A daemon that listens to the microphone, and a subscriber that writes down what it says."""
    config = {
        "node": "test",
        "mqtt": {"host": HOST, "port": broker.port},
        "sources": {"fan": {"bundle": str(bundle), "microphone": {"device": MICROPHONE}}},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    log = folder / "received.txt"
    with log.open("w") as file:
        subscriber = subprocess.Popen(["mosquitto_sub", "-h", HOST, "-p", str(broker.port), "-v", "-t", "auscult/#"], stdout=file)
        daemon = subprocess.Popen([sys.executable, PROJECT / "auscult.py", "run", "--config", path], stderr=subprocess.PIPE, text=True)
        try:
            yield Listening(log)
        finally:
            daemon.send_signal(signal.SIGTERM)
            errors = daemon.communicate(timeout=20.0)[1]
            subscriber.terminate()
            subscriber.wait(10.0)
    assert daemon.returncode == 0, errors


def hear(pulse: PulseServer, listener: Listening, samples: Float32, rate_hz: int, wrong_from_s: float) -> None:
    """Play normal sound and then wrong sound; scores must come throughout, and an event from the wrong part only."""
    listener.wait_for(lambda: listener.of("level"), 20.0)
    player = pulse.play(samples, rate_hz)
    try:
        listener.wait_for(lambda: "ON" in listener.of("state"), len(samples) / rate_hz + 10.0)
    finally:
        player.wait(60.0)
    seconds = len(samples) / rate_hz
    listener.wait_for(lambda: len(listener.of("score")) >= 2 * (seconds - 10.0) - 2, 15.0)
    events = listener.of("event")
    assert events[0]["type"] == "opened"
    scores = listener.of("score")
    assert all(score["lost_s"] < 2.0 for score in scores[6:]), [score["lost_s"] for score in scores]
    # Windows of normal sound alone come before the first alarm; on the way they do not alarm.
    normal = [score for score in scores if score["t_end"] < events[0]["t_start"]]
    assert len(normal) >= 2 * (wrong_from_s - 10.0) - 4
    assert not any(score["anomalous"] for score in normal)


@pytest.mark.slow  # half a minute of real time
def test_run_microphone_hears_a_tone_in_a_machine_and_alerts(
    pulse: PulseServer, broker: Broker, narrow_machine: CalibratedMachine, tmp_path: Path
) -> None:
    # Calibrated at 16 kHz: what the sound server's resampler does to the highest octave is out of its hearing.
    samples = narrow_machine.samples[: 22 * RATE_HZ]
    wrong = inject(samples, tone_fault(RATE_HZ, 1, 4.0, 3150.0, level_dbfs=-20.0), 15.0)
    with listening(narrow_machine.bundle, broker, tmp_path) as listener:
        hear(pulse, listener, wrong, RATE_HZ, wrong_from_s=15.0)


@pytest.mark.slow  # half a minute of real time
@pytest.mark.skipif(not FAN.is_dir(), reason="the shared fan recordings are not here")
def test_run_microphone_hears_a_real_fan_fail_and_alerts(pulse: PulseServer, broker: Broker, tmp_path: Path) -> None:
    normal = sorted((FAN / "normal").glob("*.flac"))
    learned = tmp_path / "normal"
    learned.mkdir()
    for path in normal[:-2]:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        soundfile.write(learned / f"{path.stem}.wav", samples[:, 0], rate_hz, subtype="FLOAT")
    bundle = tmp_path / "fan.auscult"
    command: list[str | Path] = [sys.executable, PROJECT / "auscult.py", "calibrate", "--recordings", learned, "--output", bundle]
    subprocess.run(command, check=True, capture_output=True, timeout=100.0)
    wrong = sorted((FAN / "abnormal").glob("*.flac"))[:1]
    played = [soundfile.read(path, dtype="float32", always_2d=True)[0][:, 0] for path in [*normal[-2:], *wrong]]
    with listening(bundle, broker, tmp_path) as listener:
        hear(pulse, listener, np.concatenate(played), 16000, wrong_from_s=20.0)
