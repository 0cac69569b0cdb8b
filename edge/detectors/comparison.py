"""Features judged by comparison: how far are patches from the nearest normal ones, on the scale of normal sound?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.bundles.npz import Arrays
from edge.detectors.bank import Banks
from edge.detectors.detector import Deviation
from edge.detectors.standard import Standard, numbers

Float32 = NDArray[np.float32]


class Comparison:
    """The banks of some features, and what distances normal sound has from them."""

    def __init__(self, fitted: Mapping[str, Arrays], bands: int, widths: Mapping[str, int]) -> None:
        """`fitted` holds of each feature `bank_<b>` of patches of its width, `folds`, `mean`, `deviation` and, or not, `spacing_<b>`.

        KeyError or ValueError when it does not.
        """
        read = {feature: _Fitted.read(feature, fitted[feature], bands, width) for feature, width in widths.items()}
        self._standards = {feature: own.standard for feature, own in read.items()}
        alike = len({own.form for own in read.values()}) == 1 and all(len(own.banks) > 1 for own in read.values())
        self._groups = [(group, _banks([read[feature] for feature in group])) for group in ([[*read]] if alike else [[f] for f in read])]

    def deviations(self, first_cell: int, patches: Mapping[str, Float32]) -> list[Deviation]:
        """How far the patches of each feature, shape = (time, band, dimension), are from the nearest normal ones in their own band."""
        found = []
        for features, banks in self._groups:
            distances = banks.distances(*(patches[feature] for feature in features))  # (time, band of each feature)
            bands = distances.shape[1] // len(features)
            for number, feature in enumerate(features):
                found.append(self._standards[feature].deviation(first_cell, distances[:, number * bands : (number + 1) * bands]))
        return found


@dataclass(frozen=True, slots=True)
class _Fitted:
    standard: Standard
    banks: list[Float32]
    folds: list[int]
    spacing: list[Float32]

    @classmethod
    def read(cls, feature: str, fitted: Arrays, bands: int, width: int) -> _Fitted:
        standard = Standard(feature, fitted, bands)
        count = sum(name.startswith("bank_") for name in fitted)
        if count not in (1, bands):
            raise ValueError(f"{feature} has {count} banks for {bands} bands")
        spaced = any(name.startswith("spacing_") for name in fitted)
        return cls(
            standard,
            [numbers(f"{feature}.bank_{band}", fitted[f"bank_{band}"], (None, width)) for band in range(count)],
            [int(patches) for patches in numbers(f"{feature}.folds", fitted["folds"], (None,))],
            [numbers(f"{feature}.spacing_{band}", fitted[f"spacing_{band}"], (None, None)) for band in range(count if spaced else 0)],
        )

    @property
    def form(self) -> tuple[object, ...]:
        """What must be alike in features that are searched together."""
        return len(self.banks), tuple(self.folds), bool(self.spacing)


def _banks(fitted: list[_Fitted]) -> Banks:
    banks, spacing = [bank for own in fitted for bank in own.banks], [rows for own in fitted for rows in own.spacing]
    return Banks(banks, fitted[0].folds, spacing, len(fitted))
