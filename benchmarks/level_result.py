"""The figures of one level of EnvMix, and their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calibrate.metrics.bootstrap import percentile_interval

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LevelResult:
    """One level's figures: means over the repeats, and the ROC AUC of every resample of every repeat."""

    roc_auc: float
    f1: float
    areas: Float64 = field(repr=False)  # (repeats x resamples,)
    au_pro: float | None = None  # of the spectrogram level


def over_repeats(results: Sequence[LevelResult]) -> LevelResult:
    """Return the mean of repeats, with the resamples of all of them."""
    return _mean(results, np.concatenate([result.areas for result in results]))


def _mean(results: Sequence[LevelResult], areas: Float64) -> LevelResult:
    overlaps = [result.au_pro for result in results if result.au_pro is not None]
    return LevelResult(
        roc_auc=float(np.mean([result.roc_auc for result in results])),
        f1=float(np.mean([result.f1 for result in results])),
        areas=areas,
        au_pro=float(np.mean(overlaps)) if overlaps else None,
    )


def mean_of(results: Sequence[LevelResult]) -> LevelResult:
    """Return the plain mean of results; resample i of the mean is the mean of their resamples i."""
    shortest = min(len(result.areas) for result in results)  # resamples without a class are left out, which is rare
    return _mean(results, np.mean([result.areas[:shortest] for result in results], axis=0))


def document_of(result: LevelResult) -> dict[str, float]:
    """Return the figures with the 95 % interval of the ROC AUC."""
    interval = percentile_interval(result.areas)
    figures = {"roc_auc": result.roc_auc, "low": interval.low, "high": interval.high, "f1": result.f1}
    return figures if result.au_pro is None else {**figures, "au_pro": result.au_pro}
