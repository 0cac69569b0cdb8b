"""A fan that runs steadily, synthesised: air through a grille, a tone where its blades pass, and a level that differs little by clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Clip, write_clip
from benchmarks.datasets.manifest import Unit
from export.synthesis.fir import convolve
from export.synthesis.level import amplitude, at_level
from export.synthesis.microphone import hear
from export.synthesis.resonance import body_kernel
from export.synthesis.wavetable import Wavetable, rolled_off

Float32 = NDArray[np.float32]

RATE_HZ = 16000
CLIP_S = 10.0
FIT_CLIPS = 10
TEST_CLIPS = 100  # as many as one false alarm per 100 needs

LEVEL_DBFS = -30.0
SPREAD_DB = 0.3  # standard deviation of a clip's level
BLADE_HZ = (80.0, 300.0)
BLADE_DB = -6.0  # against the air
BLADE_HARMONICS = 6
RESONANCES = 4


class SteadyFan:
    """One fan; the seed decides what it is and every clip of it."""

    def __init__(self, seed: int) -> None:
        build = np.random.default_rng([seed, 0xFA])
        self._random = np.random.default_rng([seed, 0xFB])
        self._body = body_kernel(
            RATE_HZ,
            peaks_hz=np.exp(build.uniform(np.log(150.0), np.log(5000.0), RESONANCES)),
            gains_db=build.uniform(2.0, 8.0, RESONANCES),
            widths=build.uniform(0.1, 0.3, RESONANCES),
            slope_db_per_octave=-4.0,
            corner_hz=400.0,
        )
        self._blades = Wavetable(rolled_off(BLADE_HARMONICS, 1.0, 3.0, build), build)
        self._blade_hz = float(np.exp(build.uniform(*np.log(BLADE_HZ))))

    def clip(self, seconds: float = CLIP_S) -> Clip:
        """Another clip of it, which begins anywhere in a turn."""
        samples, begun = round(seconds * RATE_HZ), len(self._body)
        noise = self._random.standard_normal(samples + begun, dtype=np.float32)
        air = convolve(noise, self._body)[begun : begun + samples]
        turns = self._random.uniform() + np.arange(samples) * self._blade_hz / RATE_HZ
        sound = at_level(air + np.float32(amplitude(BLADE_DB)) * self._blades.read(turns), LEVEL_DBFS)
        return Clip(hear(sound, self._random, gain_db=self._random.normal(0.0, SPREAD_DB)), RATE_HZ)


def steady_fan(folder: Path, seed: int, *, fit: int = FIT_CLIPS, test: int = TEST_CLIPS) -> Unit:
    """Write the clips of one fan into a folder; return it as a manifest would describe it."""
    fan = SteadyFan(seed)
    paths = [folder / f"{role}_{number:03}.wav" for role, count in (("fit", fit), ("test", test)) for number in range(count)]
    for path in paths:
        write_clip(path, fan.clip())
    return Unit("steady_fan", "synthesised", "steady_fan", fit=tuple(paths[:fit]), normal=tuple(paths[fit:]), anomalous=())
