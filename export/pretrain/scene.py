"""A few seconds of a synthesised machine, with the place and the parameters of every sound in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log2, log10

import numpy as np

from export.synthesis.bearing import bearing_impacts
from export.synthesis.call import calls
from export.synthesis.clicks import valve_clicks
from export.synthesis.fir import Kernel, convolve
from export.synthesis.knock import knock
from export.synthesis.leak import Leak
from export.synthesis.level import at_level
from export.synthesis.rotating_machine import MachineDesign, RotatingMachine
from export.synthesis.tone import faded, tone
from export.trunk import Float32Array

KINDS = ("tonal", "leak", "impact", "whine", "defect", "call")  # sounds whose share of every cell is known
PRESENCE = 0.35  # how often each of the added sounds is there
ABSENT_DB = -90.0

# label -> (centre, spread): what it is standardised by. Frequencies in octaves (log2 of hertz).
LABELS: Mapping[str, tuple[float, float]] = {
    "shaft": (5.0, 1.1),
    "blades": (8.5, 1.6),
    "tonal_db": (-4.0, 9.0),
    "rolloff": (0.95, 0.38),
    "modulation": (0.3, 0.17),
    "slope": (-5.0, 2.3),
    "reverberation": (0.32, 0.16),
    "leak_low": (10.7, 1.1),
    "leak_high": (12.2, 1.2),
    "impact_period": (-1.0, 0.9),
    "whine": (10.6, 1.6),
    "defect_rate": (6.5, 1.0),
    "defect_resonance": (12.0, 0.6),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """Sound and what is known of it."""

    samples: Float32Array  # (n,) float32
    parts: Mapping[str, Float32Array]  # kind -> (n,) float32, as it is heard in `samples`
    labels: Float32Array  # (label,) float32, standardised; NaN where the machine has no such thing


def make_scene(seed: int, index: int, seconds: float, sample_rate_hz: int) -> Scene:
    """Scene `index` of a series; the same numbers give the same samples."""
    rng = np.random.default_rng([seed, index, 0x5CE])
    design = replace(MachineDesign.random(rng), load_hold_s=60.0)
    number = int(rng.integers(1 << 31))
    machine = RotatingMachine(number, sample_rate_hz, design)
    samples = machine.render(seconds)
    # The same machine without its tones: the same noise to the last sample, so the difference is the tones alone.
    parts = {"tonal": samples - RotatingMachine(number, sample_rate_hz, _without_tones(design)).render(seconds)}
    known = {
        "shaft": log2(design.shaft_hz),
        "blades": log2(design.shaft_hz * design.blades),
        "tonal_db": design.tonal_db,
        "rolloff": design.rolloff,
        "modulation": design.modulation,
        "slope": design.slope_db_per_octave,
        "reverberation": design.reverberation_s,
    }
    for kind, add in (("leak", _leak), ("impact", _impacts), ("whine", _whine), ("defect", _defect), ("call", _calls)):
        if rng.uniform() < PRESENCE:
            sound, told = add(len(samples), sample_rate_hz, design, rng)
            level_dbfs = design.level_dbfs + float(rng.uniform(-20.0, 10.0))
            parts[kind] = at_level(_heard(sound, machine.colour), level_dbfs)
            samples = samples + parts[kind]
            known |= told
    labels = np.full(len(LABELS), np.nan, np.float32)
    for position, (name, (centre, spread)) in enumerate(LABELS.items()):
        if name in known:
            labels[position] = (known[name] - centre) / spread
    return Scene(samples, parts, labels)


def _without_tones(design: MachineDesign) -> MachineDesign:
    """No harmonics and no hum, everything else as loud as before."""
    before, after = (
        10.0 * log10(1.0 + sum(10.0 ** (db / 10.0) for db in dbs))
        for dbs in ((design.tonal_db, design.bearing_db, design.hum_db), (ABSENT_DB, design.bearing_db, ABSENT_DB))
    )
    return replace(design, tonal_db=ABSENT_DB, hum_db=ABSENT_DB, level_dbfs=design.level_dbfs - before + after)


def _heard(sound: Float32Array, colour: Kernel) -> Float32Array:
    return convolve(sound, colour)[: len(sound)]


_Added = tuple[Float32Array, dict[str, float]]


def _leak(n: int, rate_hz: int, design: MachineDesign, rng: np.random.Generator) -> _Added:
    low_hz = float(np.exp(rng.uniform(np.log(500.0), np.log(0.22 * rate_hz))))
    high_hz = min(low_hz * float(rng.uniform(1.3, 6.0)), 0.45 * rate_hz)
    sound = Leak(int(rng.integers(1 << 31)), rate_hz, low_hz, high_hz).render(n / rate_hz)
    return _somewhere(sound, rate_hz, rng), {"leak_low": log2(low_hz), "leak_high": log2(high_hz)}


def _impacts(n: int, rate_hz: int, design: MachineDesign, rng: np.random.Generator) -> _Added:
    """A valve that works, or single knocks."""
    if rng.uniform() < 0.7:
        period_s = float(np.exp(rng.uniform(np.log(0.12), np.log(1.6))))
        return valve_clicks(n / rate_hz, rate_hz, rng, period_s), {"impact_period": log2(period_s)}
    sound = np.zeros(n + rate_hz, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        blow = knock(rate_hz, rng, lowest_hz=float(rng.uniform(200.0, 1500.0)))
        start = int(rng.integers(0, n))
        sound[start : start + len(blow)] += blow * np.float32(rng.uniform(0.4, 1.0))
    return sound[:n], {}


def _whine(n: int, rate_hz: int, design: MachineDesign, rng: np.random.Generator) -> _Added:
    frequency_hz = float(np.exp(rng.uniform(np.log(200.0), np.log(0.42 * rate_hz))))
    sound = tone(frequency_hz, n / rate_hz, rate_hz, rng, wander=float(rng.uniform(0.0, 0.01)))
    return _somewhere(sound, rate_hz, rng), {"whine": log2(frequency_hz)}


def _defect(n: int, rate_hz: int, design: MachineDesign, rng: np.random.Generator) -> _Added:
    defect_hz = float(np.clip(rng.uniform(2.0, 6.0) * design.shaft_hz, 20.0, 400.0))
    resonance_hz = float(np.exp(rng.uniform(np.log(1500.0), np.log(0.28 * rate_hz))))
    shaft_hz = design.shaft_hz if rng.uniform() < 0.5 else 0.0
    sound = bearing_impacts(n / rate_hz, rate_hz, rng, defect_hz, resonance_hz, shaft_hz=shaft_hz)
    return _somewhere(sound, rate_hz, rng), {"defect_rate": log2(defect_hz), "defect_resonance": log2(resonance_hz)}


def _calls(n: int, rate_hz: int, design: MachineDesign, rng: np.random.Generator) -> _Added:
    return calls(n / rate_hz, rate_hz, rng), {}


def _somewhere(sound: Float32Array, rate_hz: int, rng: np.random.Generator) -> Float32Array:
    """All along, or (every other time) only a part of the scene."""
    if rng.uniform() < 0.5:
        return sound
    start, end = sorted(int(place) for place in rng.uniform(0.0, 1.0, 2) * len(sound))
    end = min(len(sound), max(end, start + rate_hz // 5))
    part = np.zeros_like(sound)
    part[start:end] = faded(sound[start:end], 0.03, rate_hz)
    return part
