"""Calls: what animals, voices, horns and strings have in common, so a network that never gets real ones knows similar sounds.

A row of sounds with pauses. Each is a harmonic tone whose pitch glides, or a puff of noise, or both, with a soft or hard beginning, and
coloured by a body with a few resonances; now and then several sound together as a chord.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.synthesis.fir import convolve
from export.synthesis.level import at_peak
from export.synthesis.resonance import body_kernel
from export.synthesis.tone import faded

MOST_HARMONICS = 40
CHORD_SHARE = 0.25
PITCH_HZ = (70.0, 3000.0)
SOUND_S = (0.04, 1.5)


def calls(seconds: float, sample_rate_hz: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A row of calls by one creature, of peak 1; shape = (round(seconds * rate),)."""
    n = round(seconds * sample_rate_hz)
    home_hz = _log_uniform(rng, *PITCH_HZ)
    length_s = _log_uniform(rng, *SOUND_S)
    pause_s = _log_uniform(rng, 0.02, 2.0)
    noisiness = float(rng.uniform(0.0, 1.0)) ** 2
    rolloff = float(rng.uniform(0.2, 1.8))
    samples = np.zeros(n, np.float32)
    at_s = float(rng.uniform(0.0, 0.5 * seconds))
    while at_s < seconds:
        own_s = length_s * float(rng.uniform(0.6, 1.5))
        notes = int(rng.integers(2, 5)) if rng.uniform() < CHORD_SHARE else 1
        start = round(at_s * sample_rate_hz)
        for _ in range(notes):
            sound = _sound(own_s, home_hz * 2.0 ** float(rng.normal(0.0, 0.4)), noisiness, rolloff, sample_rate_hz, rng)
            place = samples[start : start + len(sound)]
            place += sound[: len(place)] * np.float32(rng.uniform(0.3, 1.0))
        at_s += own_s + pause_s * float(rng.uniform(0.5, 2.0))
    return at_peak(convolve(samples, _body(sample_rate_hz, rng))[:n], 1.0)


def _sound(
    seconds: float, pitch_hz: float, noisiness: float, rolloff: float, sample_rate_hz: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    n = max(64, round(seconds * sample_rate_hz))
    place = np.linspace(0.0, 1.0, n)
    glide = np.polyval(rng.normal(0.0, 0.35, 3), place - 0.5)  # octaves
    vibrato = float(rng.uniform(0.0, 0.03)) * np.sin(2.0 * np.pi * float(rng.uniform(4.0, 9.0)) * seconds * place)
    frequency_hz = pitch_hz * 2.0 ** (glide + vibrato)
    phase = 2.0 * np.pi * np.cumsum(frequency_hz) / sample_rate_hz + float(rng.uniform(0.0, 2.0 * np.pi))
    voiced = np.zeros(n, np.float32)
    for order in range(1, MOST_HARMONICS + 1):
        if order * frequency_hz.min() > 0.45 * sample_rate_hz:
            break
        audible = order * frequency_hz < 0.45 * sample_rate_hz  # (n,)
        voiced += (np.sin(order * phase) * audible * order**-rolloff * float(rng.uniform(0.3, 1.0))).astype(np.float32)
    noise = rng.standard_normal(n).astype(np.float32)
    mixed = (1.0 - noisiness) * at_peak(voiced, 1.0) + noisiness * at_peak(noise, 1.0)
    attack = float(_log_uniform(rng, 0.005, 0.4))
    envelope = np.minimum(place / attack, 1.0) * np.exp(-float(rng.uniform(0.0, 5.0)) * place)
    return faded((mixed * envelope).astype(np.float32), 0.008, sample_rate_hz)


def _body(sample_rate_hz: int, rng: np.random.Generator) -> NDArray[np.float32]:
    peaks = int(rng.integers(2, 5))
    peaks_hz = np.exp(rng.uniform(np.log(250.0), np.log(0.3 * sample_rate_hz), peaks))
    return body_kernel(
        sample_rate_hz, peaks_hz, rng.uniform(6.0, 20.0, peaks), rng.uniform(0.05, 0.3, peaks), float(rng.uniform(-12.0, 0.0)), 1000.0
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
