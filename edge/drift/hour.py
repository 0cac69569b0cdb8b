"""What is kept of an hour of normal sound: for each regime the median of each band, and the medians of the parts of the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.drift.regimes import NONE, Regime, assign

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

HOURS_A_DAY = 24
STEP_DB = 0.01  # levels are kept as whole steps
FEWEST_WINDOWS = 6  # of a regime in an hour: a minute
SCORE = "score"  # beside the heads, which are its parts


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """One hour. `at` counts hours since 1970."""

    at: int
    bundle: str  # SHA-256 of the one in force
    regimes: tuple[int, ...]
    windows: tuple[int, ...]  # of each regime
    levels: bytes  # (regime, band) int16 steps of `STEP_DB`
    scores: dict[str, float]  # medians of the score and of its parts

    @property
    def levels_db(self) -> Float32:
        """Medians, shape = (regime, band) dB."""
        return unpacked(self.levels).reshape(len(self.regimes), -1)


def packed(levels_db: Float32 | Float64) -> bytes:
    """Levels as they are kept."""
    steps = np.rint(np.clip(levels_db / STEP_DB, -32_768, 32_767))
    return steps.astype("<i2").tobytes()


def unpacked(levels: bytes) -> Float32:
    """Levels that were kept, shape = (level,) dB."""
    return (np.frombuffer(levels, "<i2") * np.float32(STEP_DB)).astype(np.float32)


@dataclass(slots=True)
class OpenHour:
    """An hour that is being heard."""

    at: int
    bundle: str
    spectra: list[Float32] = field(default_factory=list)  # of windows, (band,) dB
    scores: list[Mapping[str, float]] = field(default_factory=list)

    def add(self, spectrum: Float32, scores: Mapping[str, float]) -> None:
        """Take a window that is normal, its band levels, (band,) dB, and the parts of its score."""
        self.spectra.append(spectrum)
        self.scores.append(scores)

    def closed(self, regimes: list[Regime], next_number: int) -> Hour | None:
        """What is kept of it, while the regimes grow and follow; None when too little was heard."""
        if len(self.spectra) < FEWEST_WINDOWS:
            return None
        spectra = np.stack(self.spectra)
        assigned = assign(regimes, spectra, self.at, next_number, FEWEST_WINDOWS)
        numbers = [int(number) for number in np.unique(assigned) if number != NONE]
        if not numbers:
            return None
        levels = np.stack([np.median(spectra[assigned == number], axis=0) for number in numbers])
        return Hour(
            at=self.at,
            bundle=self.bundle,
            regimes=tuple(numbers),
            windows=tuple(int((assigned == number).sum()) for number in numbers),
            levels=packed(levels),
            scores=medians(self.scores),
        )


def medians(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each part that all windows have."""
    names = [name for name in scores[0] if all(name in one for one in scores)]
    return {name: round(float(np.median([one[name] for one in scores])), 5) for name in names}
