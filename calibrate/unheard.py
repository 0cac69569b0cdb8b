"""The surprise of held-out normal sound: it sets the units of the heads, and the threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calibrate.head_scale import Deviations, FittedHeads, known, windows_of
from calibrate.steady import FittedSteady
from calibrate.workers_here import WorkersHere
from edge.console.progress import Progress
from edge.features.frontend import BLOCK_CELLS
from edge.judgement.fusion import ONCE_A_WEEK, Units, fuse
from edge.judgement.tail_fit import EVENT_S, fit_tail
from edge.judgement.window_scorer import HEARD_FRACTION

Bool = NDArray[np.bool_]
Float64 = NDArray[np.float64]


WINDOWS_AT_ONCE = 64
FEW_STRETCHES = 10  # recordings, or as many stretches of a long one: of so many, a unit counts half, in decades


class SurpriseOfKinds(Protocol):
    """What either kind of heads makes of windows one after the other."""

    @property
    def cells(self) -> Float64:
        """Of each window, shape = (window,)."""

    @property
    def steady(self) -> Float64:
        """The same of the heads of steady sound."""


@dataclass(frozen=True, slots=True)
class UnheardSurprise:
    """The evidence of the heads in the windows of one recording that end with each block, of those with enough sound."""

    recording: int
    first_blocks: list[int]  # of each window
    window_blocks: int
    cells: Float64  # (window,)
    steady: Float64  # (window,)

    def blocks(self, window: int) -> tuple[int, int]:
        """The first block of a window, and the one after its last."""
        first = self.first_blocks[window]
        return first, first + self.window_blocks

    def surprise(self, units: Units) -> Float64:
        """Of both kinds together."""
        return together(self, units)


def together(series: SurpriseOfKinds, units: Units) -> Float64:
    """The surprise of both kinds, shape = (window,)."""
    surprise: Float64 = np.hypot(series.cells / units.cells, series.steady / units.steady)
    return surprise


def unheard_surprise(
    heads: FittedHeads, recordings: Sequence[Deviations], steady: FittedSteady | None, workers: WorkersHere | None = None
) -> list[UnheardSurprise]:
    """Of every recording with enough sound that was new to the detector."""
    shares = [_share_heard(known(one), heads.window_cells) for one in recordings]
    enough = min(HEARD_FRACTION, max(float(share.max()) for share in shares))
    jobs = [_Job(index, one, shares[index] >= enough, steady.of([index]) if steady else None) for index, one in enumerate(recordings)]
    found: dict[int, list[Float64]] = {job.recording: [] for job in jobs}
    weights = [int(np.count_nonzero(job.enough)) for job in jobs]
    with Progress("judging held-out sound", sum(weights)) as bar:
        for index, evidence in (workers or WorkersHere()).stream(partial(_evidence, heads), jobs, weights):
            found[index].append(evidence)
            bar.update(len(evidence))
    return [_series(heads, job, np.concatenate(found[job.recording])) for job in jobs if weights[job.recording]]


def fit_units(unheard: Sequence[SurpriseOfKinds], step_s: float) -> Units:
    """The units in which neither kind of heads reaches more than is usual on normal sound: a restless one is toned down.

    A quiet one is not made louder than it is, and a restless one is toned down by less, the less sound says that it is.
    """
    return Units(_unit([one.cells for one in unheard], step_s), _unit([one.steady for one in unheard], step_s))


def _unit(series: Sequence[Float64], step_s: float) -> float:
    if not any(one.any() for one in series):
        return 1.0
    plain = fit_tail(list(series), step_s).surprise_at(1.0) / ONCE_A_WEEK
    stretches = sum(max(1.0, len(one) * step_s / EVENT_S) for one in series)
    return float(max(1.0, plain ** (stretches / (stretches + FEW_STRETCHES))))


@dataclass(frozen=True, slots=True)
class _Job:
    """The windows of one recording."""

    recording: int
    deviations: Deviations
    enough: Bool  # (window,)
    steady: FittedSteady | None  # of this recording


def _evidence(heads: FittedHeads, job: _Job) -> Iterator[Float64]:
    """The evidence of either kind in each window with enough sound, some windows at a time, shape = (window, 2)."""
    length, plain = _window_blocks(heads), Units()
    windows = np.flatnonzero(job.enough).tolist()
    for some in (windows[first : first + WINDOWS_AT_ONCE] for first in range(0, len(windows), WINDOWS_AT_ONCE)):
        evidence = []
        for window in some:
            cells = slice(BLOCK_CELLS * window, BLOCK_CELLS * window + heads.window_cells)
            average = job.steady.held_out(job.recording, window, window + length) if job.steady else {}
            fused = fuse(heads.heads.evidence({feature: values[cells] for feature, values in job.deviations.items()}), average, plain)
            evidence.append((fused.cells, fused.steady))
        yield np.array(evidence)


def _series(heads: FittedHeads, job: _Job, evidence: Float64) -> UnheardSurprise:
    windows = np.flatnonzero(job.enough).tolist()
    return UnheardSurprise(job.recording, windows, _window_blocks(heads), evidence[:, 0].copy(), evidence[:, 1].copy())


def _window_blocks(heads: FittedHeads) -> int:
    return max(1, round(heads.window_cells / BLOCK_CELLS))


def _share_heard(heard: Bool, window_cells: int) -> Float64:
    """The part of each window that was heard, shape = (window,)."""
    length = min(window_cells, len(heard))
    counts = np.concatenate([[0], np.cumsum(heard)])
    first = BLOCK_CELLS * np.arange(windows_of(len(heard), window_cells))
    share: Float64 = (counts[first + length] - counts[first]) / length
    return share
