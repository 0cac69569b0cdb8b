"""The effects of a room, a microphone and other sound, applied to the log-mel: cheap enough to be new in every step.

All of it works on power in decibels, shape = (frame, mel). The level is normalised afterwards, by edge's own tracker.
"""

from __future__ import annotations

import numpy as np

from edge.features.frontend import FLOOR_DB, PANNS, mels_below
from edge.features.level import normalise_offline
from export.trunk import MEL_BANDS, Float32Array

EQUALISER_NODES = 7
EQUALISER_DB = 3.0
NOISE_BELOW_DB = (10.0, 50.0)  # the microphone's noise against the mean power: no sound stands in perfect silence
REVERBERATION_SHARE = 0.3
NARROW_SHARE = 0.25
NARROW_HZ = (4000.0, 8000.0, 8000.0, 11025.0)  # half of the usual low sample rates


def sum_db(one: Float32Array, other: Float32Array) -> Float32Array:
    """Decibels of two powers together."""
    total: Float32Array = (np.logaddexp(one * _TO_NATURAL, other * _TO_NATURAL) / _TO_NATURAL).astype(np.float32)
    return total


_TO_NATURAL = np.float32(np.log(10.0) / 10.0)


def through_channel(log_mel: Float32Array, mels: int, rng: np.random.Generator) -> tuple[Float32Array, int]:
    """The sound, shape = (frame, mel) dB, through a random room, microphone and sample rate; and how many bands are audible then.

    A smooth equaliser, sometimes reverberation, the microphone's noise, and sometimes nothing above a lower sample rate's half.
    """
    heard = log_mel
    if rng.uniform() < REVERBERATION_SHARE:
        heard = _reverberated(heard, rng)
    heard = heard + _equaliser(rng)
    level_db = 10.0 * np.log10(np.mean(np.power(10.0, heard[:, :mels] / 10.0)))
    noise = level_db - rng.uniform(*NOISE_BELOW_DB) + rng.normal(0.0, 1.8, heard.shape)  # (frame, mel) dB
    heard = sum_db(heard, noise.astype(np.float32))
    if rng.uniform() < NARROW_SHARE:
        mels = min(mels, mels_below(PANNS, float(rng.choice(NARROW_HZ))))
    return heard, mels


def levelled(log_mel: Float32Array, mels: int, frames: int) -> Float32Array:
    """The last `frames` frames as the backbone sees them, shape = (frames, mel): what lies before only sets the level."""
    return normalise_offline(np.maximum(log_mel, np.float32(FLOOR_DB)), PANNS, mels)[-frames:]


def _equaliser(rng: np.random.Generator) -> Float32Array:
    """Gains, shape = (mel,) dB: random at a few nodes, smooth between them."""
    nodes = rng.normal(0.0, EQUALISER_DB, EQUALISER_NODES)
    gains = np.interp(np.linspace(0.0, EQUALISER_NODES - 1, MEL_BANDS), np.arange(EQUALISER_NODES), nodes)
    return np.convolve(np.pad(gains, 3, mode="edge"), np.full(7, 1 / 7), mode="valid").astype(np.float32)


def _reverberated(log_mel: Float32Array, rng: np.random.Generator) -> Float32Array:
    """A diffuse tail behind every frame that loses 60 dB in 0.1-0.8 s, faster at high frequencies."""
    seconds = float(rng.uniform(0.1, 0.8)) * np.linspace(1.0, 0.5, MEL_BANDS)  # (mel,)
    decay = (10.0 ** (-6.0 * PANNS.frame_s / seconds)).astype(np.float32)
    wet = np.float32(10.0 ** (rng.uniform(-12.0, 0.0) / 10.0))
    power = np.power(10.0, log_mel / 10.0, dtype=np.float32)
    tail = np.empty_like(power)
    state = power[0]
    for frame, now in enumerate(power):
        state = decay * state + (1.0 - decay) * now
        tail[frame] = state
    heard: Float32Array = (10.0 * np.log10(np.maximum(power + wet * tail, 1e-12))).astype(np.float32)
    return heard
