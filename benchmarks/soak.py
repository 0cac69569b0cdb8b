"""Does the daemon grow? `auscult run` hears days of sound as fast as it can, and is weighed after every ten minutes of them.

The sound is a synthesised machine with a fault every few minutes, over and over: windows, events, the outbox and the network all have work.
Weighed are resident memory, open files and threads of the process, as the kernel counts them (proc(5); Linux only).
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import soundfile
import yaml

from benchmarks.delay import KINDS, SCENE_S, make_fault
from benchmarks.memory import MEGA
from benchmarks.promise import RATE_HZ, RECORDING_S, machine
from calibrate.calibration import calibrate
from calibrate.demo.subscriber import Subscriber
from calibrate.metrics.bootstrap import RESAMPLES, Interval, percentile_interval
from calibrate.settings import CalibrationSettings
from edge.errors import AuscultError
from edge.mqtt.payloads import EventPayload, ScorePayload
from edge.mqtt.topics import Topics
from export.synthesis import inject

NODE, SOURCE = "soak", "machine"
LOAD_HOLD_S = 60.0
CALIBRATION_MINUTES = 10
SCENES = 16  # a fault in every second: 12 minutes, again and again
ONSET_S = 8.0
WEIGHED_EVERY_S = 600.0  # of sound
POLL_S = 0.2
STALLED_S = 120.0  # without a score, in real time
STOP_S = 60.0
DAY_H = 24.0


@dataclass(frozen=True, slots=True)
class Weight:
    """The memory, files and threads of the process after so much sound."""

    heard_h: float
    rss_mb: float  # 10^6 bytes
    files: int  # open file descriptors
    threads: int


@dataclass(frozen=True, slots=True)
class Soak:
    """What became of a daemon that ran for long."""

    heard_h: float
    wall_s: float
    weights: tuple[Weight, ...]
    opened: int  # events
    closed: int
    missing: int  # numbers left out in `seq`

    def slope_mb_per_day(self, after_h: float) -> tuple[float, Interval]:
        """Growth of resident memory per day of sound, by least squares over all weights after so many hours, and its 95 % interval.

        The interval resamples whole hours, since neighbours are alike (block bootstrap).
        """
        late = [weight for weight in self.weights if weight.heard_h > after_h]
        hours = np.array([weight.heard_h for weight in late])  # (weight,)
        rss_mb = np.array([weight.rss_mb for weight in late])  # (weight,)
        blocks = [np.flatnonzero(np.floor(hours) == hour) for hour in np.unique(np.floor(hours))]
        random = np.random.default_rng(0)
        slopes = []
        for _ in range(RESAMPLES):
            drawn = np.concatenate([blocks[number] for number in random.integers(len(blocks), size=len(blocks))])
            if np.ptp(hours[drawn]) > 0:
                slopes.append(_slope(hours[drawn], rss_mb[drawn]))
        return DAY_H * _slope(hours, rss_mb), Interval(*(DAY_H * end for end in percentile_interval(slopes)))


def soak(
    folder: Path,
    settings: CalibrationSettings,
    hours: float,
    broker: tuple[str, int],
    protocol: str,
    seed: int,
    report: Callable[[float], None],
) -> Soak:
    """Calibrate on a synthesised machine, and let `auscult run` process so many hours of it.

    Parameters
    ----------
    folder
        for the recordings, the bundle and the outbox.
    broker
        host and port of one that asks for no password.
    report
        called with the seconds of sound that were heard since the last call.

    Raises
    ------
    AuscultError
        when the daemon ends, or goes silent; with the last line that it wrote.
    """
    bundle, stream = _prepare(folder, settings, seed)
    config, log = folder / "config.yaml", folder / "log.txt"
    config.write_text(yaml.safe_dump(_config(bundle, stream, folder, broker, protocol)), encoding="utf-8")
    begun_s = time.monotonic()
    with ExitStack() as stack:
        ears = stack.enter_context(_Ears(broker))
        writer = stack.enter_context(log.open("w"))
        command = [sys.executable, "-m", "edge", "run", "--config", str(config)]
        daemon = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[1], stdout=writer, stderr=writer)
        stack.callback(daemon.kill)
        weights = _weigh(daemon, ears, hours, log, report)
        wall_s = time.monotonic() - begun_s
        daemon.terminate()
        if daemon.wait(STOP_S) != 0:
            raise AuscultError("auscult run", _last_line(log))
        ears.wait_until_offline(STOP_S)
    return Soak(ears.heard_s / 3600.0, wall_s, tuple(weights), ears.opened, ears.closed, ears.missing)


class _Ears(Subscriber):
    """Knows how much was heard, from the scores, and what became of events; keeps none of them."""

    def __init__(self, broker: tuple[str, int]) -> None:
        topics = Topics(NODE)
        super().__init__(*broker, topics.status, {topics.score(SOURCE): self._score, topics.event(SOURCE): self._event})
        self.heard_s = 0.0
        self.opened = self.closed = self.missing = 0
        self._begun: datetime | None = None
        self._last: tuple[str, int] | None = None  # epoch and seq

    def _score(self, payload: bytes | bytearray) -> None:
        score = msgspec.json.decode(payload, type=ScorePayload)
        self._begun = self._begun or _moment(score.t_start)
        self.heard_s = (_moment(score.t_end) - self._begun).total_seconds()

    def _event(self, payload: bytes | bytearray) -> None:
        event = msgspec.json.decode(payload, type=EventPayload)
        self.opened += event.type == "opened"
        self.closed += event.type == "closed"
        if self._last is not None:
            self.missing += event.seq - self._last[1] - 1 if event.epoch == self._last[0] else 1
        self._last = (event.epoch, event.seq)


def _prepare(folder: Path, settings: CalibrationSettings, seed: int) -> tuple[Path, list[Path]]:
    """A bundle, and the scenes of a machine that are to be heard."""
    source = machine(seed, LOAD_HOLD_S)
    normal = [folder / f"normal-{number:02}.flac" for number in range(CALIBRATION_MINUTES)]
    for path in normal:
        soundfile.write(path, source.render(RECORDING_S), RATE_HZ, subtype="PCM_16")
    bundle = folder / "machine.auscult"
    calibrate(normal, bundle, settings)
    random = np.random.default_rng([seed, 0x50AC])
    stream = [folder / f"scene-{number:02}.flac" for number in range(SCENES)]
    for number, path in enumerate(stream):
        scene = source.render(SCENE_S)
        if number % 2:
            fault = make_fault(KINDS[number // 2 % len(KINDS)], scene, source, random)
            scene = inject(scene, fault.heard_through(source.colour), ONSET_S)
        soundfile.write(path, scene, RATE_HZ, subtype="PCM_16")
    return bundle, stream


def _config(bundle: Path, stream: Sequence[Path], folder: Path, broker: tuple[str, int], protocol: str) -> dict[str, object]:
    return {
        "node": NODE,
        "mqtt": {"host": broker[0], "port": broker[1], "protocol": protocol},
        "sources": {SOURCE: {"bundle": str(bundle), "files": {"paths": [str(path) for path in stream], "loop": True}}},
        "outbox": {"path": str(folder / "outbox.sqlite")},
        "log": {"level": "error"},
    }


def _weigh(daemon: subprocess.Popen[bytes], ears: _Ears, hours: float, log: Path, report: Callable[[float], None]) -> list[Weight]:
    weights: list[Weight] = []
    told_s = 0.0
    news_s = time.monotonic()
    while told_s < hours * 3600.0:
        time.sleep(POLL_S)
        if daemon.poll() is not None:
            raise AuscultError("auscult run", f"ended after {told_s / 3600.0:.1f} h of sound: {_last_line(log)}")
        heard_s = ears.heard_s
        if heard_s > told_s:
            report(heard_s - told_s)
            told_s, news_s = heard_s, time.monotonic()
        elif time.monotonic() - news_s > STALLED_S:
            raise AuscultError("auscult run", f"published no score for {STALLED_S:.0f} s, after {told_s / 3600.0:.1f} h of sound")
        if heard_s >= (len(weights) + 1) * WEIGHED_EVERY_S:
            weights.append(_weight(daemon.pid, heard_s))
    return weights


def _weight(pid: int, heard_s: float) -> Weight:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return Weight(heard_s / 3600.0, int(status["VmRSS"].split()[0]) * 1024 / MEGA, files, int(status["Threads"]))


def _slope(hours: np.ndarray, rss_mb: np.ndarray) -> float:
    return float(np.polyfit(hours, rss_mb, 1)[0])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))  # Python 3.10 knows no Z


def _last_line(log: Path) -> str:
    return (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it wrote nothing"])[-1]
