"""How surprising normal sound is that was not learned from, over all the time that a store vouches for: what the threshold is set by.

A store keeps a sample of the sound, but what the bundle in force made of every window, which that bundle had not heard. So the surprise of
the heads of cells is that bundle's, on scales that are fitted on the same windows: in nats, in which bundles agree. That of the heads of
steady sound is that bundle's too, by its rank: its distribution becomes the one that the new heads have on the windows of the store, held
out. Beyond what the sample reaches the order of windows stays, and so does how far they are apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrate.in_place.learned_heads import Told, told_surprise
from calibrate.in_place.learned_sound import Values
from edge.learning.head_values import ANOMALOUS, STEADY

Float64 = NDArray[np.float64]

KNOTS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)  # quantiles at which two distributions are told alike
STEP_S = 5.0  # from one window to the next


@dataclass(frozen=True, slots=True)
class LearnedSurprise:
    """A `SurpriseOfKinds`: windows one after the other, every five seconds."""

    cells: Float64
    steady: Float64


def told(values: Sequence[Values], names: Sequence[str]) -> Told:
    """What was made of all windows that were not anomalous, by name."""
    rows = np.concatenate([_normal(one, names) for one in values])
    return dict(zip(names, rows.T, strict=True))


def learned_surprise(
    values: Sequence[Values], names: Sequence[str], features: Mapping[str, int], window_cells: int, steady_nats: Mapping[int, float]
) -> list[LearnedSurprise]:
    """Of each run of windows; `steady_nats` are those of the new heads, held out, by stretch: of one of its windows."""
    series = []
    for bundle in dict.fromkeys(one.bundle for one in values):
        own = [one for one in values if one.bundle == bundle]
        told_of = told(own, names)
        if not len(told_of[STEADY]):
            continue
        cells = told_surprise(features, told_of, window_cells)
        new = [nats for stretch, nats in steady_nats.items() if any(one.first_stretch <= stretch <= one.last_stretch for one in own)]
        steady = _alike(told_of[STEADY], np.array(new or list(steady_nats.values()), np.float64))
        ends = np.cumsum([len(_normal(one, names)) for one in own])[:-1]
        runs = zip(np.split(cells, ends), np.split(steady, ends), strict=True)
        series += [LearnedSurprise(one, other) for one, other in runs if len(one)]
    return series


def _normal(values: Values, names: Sequence[str]) -> Float64:
    normal: Float64 = values.rows[values.rows[:, list(names).index(ANOMALOUS)] == 0.0]
    return normal


def _alike(before: Float64, after: Float64) -> Float64:
    """What was measured `before`, brought to the distribution of `after`; both of any length, shape = (n,)."""
    if not len(after):
        return np.zeros_like(before)
    old, new = (np.quantile(values, KNOTS) for values in (before, after))
    distinct = np.append(np.diff(old) > 0, True)
    mapped: Float64 = np.interp(before, old[distinct], new[distinct])
    mapped += np.maximum(before - old[-1], 0.0)
    return mapped
