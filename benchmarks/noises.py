"""Surprise of normal sound, simulated: window by window, for ten-second windows that begin every 0.32 s.

A head looks at a window through its largest or its mean block, so the noise of blocks is smeared in the same way. What machines do lies
somewhere between these: some have lighter tails than an exponential, some heavier, and some change their state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from edge.judgement.evidence import evidence_of, surprise_of

Float64 = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int], Float64]  # so many windows of surprise, shape = (windows,)

STEP_S = 0.32
WINDOW = 31  # steps
SHORT_S, LONG_S = 20.0, 300.0  # for which a load is held, on average
LIVELY, CALM = 1.0, 0.7  # how much two features make of the same
LOUDEST_WINDOW = 60  # steps: a level drifts


def gaussian(random: np.random.Generator, windows: int) -> Float64:
    """The mean of a window: one head, sustained."""
    return _means(random.standard_normal(windows + WINDOW - 1), WINDOW)


def exponential(random: np.random.Generator, windows: int) -> Float64:
    """The largest block of a window, exponential: one head, of moments."""
    return _largest(random.exponential(size=windows + WINDOW - 1))


def student(random: np.random.Generator, windows: int) -> Float64:
    """The largest block of a window, from Student's t with 5 degrees of freedom: rare moments that are far from usual."""
    return _largest(random.standard_t(5, size=windows + WINDOW - 1))


def heads(random: np.random.Generator, windows: int) -> Float64:
    """Two features with two heads each, which share half of their input, and a level that drifts, combined as in the product."""
    blocks, common = windows + WINDOW - 1, random.standard_normal(windows + WINDOW - 1)
    struck = random.gumbel(size=blocks)
    evidence = evidence_of(_unit(_means(random.standard_normal(windows + LOUDEST_WINDOW - 1), LOUDEST_WINDOW), 1.28, 0.47))
    for _ in range(2):
        evidence += evidence_of(_unit(_largest(np.maximum(struck, random.gumbel(size=blocks)) - np.log(2.0)), 2.25, 1.03))
        evidence += evidence_of(_unit(_means((common + random.standard_normal(blocks)) / np.sqrt(2.0), WINDOW), 1.28, 0.47))
    return surprise_of(evidence)


def loads(random: np.random.Generator, windows: int, hold_s: float) -> Float64:
    """A load that is held for a while: each as surprising as it is unusual, exponentially, with some noise on top. One head, of moments."""
    blocks = windows + WINDOW - 1
    return _largest(_held(random, blocks, hold_s) + 0.4 * random.gumbel(size=blocks))


def loads_in_all_heads(random: np.random.Generator, windows: int) -> Float64:
    """Loads held for 20 s that affect every head of two features, combined as in the product."""
    blocks = windows + WINDOW - 1
    load = _held(random, blocks, SHORT_S)
    evidence = evidence_of(_unit(_means(random.standard_normal(windows + LOUDEST_WINDOW - 1), LOUDEST_WINDOW), 1.28, 0.47))
    for gain in (LIVELY, CALM):
        evidence += evidence_of(_unit(_largest(gain * load + 0.4 * random.gumbel(size=blocks)), 2.6 * gain, 1.0))
        noise = _means(random.standard_normal(blocks), WINDOW)
        evidence += evidence_of(_unit(gain * _means(load, WINDOW) / np.sqrt(WINDOW) + 0.3 * noise, 2.0 * gain, 0.8))
    return surprise_of(evidence)


NOISES: Mapping[str, Noise] = {
    "gaussian": gaussian,
    "exponential": exponential,
    "student": student,
    "heads": heads,
    "loads of 20 s": lambda random, windows: loads(random, windows, SHORT_S),
    "loads of 300 s": lambda random, windows: loads(random, windows, LONG_S),
    "loads in all heads": loads_in_all_heads,
}


def _largest(blocks: Float64) -> Float64:
    """The largest of each window."""
    largest: Float64 = np.lib.stride_tricks.sliding_window_view(blocks, WINDOW).max(axis=1)
    return largest


def _means(blocks: Float64, window: int) -> Float64:
    """The mean over each window, times the root of its length: white noise keeps its spread."""
    sums = np.concatenate([[0.0], np.cumsum(blocks)])
    means: Float64 = (sums[window:] - sums[:-window]) / np.sqrt(window)
    return means


def _held(random: np.random.Generator, blocks: int, hold_s: float) -> Float64:
    """Exponential values, each held for half to one and a half of `hold_s`."""
    count = int(2.0 * blocks * STEP_S / hold_s) + 10
    changes = np.cumsum(random.uniform(0.5, 1.5, count)) * hold_s / STEP_S
    values: Float64 = random.exponential(size=count)[np.searchsorted(changes, np.arange(blocks) + random.uniform(0.0, changes[0]))]
    return values


def _unit(values: Float64, onset: float, scale: float) -> Float64:
    """In units of its own tail, as heads are scaled."""
    unit: Float64 = (values - onset) / scale
    return unit
