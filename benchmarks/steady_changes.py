"""Steady changes: what a machine sounds like with a fault that is always there, of a known size.

Each is a function of a recording, shape (samples,) float32 with full scale -1 to 1, its rate in Hz (8000 or more), how loud the machine is
while it is learned, and a random generator; it returns a new recording of the same shape. What makes it one fault (a tone's frequency, a
shaft's, a bearing's) is drawn once for a machine. The generator draws what differs from recording to recording: where in its turn a tone
or a shaft is, and how the balls of a bearing slip. What is added has one level in all recordings: a fault does not follow them up and down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Clip
from benchmarks.ordinary_changes import band_power
from export.synthesis.bearing import bearing_impacts
from export.synthesis.level import amplitude
from export.synthesis.wavetable import Wavetable, rolled_off

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Draw = Callable[[str], np.random.Generator]  # a generator of its own for each purpose

OCTAVES_HZ = (62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)  # their middles
EDGE_OCTAVES = 1 / 12  # in which a band's edge goes from all to nothing
MIRRORED_S = 0.5  # before and after a recording, so that a filter does not begin with a step

BAND_DB = (-6.0, -3.0, -2.0, 2.0, 3.0, 6.0)
TONE_DB = (-20.0, -15.0, -10.0, -5.0, 0.0)  # against the octave that the tone is in
HARMONICS_DB = (-20.0, -15.0, -10.0, -5.0, 0.0)  # against the machine, as impulses
IMPULSES_DB = (-20.0, -15.0, -10.0, -5.0)
BROADBAND_DB = (-4.0, -2.0, -1.0, 1.0, 2.0, 4.0)
DEPTHS = (0.25, 0.5, 1.0)
BOTH_WAYS = ("broadband", "band")  # kinds whose sizes are gains

SHAFT_HZ = (20.0, 60.0)
HARMONICS = 40
MODULATED_HZ = 1000.0 * sqrt(2.0)  # the octave from 1 to 2 kHz
MODULATIONS_HZ = (5.0, 20.0, 50.0, 100.0)
RESONANCE_HZ = (2000.0, 6000.0)
DEFECT_HZ = (60.0, 160.0)
HIGHEST = 0.4  # of the rate: what is drawn lies below


@dataclass(frozen=True, slots=True)
class Usual:
    """How loud a machine is while it is learned: mean squares, means over its recordings."""

    power: float
    octaves: Mapping[float, float]  # by their middle in Hz


Apply = Callable[[Float32, int, Usual, np.random.Generator], Float32]


@dataclass(frozen=True, slots=True)
class SteadyChange:
    """One kind of change, what of the machine it concerns, and how large it is."""

    kind: str
    what: str
    size: float
    unit_of_size: str
    apply: Apply

    @property
    def direction(self) -> str:
        """The kind and, where a machine can go either way, which."""
        return f"{self.kind} {'louder' if self.size > 0 else 'softer'}" if self.kind in BOTH_WAYS else self.kind

    @property
    def strength(self) -> float:
        """What orders the sizes of one direction."""
        return abs(self.size) if self.kind in BOTH_WAYS else self.size


def usual_of(clips: Iterable[Clip]) -> Usual:
    """Measure how loud the recordings of a machine are, each as much as any other; there must be one."""
    powers = np.array([[clip.power, *(band_power(clip.samples, clip.rate_hz, corners(middle)) for middle in OCTAVES_HZ)] for clip in clips])
    whole, *octaves = powers.mean(axis=0)
    return Usual(float(whole), dict(zip(OCTAVES_HZ, map(float, octaves), strict=True)))


def broadband(samples: Float32, rate_hz: int, usual: Usual, random: np.random.Generator, *, gain_db: float) -> Float32:
    """Make all of it louder or softer."""
    return samples * np.float32(amplitude(gain_db))


def band(samples: Float32, rate_hz: int, usual: Usual, random: np.random.Generator, *, middle_hz: float, gain_db: float) -> Float32:
    """Make one octave louder or softer: by all of `gain_db` in its middle, by none of it a little beyond its corners, without any delay."""
    return _filtered(samples, rate_hz, lambda frequency_hz: 10.0 ** (gain_db * octave_weight(frequency_hz, middle_hz) / 20.0))


def tone(
    samples: Float32, rate_hz: int, usual: Usual, random: np.random.Generator, *, frequency_hz: float, middle_hz: float, level_db: float
) -> Float32:
    """Add a sine whose power is `level_db` above what the machine usually has in the octave around `middle_hz`."""
    phase = 2.0 * np.pi * (random.uniform() + frequency_hz * np.arange(len(samples)) / rate_hz)
    sine: Float32 = (sqrt(2.0 * usual.octaves[middle_hz]) * amplitude(level_db) * np.sin(phase)).astype(np.float32)
    return samples + sine


def harmonics(
    samples: Float32, rate_hz: int, usual: Usual, random: np.random.Generator, *, wave: Wavetable, shaft_hz: float, level_db: float
) -> Float32:
    """Add a second shaft, whose power is `level_db` above all that the machine usually has; `wave` is one turn of it."""
    turns = random.uniform() + shaft_hz * np.arange(len(samples)) / rate_hz
    return samples + wave.read(turns) * np.float32(sqrt(usual.power) * amplitude(level_db))


def modulation(samples: Float32, rate_hz: int, usual: Usual, random: np.random.Generator, *, modulation_hz: float, depth: float) -> Float32:
    """Let the octave from 1 to 2 kHz swell and fade: by 1 + depth sin(2 pi f t), times what keeps its power as it was."""
    steady = _filtered(samples, rate_hz, lambda frequency_hz: octave_weight(frequency_hz, MODULATED_HZ)).astype(np.float64)
    swell = 1.0 + depth * np.sin(2.0 * np.pi * (random.uniform() + modulation_hz * np.arange(len(samples)) / rate_hz))
    swelling = steady * swell
    kept = np.sqrt(np.mean(np.square(steady)) / max(float(np.mean(np.square(swelling))), np.finfo(np.float64).tiny))
    difference: Float32 = (kept * swelling - steady).astype(np.float32)
    return samples + difference


def impulses(
    samples: Float32, rate_hz: int, usual: Usual, random: np.random.Generator, *, defect_hz: float, resonance_hz: float, level_db: float
) -> Float32:
    """Add the impacts of a damaged bearing, which ring, and whose times vary by 1 %: `level_db` above all that the machine usually has."""
    impacts = bearing_impacts(len(samples) / rate_hz, rate_hz, random, defect_hz, resonance_hz, jitter=0.01)
    return samples + impacts * np.float32(sqrt(usual.power) * amplitude(level_db))


def octaves_of(rate_hz: int) -> tuple[float, ...]:
    """The octaves that fit below half the rate with their edges, by their middle in Hz."""
    return tuple(middle for middle in OCTAVES_HZ if middle * 2.0 ** (0.5 + EDGE_OCTAVES / 2) < rate_hz / 2)


def corners(middle_hz: float) -> tuple[float, float]:
    """Where an octave begins and ends, in Hz."""
    return middle_hz / sqrt(2.0), middle_hz * sqrt(2.0)


def octave_weight(frequency_hz: Float64, middle_hz: float) -> Float64:
    """How much each frequency belongs to an octave: 1 within, 0 beyond, and half of a cosine over log frequency between. shape as given."""
    distance = np.abs(np.log2(np.maximum(frequency_hz, 1e-3) / middle_hz))  # in octaves
    weight: Float64 = 0.5 + 0.5 * np.cos(np.pi * np.clip((distance - 0.5) / EDGE_OCTAVES + 0.5, 0.0, 1.0))
    return weight


def _filtered(samples: Float32, rate_hz: int, response: Callable[[Float64], Float64]) -> Float32:
    """Filter a recording by a real response over Hz, as if it had been going on before it began and went on after its end: mirrored."""
    around = round(MIRRORED_S * rate_hz)
    longer = np.pad(samples.astype(np.float64), around, mode="reflect")
    frequency_hz = np.fft.rfftfreq(len(longer), 1.0 / rate_hz).astype(np.float64)
    spectrum = np.fft.rfft(longer) * response(frequency_hz)
    return np.fft.irfft(spectrum, len(longer))[around : around + len(samples)].astype(np.float32)


def _broadband(rate_hz: int, draw: Draw) -> list[SteadyChange]:
    return [SteadyChange("broadband", "all of it", size, "dB", partial(broadband, gain_db=size)) for size in BROADBAND_DB]


def _band(rate_hz: int, draw: Draw) -> list[SteadyChange]:
    return [
        SteadyChange("band", f"octave at {ceil(middle)} Hz", size, "dB", partial(band, middle_hz=middle, gain_db=size))
        for middle in octaves_of(rate_hz)
        for size in BAND_DB
    ]


def _tone(rate_hz: int, draw: Draw) -> list[SteadyChange]:
    """A tone somewhere in each octave."""
    changes = []
    for middle in octaves_of(rate_hz):
        frequency_hz = _between(corners(middle), draw(f"tone in {middle:g}"))
        made = partial(tone, frequency_hz=frequency_hz, middle_hz=middle)
        changes += [SteadyChange("tone", f"{frequency_hz:.0f} Hz", size, "dB", partial(made, level_db=size)) for size in TONE_DB]
    return changes


def _harmonics(rate_hz: int, draw: Draw) -> list[SteadyChange]:
    random = draw("harmonics")
    shaft_hz = _between(SHAFT_HZ, random)
    wave = Wavetable(rolled_off(min(HARMONICS, int(HIGHEST * rate_hz / shaft_hz)), 1.0, 0.0, random), random)
    made = partial(harmonics, wave=wave, shaft_hz=shaft_hz)
    return [SteadyChange("harmonics", f"shaft at {shaft_hz:.1f} Hz", size, "dB", partial(made, level_db=size)) for size in HARMONICS_DB]


def _modulation(rate_hz: int, draw: Draw) -> list[SteadyChange]:
    return [
        SteadyChange("modulation", f"1-2 kHz at {rate:g} Hz", depth, "depth", partial(modulation, modulation_hz=rate, depth=depth))
        for rate in MODULATIONS_HZ
        for depth in DEPTHS
    ]


def _impulses(rate_hz: int, draw: Draw) -> list[SteadyChange]:
    random = draw("impulses")
    resonance_hz = _between((RESONANCE_HZ[0], min(RESONANCE_HZ[1], HIGHEST * rate_hz)), random)
    defect_hz = _between(DEFECT_HZ, random)
    what, made = f"{defect_hz:.0f} a second at {resonance_hz:.0f} Hz", partial(impulses, defect_hz=defect_hz, resonance_hz=resonance_hz)
    return [SteadyChange("impulses", what, size, "dB", partial(made, level_db=size)) for size in IMPULSES_DB]


def _between(span_hz: tuple[float, float], random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(*np.log(span_hz))))


_MADE: Mapping[str, Callable[[int, Draw], list[SteadyChange]]] = {
    "broadband": _broadband,
    "band": _band,
    "tone": _tone,
    "harmonics": _harmonics,
    "modulation": _modulation,
    "impulses": _impulses,
}
KINDS = tuple(_MADE)


def steady_changes(rate_hz: int, draw: Draw, kinds: Sequence[str] = KINDS) -> tuple[SteadyChange, ...]:
    """All changes of some kinds that fit below half a rate, by kind, what they concern and size; `draw` makes them one machine's."""
    return tuple(change for kind in KINDS if kind in kinds for change in _MADE[kind](rate_hz, draw))
