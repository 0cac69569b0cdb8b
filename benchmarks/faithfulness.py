"""Faithfulness on EnvMix: does a system's anomaly map point at what made its score? ("From Vision to Sound", section 3.2.4)

Every mixture of a class is changed as its map says, as a spectrogram, and scored again. The paper's score is a probability; ours becomes
one as s / (1 + s): 0.5 at the alarm threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.audible import check_audible
from benchmarks.clips import Clip, read_clip
from benchmarks.envmix import drawn_by, injections, with_audible_sounds
from benchmarks.envmix_job import EnvMixJob
from benchmarks.learned import learn
from benchmarks.spectrogram_score import spectrogram_map, spectrogram_score
from calibrate.left_out import LeftOut, Sieve, nothing_left
from calibrate.metrics.faithfulness import Domain, Faithfulness, faithfulness, normalized_maps, upsampled
from calibrate.recordings import resampled
from edge.audio.audio_file import audio_info
from edge.features.logmel import offline_log_mel
from edge.model import Model

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FaithfulnessJob:
    """What to measure: a class of an `EnvMixJob`, in its first repeat."""

    envmix: EnvMixJob
    domain: Domain

    def key(self, system: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the result depends on."""
        return {**self.envmix.key(system), "measured": "faithfulness", "domain": self.domain}


@dataclass(frozen=True, slots=True)
class ClassFaithfulness:
    """How far the score of each mixture fell, (v1, v2)."""

    falls: tuple[tuple[float, float], ...]
    left_out: tuple[LeftOut, ...]  # recordings of the class and sounds to add


def measure_faithfulness(job: FaithfulnessJob) -> ClassFaithfulness:
    """Learn a class and change its mixtures; UserError when there is too little to learn from, or nothing to change."""
    sieve = Sieve()
    what = replace(job.envmix, mix=with_audible_sounds(job.envmix.mix, sieve))
    fit, test = what.mix.split(what.normal, drawn_by(what.seed, 0, what.normal.name, "halves"))
    model = learn(fit, what.seed, sieve, settings=what.settings)
    score = as_probability(spectrogram_score(model))
    heard = []
    for path in test:
        with sieve.passing(path):
            check_audible(path)
            model.check_rate(audio_info(path).rate_hz, path)
            heard += [(x, bg, spectrogram_map(model, x)) for x, bg in _spectrograms(what, read_clip(path), path.name, model)]
    if not heard:
        raise nothing_left("no test recordings", sieve.left_out, what.mix.recordings(what.normal))
    falls: list[Faithfulness] = []
    for (x, bg, _), scaled in zip(heard, normalized_maps([anomaly_map for *_, anomaly_map in heard]), strict=True):
        falls.append(faithfulness(score, x, upsampled(scaled, *x.shape), bg, domain=job.domain))
    return ClassFaithfulness(tuple((fall.v1, fall.v2) for fall in falls), sieve.left_out)


def as_probability(score: Callable[[Float32], float]) -> Callable[[Float32], float]:
    """The same score from 0 to 1, 0.5 at the alarm threshold."""

    def probability(log_mel: Float32) -> float:
        value = score(log_mel)
        return value / (1.0 + value)

    return probability


def _spectrograms(job: EnvMixJob, recording: Clip, name: str, model: Model) -> Iterator[tuple[Float32, Float32]]:
    """Each mixture of a recording and the recording itself, as log-mel of the model's front end, (frame, mel) float32 dB."""
    background = _log_mel(recording, model)
    for injection in injections(recording, job.mix.added, drawn_by(job.seed, 0, job.normal.name, name)):
        for ratio in job.ratios_db:
            yield _log_mel(injection.into(recording, ratio, job.mix.over), model), background


def _log_mel(clip: Clip, model: Model) -> Float32:
    rate_hz = model.front_end.sample_rate_hz
    return offline_log_mel(np.concatenate(list(resampled(iter([clip.samples]), clip.rate_hz, rate_hz))), model.front_end)
