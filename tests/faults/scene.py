"""What is played: a machine without end that breaks down at known seconds, and the bundle that knows how it sounds when it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import soundfile

from calibrate.calibration import calibrate
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.settings import CalibrationSettings
from export.synthesis import Fault, MachineDesign, RotatingMachine, bearing_fault, inject, knock_fault, tone_fault
from tests.bundles import resampled

RATE_HZ = 32000
HEARD_HZ = 16000  # of the bundle: what a sound server's resampler does to the highest octave is out of its hearing
NORMALS = 12
NORMAL_S = 10.0
WINDOW_S = 3.0  # ten would make one event of faults that are nine seconds apart
LEAD_S = 12.0  # before the first fault
EACH_S = 9.0  # from fault to fault: a window, the cooldown and some room
FAULT_S = 2.5
_DESIGN = MachineDesign(load_hold_s=1e6, slip=0.001, level_dbfs=-34.0)


@dataclass(frozen=True, slots=True)
class Played:
    """A fault, in seconds of the recording."""

    kind: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Scene:
    """A recording to be played, and what is in it."""

    bundle: Path
    recording: Path  # raw, 16 bits, mono
    rate_hz: int
    faults: tuple[Played, ...]
    seconds: float


def source_name(number: int) -> str:
    """Of the source, and of its microphone."""
    return f"machine{number + 1}"


@dataclass(frozen=True, slots=True)
class Track:
    """What one source is played: the recording from some second of it on, again and again."""

    source: str
    scene: Scene
    offset_s: float
    seconds: float

    def position(self, at_s: float) -> int:
        """Where in the file it is at a second of the track, in bytes."""
        return 2 * round((at_s + self.offset_s) % self.scene.seconds * self.scene.rate_hz)

    def faults(self) -> Iterator[Played]:
        """The faults that are played to their end, in seconds of the track."""
        for number in range(int((self.seconds + self.offset_s) / self.scene.seconds) + 1):
            shift_s = number * self.scene.seconds - self.offset_s
            for fault in self.scene.faults:
                if fault.start_s + shift_s >= 0.0 and fault.end_s + shift_s <= self.seconds:
                    yield Played(fault.kind, fault.start_s + shift_s, fault.end_s + shift_s)


def build_scene(folder: Path, seed: int, faults: int, rate_hz: int = RATE_HZ, each_s: float = EACH_S) -> Scene:
    """Synthesise a machine, learn it, and let it go on with so many faults in it, one every `each_s`."""
    rng = np.random.default_rng([seed, 0xFA])
    machine = RotatingMachine(seed, rate_hz, _DESIGN)
    normals = []
    for number in range(NORMALS):
        normals.append(folder / f"normal{number}.wav")
        soundfile.write(normals[-1], resampled(machine.render(NORMAL_S), rate_hz, HEARD_HZ), HEARD_HZ, subtype="PCM_16")
    bundle = folder / "machine.auscult"
    with patch("calibrate.calibration.WINDOW_S", WINDOW_S), patch("calibrate.bundle_manifest.WINDOW_S", WINDOW_S):
        calibrate(normals, bundle, CalibrationSettings(fitting=PatchCoreSettings(coreset=64, seed=seed), backbone="logmel-16k"))
    played = []
    recording = folder / "machine.s16"
    with recording.open("wb") as file:
        file.write(_pcm(machine.render(LEAD_S)))
        for number in range(faults):
            at_s = float(rng.uniform(0.0, 1.5))
            fault = _fault(rng, number, rate_hz)
            file.write(_pcm(inject(machine.render(each_s), fault.heard_through(machine.colour), at_s)))
            start_s = LEAD_S + each_s * number + at_s
            played.append(Played(fault.kind, start_s, start_s + fault.end_s))
        file.write(_pcm(machine.render(LEAD_S)))
    return Scene(bundle, recording, rate_hz, tuple(played), 2 * LEAD_S + each_s * faults)


def _fault(rng: np.random.Generator, number: int, rate_hz: int) -> Fault:
    """As loud as nobody can miss: what is tested is what becomes of an event, not how well a fault is heard."""
    seed = int(rng.integers(1 << 31))
    if number % 3 == 0:
        return tone_fault(rate_hz, seed, FAULT_S, float(rng.uniform(2500.0, 5000.0)), level_dbfs=-22.0)
    if number % 3 == 1:
        return bearing_fault(rate_hz, seed, FAULT_S, float(rng.uniform(60.0, 110.0)), float(rng.uniform(3000.0, 5000.0)), level_dbfs=-30.0)
    return knock_fault(rate_hz, seed, peak=0.4, blows=int(rng.integers(6, 12)))


def _pcm(samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> bytes:
    return (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
