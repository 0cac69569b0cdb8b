"""The programs that a run needs, in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.faults.drill import Drill
from tests.faults.evidence import Evidence
from tests.faults.scene import build_scene
from tests.faults.schedule import Kind, draw
from tests.pulse import PulseServer

FULL: dict[Kind, int] = {"broker killed": 10, "daemon killed": 10, "network cut": 4, "sink removed": 3, "disk full": 2, "clock set": 5}
FULL_FAULTS = 40
SHORT: dict[Kind, int] = {"broker killed": 2, "daemon killed": 2, "network cut": 1, "clock set": 1}
SHORT_FAULTS = 5
PROGRAMS = ("mosquitto", "pulseaudio", "pactl", "pacat")
# Debian keeps Mosquitto in a folder that only root has in its PATH.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def missing_programs() -> list[str]:
    """What has to be installed."""
    return [program for program in PROGRAMS if shutil.which(program, path=_PATH) is None]


def run_drill(folder: Path, seed: int, faults: int, counts: dict[Kind, int], say: Callable[[str], None]) -> Evidence:
    """Build the scene and run the drill in `folder`."""
    scene = build_scene(folder, seed, faults)
    troubles = draw(seed, scene.seconds, counts)
    say(f"seed {seed}: {len(scene.faults)} faults in {scene.seconds:.0f} s, {len(troubles)} troubles; logs in {folder}")
    with _pulse() as pulse, _broker(folder) as broker:
        return Drill(scene, folder, pulse, broker, say).run(troubles)


@contextlib.contextmanager
def _pulse() -> Iterator[PulseServer]:
    with tempfile.TemporaryDirectory(prefix="auscult-pulse-") as short, pytest.MonkeyPatch.context() as environment:
        pulse = PulseServer(Path(short))
        for name, value in {"PATH": _PATH, **pulse.variables}.items():
            environment.setenv(name, value)
        try:
            pulse.start()
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
