"""Surprise and evidence: what a head reports, in a unit that can be added up over heads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

ALIKE = 2.0  # heads


def surprise_of(evidence: Float64) -> Float64:
    """The surprise of a sum of evidence, of any shape."""
    surprise: Float64 = np.expm1(evidence / ALIKE)
    return surprise


def evidence_of(surprise: Float64) -> Float64:
    """ln(1 + softplus(surprise)), of any shape: positive, so that the order of everything normal survives."""
    with np.errstate(invalid="ignore"):  # lost cells are NaN and stay so
        evidence: Float64 = np.log1p(np.logaddexp(0.0, surprise))
    return evidence
