"""Scales of the heads of cells, from columns that the new banks had not heard.

A store has no window as a whole: of some it has two dozen columns, in no order. Their mean is nearly that of the window, and what so few
leave to chance is known and taken off. A moment is of one column, and the scale of a moment head is of the highest in blocks of eight; so
the bundle in force tells which share of single columns exceed what one block in ten exceeds, and that share of the columns in the store
gives the onset. How high the tail is above it comes from the store alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from calibrate.head_scale import ONSET_QUANTILE, fit_scale, scale_above
from edge.judgement.contrast import contrast, moments
from edge.judgement.evidence import evidence_of, surprise_of
from edge.judgement.head_names import CELL, SECOND, drawn_name, moment_name, sustained_name
from edge.judgement.head_scale import HeadScale
from edge.judgement.heads import shown
from edge.learning.head_values import block_moments, cell_moments, drawn_features, moment_features, sustained_features, window_moment

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

Told = Mapping[str, Float64]
"""What the heads of the bundle in force made of windows, by the names of `head_values`, each shape = (window,)."""


def learned_scales(
    windows: Sequence[Mapping[str, Float32]], features: Mapping[str, int], told: Told, window_cells: int
) -> dict[str, HeadScale]:
    """The scales of all heads.

    Parameters
    ----------
    windows : of each a few columns, feature -> (column, band), as the banks without their fold judge them.
    told : what the bundle in force made of normal windows.
    """
    scales: dict[str, HeadScale] = {}
    old = told_scales(features, told, window_cells)
    for feature in moment_features(features):
        columns = np.concatenate([moments(contrast(one[feature], feature)) for one in windows])
        scales[moment_name(feature, features[feature])] = _block_scale(
            columns, _all(told, block_moments(feature)), _all(told, cell_moments(feature))
        )
    for feature in sustained_features(features):
        means = _window_means([one[feature] for one in windows], window_cells)
        scales[sustained_name(feature, features[feature])] = fit_scale(means, window_cells)
    for feature in drawn_features(features):
        highest = np.concatenate([shown(one[feature], feature, "stream").max(axis=1) for one in windows])
        scale = _block_scale(highest, told[f"{feature}_shown_block"], told[f"{feature}_shown_cell"])
        scales[drawn_name(feature, CELL)] = scale
        before, second = old[drawn_name(feature, CELL)], old[drawn_name(feature, SECOND)]
        wider = scale.scale / before.scale  # means over a second are not in the store; they change as single cells do
        scales[drawn_name(feature, SECOND)] = HeadScale(second.onset * wider, second.scale * wider, second.centre * wider, 1)
    return scales


def told_scales(features: Mapping[str, int], told: Told, window_cells: int) -> dict[str, HeadScale]:
    """The scales that the heads of the bundle in force would have, had they been fitted on these windows."""
    scales = {moment_name(f, features[f]): fit_scale(_all(told, block_moments(f)), 1) for f in moment_features(features)}
    scales |= {sustained_name(f, features[f]): fit_scale(told[f"{f}_mean"], window_cells) for f in sustained_features(features)}
    for feature in drawn_features(features):
        scales[drawn_name(feature, CELL)] = fit_scale(told[f"{feature}_shown_block"], 1)
        scales[drawn_name(feature, SECOND)] = fit_scale(told[f"{feature}_second_block"], 1)
    return scales


def told_surprise(features: Mapping[str, int], told: Told, window_cells: int) -> Float64:
    """How surprising the heads of cells found each of these windows, on scales that know such sound, shape = (window,)."""
    scales = told_scales(features, told, window_cells)
    reached = {moment_name(f, features[f]): (told[window_moment(f)], 1) for f in moment_features(features)}
    reached |= {sustained_name(f, features[f]): (told[f"{f}_mean"], window_cells) for f in sustained_features(features)}
    evidence = [evidence_of(scales[head].surprise(values, cells)) for head, (values, cells) in reached.items()]
    return surprise_of(np.sum(evidence, axis=0))


def _all(told: Told, names: Sequence[str]) -> Float64:
    return np.concatenate([told[name] for name in names])


def _block_scale(columns: Float64, blocks: Float64, cells: Float64) -> HeadScale:
    """The scale of the highest of eight columns, of single ones, by how rare it is among single ones to exceed what blocks reach."""
    centre, onset = (_at_share(columns, blocks, cells, quantile) for quantile in (0.5, ONSET_QUANTILE))
    return scale_above(columns, centre, onset, 1)


def _at_share(columns: Float64, blocks: Float64, cells: Float64, quantile: float) -> float:
    share = float(np.mean(cells > np.quantile(blocks, quantile)))
    return float(np.quantile(columns, 1.0 - max(share, 1.0 / len(cells))))


def _window_means(windows: Sequence[Float32], window_cells: int) -> Float64:
    """The mean of each window, shape = (window,), nearer to their median by what a few columns leave to chance."""
    columns = [one.mean(axis=1, dtype=np.float64) for one in windows]
    means = np.array([own.mean() for own in columns])
    chance = np.mean([own.var(ddof=1) / len(own) * (1.0 - len(own) / window_cells) for own in columns])
    spread = float(means.var())
    median = float(np.median(means))
    nearer: Float64 = median + (means - median) * np.sqrt(max(0.0, spread - float(chance)) / max(spread, 1e-12))
    return nearer
