"""What the demo plays: half an hour of a healthy machine to learn from, then a stream with three faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge.features.frontend import PANNS
from export.synthesis import Fault, MachineDesign, RotatingMachine, bearing_fault, inject, knock_fault, tone_fault
from export.synthesis.level import amplitude, level_dbfs

SAMPLE_RATE_HZ = PANNS.sample_rate_hz
NORMAL_S = 120.0  # of the stream, before the first fault
BETWEEN_S = 35.0  # from one fault to the next: more than a window and the cooldown, so that each can be an event of its own
STREAM_S = NORMAL_S + 10.0 + 3 * BETWEEN_S
RECORDING_S = 120.0
FEWEST_RECORDINGS = 8  # out-of-fold calibration wants several
PIECE_S = 30.0
TONE_HZ = 3150.0
RESONANCE_HZ = 5200.0
DEFECT_ORDER = 3.57  # impacts per turn: the outer race of a common 8-ball bearing

MACHINE = MachineDesign(shaft_hz=24.6, blades=7, load_hold_s=15.0, level_dbfs=-32.0)  # headroom for a knock


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault at a known place of the stream."""

    kind: str
    description: str
    start_s: float
    end_s: float
    f_lo_hz: float
    f_hi_hz: float


@dataclass(frozen=True, slots=True)
class Scene:
    """The files that the demo works on."""

    recordings: tuple[Path, ...]  # of the healthy machine
    stream: Path
    injections: tuple[Injection, ...]
    normal_s: float  # of the stream, before the first injection
    stream_s: float


def build_scene(folder: Path, minutes: float, seed: int, progress: Callable[[float], None]) -> Scene:
    """Write `minutes` of one machine as FLAC recordings, then `STREAM_S` more of the same machine with faults in it.

    `progress` is told the seconds of sound that each step made; they sum to `60 * minutes + STREAM_S`.
    """
    machine = RotatingMachine(seed, SAMPLE_RATE_HZ, MACHINE)
    count = max(round(60.0 * minutes / RECORDING_S), FEWEST_RECORDINGS)
    each_s = 60.0 * minutes / count
    recordings = []
    (folder / "normal").mkdir(parents=True, exist_ok=True)
    for index in range(count):
        path = folder / "normal" / f"machine-{index + 1:02d}.flac"
        with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1, "PCM_16", format="FLAC") as file:
            for piece in machine.pieces(each_s, PIECE_S):
                file.write(piece)
                progress(len(piece) / SAMPLE_RATE_HZ)
        recordings.append(path)
    samples = machine.render(STREAM_S)
    injections = []
    for fault, at_s in _faults(seed, samples):
        samples = inject(samples, fault.heard_through(machine.colour), at_s)
        injections.append(Injection(fault.kind, fault.description, at_s + fault.start_s, at_s + fault.end_s, fault.f_lo_hz, fault.f_hi_hz))
    stream = folder / "stream.flac"
    soundfile.write(stream, samples, SAMPLE_RATE_HZ, subtype="PCM_16", format="FLAC")
    progress(STREAM_S)
    return Scene(tuple(recordings), stream, tuple(injections), NORMAL_S, STREAM_S)


def _faults(seed: int, healthy: NDArray[np.float32]) -> list[tuple[Fault, float]]:
    """The three faults and the seconds of the stream at which they begin: known, but not on a grid.

    Each is as loud against the machine as an ear would notice without looking for it.
    """
    rng = np.random.default_rng([seed, 0xDE])
    at_s = NORMAL_S + 8.0 + BETWEEN_S * np.arange(3) + rng.uniform(0.0, 3.0, 3)
    shaft_hz, calm = MACHINE.shaft_hz, healthy[: round(20.0 * SAMPLE_RATE_HZ)]
    tone_dbfs = _band_dbfs(calm, 0.9 * TONE_HZ, 1.1 * TONE_HZ) + 9.0
    bearing_dbfs = _band_dbfs(calm, 0.7 * RESONANCE_HZ, 1.4 * RESONANCE_HZ) + 9.0
    faults = [
        knock_fault(SAMPLE_RATE_HZ, seed, peak=min(14.0 * amplitude(level_dbfs(calm)), 0.7)),
        tone_fault(SAMPLE_RATE_HZ, seed, 5.0, TONE_HZ, tone_dbfs),
        bearing_fault(SAMPLE_RATE_HZ, seed, 6.0, DEFECT_ORDER * shaft_hz, RESONANCE_HZ, bearing_dbfs, shaft_hz),
    ]
    return list(zip(faults, at_s.tolist(), strict=True))


def _band_dbfs(samples: NDArray[np.float32], f_lo_hz: float, f_hi_hz: float) -> float:
    """RMS level of what lies between two frequencies."""
    power = np.square(np.abs(np.fft.rfft(samples))) * 2.0 / len(samples) ** 2
    frequency_hz = np.fft.rfftfreq(len(samples), 1.0 / SAMPLE_RATE_HZ)
    return 10.0 * float(np.log10(np.sum(power[(frequency_hz >= f_lo_hz) & (frequency_hz < f_hi_hz)])))
