"""Many machines, a few seconds each: what batch norms and int8 ranges are calibrated on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from export.synthesis.clicks import valve_clicks
from export.synthesis.fault import bearing_fault, inject, knock_fault, tone_fault
from export.synthesis.leak import Leak
from export.synthesis.level import at_level
from export.synthesis.microphone import hear
from export.synthesis.rotating_machine import MachineDesign, RotatingMachine

CLIP_S = (5.0, 10.0)
FAULTY_SHARE = 0.25  # so that the ranges also cover what an anomaly looks like


def machine_corpus(seconds: float, seed: int, sample_rate_hz: int) -> Iterator[NDArray[np.float32]]:
    """Clips of different machines, each of shape = (n,) float32 and 5-10 s long, that together last exactly `seconds`.

    Levels vary from barely audible to loud; some clips hold a fault. The same seed gives the same clips, and a longer
    corpus begins with them (but for the last two, which share what time is left).
    """
    remaining = round(seconds * sample_rate_hz)
    shortest, longest = (round(limit * sample_rate_hz) for limit in CLIP_S)
    index = 0
    while remaining > 0:
        rng = np.random.default_rng([seed, index])
        samples = int(rng.integers(shortest, longest + 1))
        if remaining <= longest:
            samples = remaining
        elif remaining - samples < shortest:
            samples = remaining // 2  # rather two short clips than one and a scrap
        yield _clip(samples, rng, sample_rate_hz)
        remaining -= samples
        index += 1


def _clip(samples: int, rng: np.random.Generator, sample_rate_hz: int) -> NDArray[np.float32]:
    """One machine, of one kind of four."""
    seconds = samples / sample_rate_hz
    seed = int(rng.integers(1 << 31))
    design = MachineDesign.random(rng)
    kind = rng.choice(["rotating", "valve", "leaking", "standing"], p=[0.65, 0.15, 0.12, 0.08])
    machine = RotatingMachine(seed, sample_rate_hz, design)
    if kind == "rotating":
        clip = machine.render(seconds)
    elif kind == "valve":
        clicks = at_level(valve_clicks(seconds, sample_rate_hz, rng, period_s=float(rng.uniform(0.15, 1.5))), design.level_dbfs)
        clip = at_level(machine.render(seconds), design.level_dbfs - float(rng.uniform(3.0, 25.0))) + clicks
    elif kind == "leaking":
        f_lo_hz = float(np.exp(rng.uniform(np.log(500.0), np.log(0.25 * sample_rate_hz))))
        leak = Leak(seed, sample_rate_hz, f_lo_hz, f_lo_hz * float(rng.uniform(1.3, 6.0))).render(seconds)
        clip = machine.render(seconds) + at_level(leak, design.level_dbfs + float(rng.uniform(-15.0, 5.0)))
    else:  # a machine at rest: the room and the microphone
        clip = at_level(machine.render(seconds), float(rng.uniform(-75.0, -55.0)))
    if rng.uniform() < FAULTY_SHARE:
        clip = _with_fault(clip, design, machine, rng)
    return hear(clip, rng, noise_floor_dbfs=design.noise_floor_dbfs)


def _with_fault(
    clip: NDArray[np.float32], design: MachineDesign, machine: RotatingMachine, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The clip with a knock, a tone or a bearing defect somewhere in its middle; a clip too short for one stays as it is."""
    rate, seed = machine.sample_rate_hz, int(rng.integers(1 << 31))
    seconds = len(clip) / rate
    level_dbfs = design.level_dbfs + float(rng.uniform(-20.0, 0.0))
    lasting_s = 0.4 * seconds
    kind = int(rng.integers(3))
    at_s = float(rng.uniform(0.0, 0.5)) * seconds
    if seconds < 1.0:
        return clip
    if kind == 0:
        fault = knock_fault(rate, seed, peak=min(10.0 ** ((level_dbfs + 12.0) / 20.0), 0.4))
    elif kind == 1:
        frequency_hz = float(np.exp(rng.uniform(np.log(200.0), np.log(0.42 * rate))))
        fault = tone_fault(rate, seed, lasting_s, frequency_hz, level_dbfs)
    else:
        resonance_hz = float(rng.uniform(0.06, 0.25)) * rate
        fault = bearing_fault(rate, seed, lasting_s, 3.57 * min(design.shaft_hz, 60.0), resonance_hz, level_dbfs, design.shaft_hz)
    heard = fault.heard_through(machine.colour)
    headroom = 0.5 / max(float(np.max(np.abs(clip))), 0.5)  # together they stay below full scale
    softer = min(1.0, 0.45 / float(np.max(np.abs(heard.samples))))
    return inject(clip * np.float32(headroom), replace(heard, samples=heard.samples * np.float32(softer)), at_s)
