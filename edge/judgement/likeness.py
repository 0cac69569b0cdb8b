"""How like each other moments of sound are, by how much louder each band is than usual.

A moment is a cell of time. What it has beyond the usual spectrum of its window, band by band in dB, is of the sound that was added to the
machine: a door, a voice. Bands that stand out no more than the machine itself varies do not count, and neighbours are blurred into each
other, so that a voice of another pitch, or another stroke of the same door, has about the same. A sound is the same sound when it is
farther away: what was added is compared at several gains, in power, for what the machine drowns stands out less.

Two moments are as unlike as what one has and the other has not is large, against what both have together (Bray and Curtis, "An ordination
of the upland forest communities of southern Wisconsin", Ecological Monographs 27, 1957): 0 is the same, and 1 has nothing in common.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

FAINT = 0.7  # deviations of frames; those of a cell of four frames are about half of them
LEAST_DB = 40.0  # of all bands together, for a moment to stand out
GAINS_DB = (-9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0)
BLUR = np.array([0.25, 0.5, 0.25])
TOGETHER = 256  # moments that are compared at once, which bounds the memory


def beyond_usual(decibels: Float32, usual: Float32) -> Float32:
    """How much louder than usual each band is, shape = (moment, band) dB; where it is softer, 0."""
    beyond: Float32 = np.maximum(decibels - usual, np.float32(0.0))
    return beyond


def usual_of(decibels: Float32) -> Float32:
    """The usual spectrum of a window, shape = (band,) dB, of its cells, (time, band); those that were not heard are NaN."""
    heard = decibels[~np.isnan(decibels[:, 0])]
    usual: Float32 = np.median(heard, axis=0).astype(np.float32)
    return usual


def standing(beyond: Float32, spread_db: Float64) -> Float32:
    """What stands out of moments, shape = (moment, band) dB, where the machine itself varies by `spread_db`, (band,)."""
    clear = np.maximum(beyond - FAINT * spread_db, 0.0)
    padded = np.pad(clear, ((0, 0), (1, 1)), mode="edge")
    blurred: Float32 = (BLUR[0] * padded[:, :-2] + BLUR[1] * padded[:, 1:-1] + BLUR[2] * padded[:, 2:]).astype(np.float32)
    return blurred


def at_gains(beyond: Float32) -> Float32:
    """What moments would have beyond the usual, had what was added been louder or softer, shape = (gain, moment, band) dB."""
    added = 10.0 ** (0.1 * beyond.astype(np.float64)) - 1.0
    gains = 10.0 ** (0.1 * np.array(GAINS_DB))
    heard: Float32 = (10.0 * np.log10(1.0 + gains[:, None, None] * added)).astype(np.float32)
    return heard


def unlikeness(moments: Float32, others: Float32) -> Float32:
    """How unlike moments are to others, shape = (moment, other), of what stands out of either, (moment, band) and (other, band)."""
    sums = moments.sum(axis=1)[:, None] + others.sum(axis=1)[None]
    apart = np.empty(sums.shape, np.float32)
    for first in range(0, len(others), TOGETHER):
        part = others[first : first + TOGETHER]
        apart[:, first : first + TOGETHER] = np.abs(moments[:, None] - part[None]).sum(axis=2)
    unlike: Float32 = apart / np.maximum(sums, np.float32(1e-6))
    return unlike
