"""One score per recording: how well do the scores separate normal from anomalous recordings?

`roc_auc`  area under the ROC curve: how often an anomalous recording scores above a normal one (ties count half)
`pauc`     the same area up to a false-alarm rate of 0.1, standardised so that chance is 0.5 and perfect is 1
           (McClish, "Analyzing a portion of the ROC curve", Medical Decision Making 9, 1989)
`best_f1`  the F1 score at the threshold that makes it highest, anomalous being the positive class

Curves come from scikit-learn (extra `benchmark`), imported when the first figure is asked for.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrate.metrics.bootstrap import Interval, roc_auc_interval
from edge.errors import UserError

PAUC_MAX_FALSE_ALARM_RATE = 0.1


@dataclass(frozen=True, slots=True)
class SampleMetrics:
    """The sample-level figures of one bundle over one set of recordings."""

    roc_auc: float
    pauc: float
    f1: float
    roc_auc_interval: Interval
    normal: int  # recordings
    anomalous: int  # recordings


def sample_metrics(normal: ArrayLike, anomalous: ArrayLike, *, seed: int = 0) -> SampleMetrics:
    """Return every sample-level figure of `normal` and `anomalous` scores, each shape (recordings,).

    Raises
    ------
    UserError
        When a class is empty or a score is not finite.
    ModuleNotFoundError
        When scikit-learn is not installed.
    """
    normal_scores, anomalous_scores = _scores(normal, "normal"), _scores(anomalous, "anomalous")
    return SampleMetrics(
        roc_auc=roc_auc(normal_scores, anomalous_scores),
        pauc=pauc(normal_scores, anomalous_scores),
        f1=best_f1(normal_scores, anomalous_scores),
        roc_auc_interval=roc_auc_interval(normal_scores, anomalous_scores, seed=seed),
        normal=len(normal_scores),
        anomalous=len(anomalous_scores),
    )


def roc_auc(normal: ArrayLike, anomalous: ArrayLike) -> float:
    """Return the area under the ROC curve of two sets of scores, each shape (recordings,)."""
    labels, scores = _labelled(normal, anomalous)
    return float(_scikit_learn_metrics().roc_auc_score(labels, scores))


def pauc(normal: ArrayLike, anomalous: ArrayLike, max_false_alarm_rate: float = PAUC_MAX_FALSE_ALARM_RATE) -> float:
    """Return the standardised partial area under the ROC curve up to `max_false_alarm_rate` (McClish 1989).

    With the area of chance (the triangle under the diagonal) and the largest possible one (the whole strip):
    (1 + (area - chance) / (largest - chance)) / 2. Below 0.5 is worse than chance.

    Raises
    ------
    UserError
        When a class is empty or a score is not finite.
    ValueError
        When `max_false_alarm_rate` is not above 0 and at most 1.
    """
    false_alarm_rates, detection_rates = roc_curve(normal, anomalous)
    area = area_up_to(false_alarm_rates, detection_rates, max_false_alarm_rate)
    chance, largest = max_false_alarm_rate**2 / 2, max_false_alarm_rate
    return 0.5 * (1.0 + (area - chance) / (largest - chance))


def roc_curve(normal: ArrayLike, anomalous: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the false-alarm rate and the detection rate of every threshold that changes them, shape (points,) each, from 0 to 1."""
    labels, scores = _labelled(normal, anomalous)
    false_alarm_rates, detection_rates, _ = _scikit_learn_metrics().roc_curve(labels, scores)
    return np.asarray(false_alarm_rates, np.float64), np.asarray(detection_rates, np.float64)


def area_up_to(false_alarm_rates: NDArray[np.float64], heights: NDArray[np.float64], max_false_alarm_rate: float) -> float:
    """Return the area under a curve from 0 to `max_false_alarm_rate`: trapezoids, the last one cut at the limit.

    Parameters
    ----------
    false_alarm_rates : shape (points,), from 0 to 1, never falling; equal ones are a vertical step.
    heights : shape (points,).
    max_false_alarm_rate : above 0, at most 1; anything else is a ValueError.
    """
    if not 0.0 < max_false_alarm_rate <= 1.0:
        raise ValueError(f"a largest false-alarm rate of {max_false_alarm_rate} is not above 0 and at most 1")
    within = int(np.searchsorted(false_alarm_rates, max_false_alarm_rate, side="right"))
    at_limit = np.interp(max_false_alarm_rate, false_alarm_rates, heights)
    x, y = np.append(false_alarm_rates[:within], max_false_alarm_rate), np.append(heights[:within], at_limit)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2)


def best_f1(normal: ArrayLike, anomalous: ArrayLike) -> float:
    """Return the highest F1 score that any threshold on the scores gives."""
    labels, scores = _labelled(normal, anomalous)
    precision, recall, _ = _scikit_learn_metrics().precision_recall_curve(labels, scores)
    total = precision + recall  # (thresholds,), 0 where every recording called anomalous is normal
    return float(np.max(2 * precision * recall / np.where(total == 0, 1, total)))


def _labelled(normal: ArrayLike, anomalous: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    normal_scores, anomalous_scores = _scores(normal, "normal"), _scores(anomalous, "anomalous")
    labels = np.repeat(np.array([0, 1]), [len(normal_scores), len(anomalous_scores)])
    return labels, np.concatenate([normal_scores, anomalous_scores])


def _scores(scores: ArrayLike, label: str) -> NDArray[np.float64]:
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or values.size == 0:
        raise UserError(f"{label} recordings", "none were scored; the figures need at least one normal and one anomalous recording")
    if not np.isfinite(values).all():
        raise UserError(f"{label} recordings", "a score is missing or not finite; leave that recording out")
    return values


def require_scikit_learn() -> None:
    """Import scikit-learn now, so that the message how to install it comes before long work and not after it."""
    importlib.import_module("sklearn.metrics")


def _scikit_learn_metrics() -> Any:
    return importlib.import_module("sklearn.metrics")
