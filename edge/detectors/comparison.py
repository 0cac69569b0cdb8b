"""A feature judged by comparison: how far are patches from the nearest normal ones, on the scale of normal sound?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.bank import Banks
from edge.detectors.detector import Deviation
from edge.detectors.standard import Standard, numbers

Float32 = NDArray[np.float32]


class Comparison:
    """The banks of one feature, and what distances normal sound has from them."""

    def __init__(self, feature: str, fitted: Arrays, bands: int, width: int) -> None:
        """`fitted` holds `bank_<b>` of patches of `width` numbers, `folds`, `mean`, `deviation` and, or not, `spacing_<b>`.

        KeyError or ValueError when it does not.
        """
        self._standard = Standard(feature, fitted, bands)
        count = sum(name.startswith("bank_") for name in fitted)
        if count not in (1, bands):
            raise ValueError(f"{feature} has {count} banks for {bands} bands")
        spaced = any(name.startswith("spacing_") for name in fitted)
        self._banks = Banks(
            [numbers(f"{feature}.bank_{band}", fitted[f"bank_{band}"], (None, width)) for band in range(count)],
            [int(patches) for patches in numbers(f"{feature}.folds", fitted["folds"], (None,))],
            [numbers(f"{feature}.spacing_{band}", fitted[f"spacing_{band}"], (None, None)) for band in range(count if spaced else 0)],
        )

    def deviation(self, first_cell: int, patches: Float32) -> Deviation:
        """How far patches, shape = (time, band, dimension), are from the nearest normal ones in their own band."""
        return self._standard.deviation(first_cell, self._banks.distances(patches))
