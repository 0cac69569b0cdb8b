"""Somebody talks beside the machine: sound that is like speech in pitch, formants and rhythm, and says nothing.

No recordings of real speech are available here, so none are used: a figure that is measured with this sound is a first word on speech and
not the last. Glottal pulses ring in three formants that move from vowel to vowel, the pitch falls over the phrase, loudness follows the
syllables, and hiss stands for the consonants between them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.synthesis.leak import band_kernel
from export.synthesis.level import at_peak
from export.synthesis.resonance import decaying_mode
from export.synthesis.tone import faded

# Formants of "heed, head, hod, hawed, who'd, hud" by men: Peterson and Barney, "Control methods used in a study of the vowels", Journal of
# the Acoustical Society of America 24 (1952), table II
VOWELS_HZ = np.array(
    [(270, 2290, 3010), (530, 1840, 2480), (730, 1090, 2440), (570, 840, 2410), (300, 870, 2240), (640, 1190, 2390)], np.float64
)
BANDWIDTHS_HZ = (60.0, 90.0, 150.0)
STRENGTHS = (1.0, 0.5, 0.25)
PITCH_HZ = (95.0, 220.0)
SYLLABLE_S = (0.14, 0.26)  # about five in a second
HISS_HZ = (2500.0, 6000.0)
HISS_S = 0.08
HISS_SHARE = 0.5  # of the syllables begin with one
LOUDNESS_BETWEEN = 0.05  # of that within syllables


def speech(seconds: float, rate_hz: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return one phrase of peak 1, shape (round(seconds * rate_hz),) float32; `rate_hz` is 8000 or more."""
    samples = round(seconds * rate_hz)
    syllables_s = random.uniform(*SYLLABLE_S, int(seconds / SYLLABLE_S[0]) + 1)
    ends_s = np.cumsum(syllables_s)  # (syllable,)
    middles_s = ends_s - syllables_s / 2
    formants_hz = VOWELS_HZ[random.integers(len(VOWELS_HZ), size=len(ends_s))]  # (syllable, formant)
    knots_s = np.sort(np.concatenate([[0.0], middles_s, ends_s]))  # a boundary, a middle, a boundary, ...
    loudness = np.full(len(knots_s), LOUDNESS_BETWEEN)
    loudness[1::2] = random.uniform(0.5, 1.0, len(ends_s))
    pitch_hz = random.uniform(*PITCH_HZ)
    ring = round(rate_hz * max(map(_decay_s, BANDWIDTHS_HZ))) + 1
    sound = np.zeros(samples + ring, np.float32)
    at_s = 0.0
    while at_s < seconds:
        start = int(at_s * rate_hz)
        strength = np.interp(at_s, knots_s, loudness)
        for column, (bandwidth_hz, share) in enumerate(zip(BANDWIDTHS_HZ, STRENGTHS, strict=True)):
            frequency_hz = float(np.interp(at_s, middles_s, formants_hz[:, column]))
            burst = decaying_mode(frequency_hz, _decay_s(bandwidth_hz), rate_hz)
            sound[start : start + len(burst)] += np.float32(strength * share) * burst
        at_s += (1.0 + random.normal(0.0, 0.01)) / (pitch_hz * (1.15 - 0.3 * at_s / seconds))
    for end_s in ends_s[random.uniform(size=len(ends_s)) < HISS_SHARE]:
        hiss = _hiss(rate_hz, random)
        place = sound[round(end_s * rate_hz) : samples][: len(hiss)]
        place += hiss[: len(place)] * np.float32(0.2)
    return at_peak(faded(sound[:samples], 0.02, rate_hz), 1.0)


def _decay_s(bandwidth_hz: float) -> float:
    """In what time a resonance of a bandwidth loses 60 dB."""
    return float(3.0 * np.log(10.0) / (np.pi * bandwidth_hz))


def _hiss(rate_hz: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return one consonant, shape (round(HISS_S * rate_hz),) float32."""
    kernel = band_kernel(HISS_HZ[0], min(HISS_HZ[1], 0.45 * rate_hz), rate_hz, taps=256)
    noise = random.standard_normal(round(HISS_S * rate_hz) + len(kernel) - 1)
    return faded(np.convolve(noise, kernel, mode="valid").astype(np.float32), HISS_S / 3, rate_hz)
