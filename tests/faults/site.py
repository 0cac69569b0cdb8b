"""The programs that a run needs, in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.faults.disk import may_mount
from tests.faults.drill import Drill
from tests.faults.evidence import Evidence
from tests.faults.pace import Pace
from tests.faults.plant import built_plant
from tests.faults.scene import EACH_S, RATE_HZ, Track, build_scene, source_name
from tests.faults.schedule import Kind, draw
from tests.pulse import PulseServer


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    faults: int  # in the recording
    troubles: Mapping[Kind, int]
    sources: int = 1
    speed: float = 1.0
    hours: float | None = None  # how long the recording is played, again and again; once without
    rate_hz: int = RATE_HZ
    each_s: float = EACH_S  # from fault to fault


FULL = Plan(40, {"broker killed": 10, "daemon killed": 10, "network cut": 4, "sink removed": 3, "disk full": 2, "clock set": 5})
SHORT = Plan(5, {"broker killed": 2, "daemon killed": 2, "network cut": 1, "clock set": 1})
_PER_HOUR: dict[Kind, int] = {
    "broker killed": 6,
    "daemon killed": 4,
    "network cut": 6,
    "sink removed": 6,
    "disk full": 1,
    "disk read-only": 1,
    "disk slow": 2,
    "memory short": 4,
    "clock set": 2,
}


def long_plan(hours: float) -> Plan:
    """Four sources at ten times their speed, and everything that can go wrong; a disk is write-protected where we may mount one."""
    troubles = {kind: max(1, round(count * hours)) for kind, count in _PER_HOUR.items()}
    if not may_mount():
        del troubles["disk read-only"]
    # ALSA's PulseAudio plugin ends at 192 kHz, which is why these machines are recorded at 16.
    return Plan(40, troubles, sources=4, speed=10.0, hours=hours, rate_hz=16000, each_s=30.0)


PROGRAMS = ("mosquitto", "pulseaudio", "pactl", "pacat")
# Debian keeps Mosquitto in a folder that only root has in its PATH.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def missing_programs() -> list[str]:
    """What has to be installed."""
    return [program for program in PROGRAMS if shutil.which(program, path=_PATH) is None]


def run_drill(folder: Path, seed: int, plan: Plan, say: Callable[[str], None]) -> Evidence:
    """Build the scene and run the drill in `folder`."""
    scene = build_scene(folder, seed, plan.faults, plan.rate_hz, plan.each_s)
    seconds = scene.seconds if plan.hours is None else 3600.0 * plan.hours
    tracks = [Track(source_name(number), scene, scene.seconds * number / plan.sources, seconds) for number in range(plan.sources)]
    troubles = draw(seed, seconds, plan.troubles, plan.sources)
    faults = sum(len(list(track.faults())) for track in tracks)
    say(f"seed {seed}: {faults} faults in {seconds:.0f} s, {len(troubles)} troubles; logs in {folder}")
    with _pulse() as pulse, _broker(folder) as broker, built_plant(folder, tracks, pulse, broker, Pace(plan.speed)) as plant:
        return Drill(plant, say).run(troubles)


@contextlib.contextmanager
def _pulse() -> Iterator[PulseServer]:
    with tempfile.TemporaryDirectory(prefix="auscult-pulse-") as short, pytest.MonkeyPatch.context() as environment:
        pulse = PulseServer(Path(short))
        for name, value in {"PATH": _PATH, **pulse.variables}.items():
            environment.setenv(name, value)
        try:
            yield pulse
        finally:
            pulse.stop()


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[Broker]:
    (folder / "broker").mkdir()
    broker = Broker(folder / "broker", persistent=True)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
