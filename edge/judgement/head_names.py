"""What the heads of features are called."""

from __future__ import annotations

from collections.abc import Mapping

from edge.detectors.detector import EXCESS, LOGMEL

CELL, SECOND = "cell", "second"  # no heads: the scales on which single cells, and means over a second, are drawn


def head_names(features: Mapping[str, int]) -> tuple[str, ...]:
    """All heads of streams."""
    names = []
    for feature, bands in features.items():
        if bands > 1 and not (feature == LOGMEL and EXCESS in features):
            names.append(moment_name(feature, bands))
        if feature != EXCESS:
            names.append(sustained_name(feature, bands))
    return tuple(names)


def comparable_names(features: Mapping[str, int]) -> tuple[str, ...]:
    """All heads that can be asked for, to compare them."""
    banded = [feature for feature, bands in features.items() if bands > 1]
    names = [name for f in banded for name in (moment_name(f, features[f]), sustained_name(f, features[f]), largest_name(f))]
    return tuple(dict.fromkeys((*head_names(features), *names)))


def moment_name(feature: str, bands: int) -> str:
    """The name of a feature's moment head."""
    return f"{feature}_moment"


def sustained_name(feature: str, bands: int) -> str:
    """The name of a feature's sustained head; a feature without bands has no other, so it is called like the feature."""
    return f"{feature}_sustained" if bands > 1 else feature


def largest_name(feature: str) -> str:
    """The name of the head for the largest deviation of a feature with bands."""
    return f"{feature}_largest"


def drawn_name(feature: str, kind: str) -> str:
    """The name of the scale on which a feature's cells, or its means over a second, are drawn."""
    return f"{feature}_{kind}"
