"""The yardstick: what simple statistics of a whole recording hear. No set may be heard better by it than by Auscult.

A recording is four vectors, in decibels:

level        the power of the recording
percentiles  the 10th, 50th and 90th of each of 64 mel bands (HTK mel, 50 Hz to 14 kHz or half the sample rate), over frames of some 32 ms
shape        the mean spectrum, with its own mean taken out: what is left when the level is not known
dynamics     of each band the deviation and the flux (mean change from frame to frame); of groups of four bands how much they are modulated,
             0.3 to 32 Hz in six ranges

Each is standardised by median and deviation of the fit recordings, values of small deviation with the help of the others, and judged by the
nearest neighbour, by the Mahalanobis distance (covariance as of Ledoit and Wolf, "A well-conditioned estimator for large-dimensional
covariance matrices", 2004) or by the largest deviation. `fused` adds up the evidence of all six scores: ln(1 + softplus(z)), where z is how
far a score lies above those of fit recordings that were left out, in five folds.

It has no windows and no events, and gets only what calibration gets.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Clip, read_clip

Float64 = NDArray[np.float64]
Vectors = Mapping[str, Float64]  # of one recording
Scores = dict[str, Float64]  # of each recording, by the name of the score

FUSED = "fused"
LEAST_FIT = 3  # recordings: of two, each left out, nothing is known of how they differ
FOLDS = 5

MELS = 64
LOWEST_HZ, HIGHEST_HZ = 50.0, 14000.0
WINDOW_S = 0.032
HOPS_PER_WINDOW = 3
POWER_FLOOR = 1e-10  # of a band in a frame
LEVEL_FLOOR = 1e-12
PERCENTILES = (10, 50, 90)
BANDS_PER_GROUP = 4
MODULATION_HZ = (0.3, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # edges of the ranges
MODULATION_FLOOR = 1e-3

FLOORS = {"level": 0.05, "percentiles": 0.05, "shape": 0.05, "dynamics": 0.01}  # variances, dB^2: less is no difference
PRIOR_RECORDINGS = 4.0  # that the median variance of all bands stands for
EVIDENCE_QUANTILE = 0.9  # of left-out recordings: z is counted from there
LEAST_UNIT = 0.1  # of a score's median: left-out recordings that hardly differ prove no precision


def yardstick_scores(fit: Sequence[Path], test: Sequence[Path]) -> Scores:
    """Learn from some recordings and score others.

    Returns
    -------
    `fused` first, then each score that it is made of, shape (test,) each; higher is more anomalous. Nothing when there are fewer than three
    recordings to learn from.

    Raises
    ------
    AudioError
        A recording that cannot be read.
    """
    if len(fit) < LEAST_FIT:
        return {}
    learned, heard = ([vectors(read_clip(path)) for path in paths] for paths in (fit, test))
    single = _scores(learned, heard)
    return {FUSED: _fused(learned, single), **single}


def vectors(clip: Clip) -> Vectors:
    """Return the four vectors of a recording, each (values,) dB."""
    log_mel, frames_hz = _log_mel(clip)
    mean = log_mel.mean(axis=0)  # (mel,)
    flux = np.abs(np.diff(log_mel, axis=0)).mean(axis=0) if len(log_mel) > 1 else np.zeros(MELS)
    power = np.mean(np.square(clip.samples, dtype=np.float64)) if len(clip.samples) else 0.0
    return {
        "level": np.array([10.0 * np.log10(power + LEVEL_FLOOR)]),
        "percentiles": np.percentile(log_mel, PERCENTILES, axis=0).ravel(),
        "shape": mean - mean.mean(),
        "dynamics": np.concatenate([log_mel.std(axis=0), flux, _modulation(log_mel, frames_hz)]),
    }


def _log_mel(clip: Clip) -> tuple[Float64, float]:
    """The spectrogram, (frame, mel) dB, and how many frames there are in a second; a recording shorter than a frame is filled up."""
    window = 2 ** round(np.log2(WINDOW_S * clip.rate_hz))
    hop = window // HOPS_PER_WINDOW
    samples = np.pad(clip.samples, (0, max(0, window - len(clip.samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]  # (frame, sample)
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32), axis=1)))  # (frame, bin)
    log_mel: Float64 = 10.0 * np.log10(power @ _triangles(clip.rate_hz, window) + POWER_FLOOR)
    return log_mel, clip.rate_hz / hop


@lru_cache(maxsize=8)
def _triangles(rate_hz: int, window: int) -> Float64:
    """The mel bands, (bin, mel): triangles with a peak of 1; a band between two bins takes the nearer one."""
    bins_hz = np.fft.rfftfreq(window, 1.0 / rate_hz)[:, None]  # (bin, 1)
    lowest, highest = (2595.0 * np.log10(1.0 + hz / 700.0) for hz in (LOWEST_HZ, min(HIGHEST_HZ, rate_hz / 2.0)))
    edges_hz = 700.0 * (10.0 ** (np.linspace(lowest, highest, MELS + 2) / 2595.0) - 1.0)
    below, centre, above = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    bands: Float64 = np.clip(np.minimum((bins_hz - below) / (centre - below), (above - bins_hz) / (above - centre)), 0.0, None)
    empty = np.flatnonzero(~bands.any(axis=0))
    bands[np.abs(bins_hz - centre[empty]).argmin(axis=0), empty] = 1.0
    bands.setflags(write=False)
    return bands


def _modulation(log_mel: Float64, frames_hz: float) -> Float64:
    """How much groups of bands go up and down in each range, (range x group,) dB; 0 where a recording is too short to tell."""
    groups = log_mel.reshape(len(log_mel), -1, BANDS_PER_GROUP).mean(axis=2)  # (frame, group)
    swing = (groups - groups.mean(axis=0)) * np.hanning(len(groups))[:, None]
    power = np.square(np.abs(np.fft.rfft(swing, axis=0))) / len(groups)  # (modulation frequency, group)
    hz = np.fft.rfftfreq(len(groups), 1.0 / frames_hz)
    ranges = np.zeros((len(MODULATION_HZ) - 1, groups.shape[1]))
    for number, (low, high) in enumerate(pairwise(MODULATION_HZ)):
        within = (hz >= low) & (hz < high)
        if within.any():
            ranges[number] = 10.0 * np.log10(power[within].mean(axis=0) + MODULATION_FLOOR)
    return ranges.ravel()


def _nearest(fit: Float64, test: Float64) -> Float64:
    """Root mean square distance from the nearest fit recording."""
    nearest: Float64 = np.sqrt(np.square(test[:, None] - fit[None]).mean(axis=2)).min(axis=1)
    return nearest


def _mahalanobis(fit: Float64, test: Float64) -> Float64:
    covariance = importlib.import_module("sklearn.covariance")  # extra `benchmark`
    distances: Float64 = covariance.LedoitWolf().fit(fit).mahalanobis(test)
    return distances


def _largest(_fit: Float64, test: Float64) -> Float64:
    largest: Float64 = np.abs(test).max(axis=1)
    return largest


SCORES: Mapping[str, tuple[str, Callable[[Float64, Float64], Float64]]] = {
    "level_nearest": ("level", _nearest),
    "percentiles_mahalanobis": ("percentiles", _mahalanobis),
    "percentiles_largest": ("percentiles", _largest),
    "shape_largest": ("shape", _largest),
    "dynamics_mahalanobis": ("dynamics", _mahalanobis),
    "dynamics_largest": ("dynamics", _largest),
}


def _scores(fit: Sequence[Vectors], test: Sequence[Vectors]) -> Scores:
    standard = {}
    for name, floor in FLOORS.items():
        learned, heard = (np.array([one[name] for one in group]) for group in (fit, test))
        standard[name] = _standardised(learned, heard, floor)
    return {score: judge(*standard[name]) for score, (name, judge) in SCORES.items()}


def _standardised(fit: Float64, test: Float64, floor: float) -> tuple[Float64, Float64]:
    """Both in deviations of `fit` from its median, each (recording, value); a variance is drawn towards the median one of all values."""
    variance = fit.var(axis=0, ddof=1)
    freedom = len(fit) - 1
    drawn = (freedom * variance + PRIOR_RECORDINGS * np.median(variance)) / (freedom + PRIOR_RECORDINGS)
    centre, scale = np.median(fit, axis=0), np.sqrt(drawn + floor)
    return (fit - centre) / scale, (test - centre) / scale


def _fused(fit: Sequence[Vectors], scores: Scores) -> Float64:
    """The evidence of all scores together, (test,)."""
    fold = np.arange(len(fit)) % min(FOLDS, len(fit))
    left_out = {name: np.zeros(len(fit)) for name in scores}
    for number in range(fold.max() + 1):
        rest, own = ([fit[i] for i in np.flatnonzero(side).tolist()] for side in (fold != number, fold == number))
        for name, values in _scores(rest, own).items():
            left_out[name][fold == number] = values
    total: Float64 = np.sum([_evidence(scores[name], known) for name, known in left_out.items()], axis=0)
    return total


def _evidence(scores: Float64, known: Float64) -> Float64:
    """How surprising scores are beside those of left-out fit recordings."""
    unit = max(known.std(), LEAST_UNIT * abs(np.median(known)) + 1e-6)
    evidence: Float64 = np.log1p(np.logaddexp(0.0, (scores - np.quantile(known, EVIDENCE_QUANTILE)) / unit))
    return evidence
