"""One class of EnvMix, measured with one system: what is kept, and what travels to the workers of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.cache import digests
from benchmarks.datasets.envmix import EnvMix, SoundClass
from benchmarks.envmix import ClassResult, measure_class
from benchmarks.learned import learn
from calibrate.settings import CalibrationSettings


@dataclass(frozen=True, slots=True)
class EnvMixJob:
    """What to measure."""

    mix: EnvMix
    normal: SoundClass
    ratios_db: tuple[float, ...]
    repeats: int
    seed: int
    settings: CalibrationSettings
    most: int | None = None  # recordings to learn from

    def key(self, system: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the result depends on; `system` is the settings as JSON can hold them."""
        return {
            "measured": "envmix",
            "class": self.normal.name,
            "fit": digests(self.normal.fit),
            "test": digests(self.normal.test),
            "added": {sound.name: digests(sound.test) for sound in self.mix.added},
            "has_folds": self.mix.has_folds,
            "share": self.mix.share,
            "over": self.mix.over,
            "snr_db": self.ratios_db,
            "repeats": self.repeats,
            "seed": self.seed,
            "system": system,
            "most": self.most,
        }


def measure_envmix(job: EnvMixJob) -> ClassResult:
    """Learn and test the class; UserError when it cannot be."""
    learned = partial(learn, settings=job.settings)
    return measure_class(job.mix, job.normal, job.ratios_db, repeats=job.repeats, seed=job.seed, most=job.most, learn=learned)
