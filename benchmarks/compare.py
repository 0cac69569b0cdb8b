"""Is one system better than another? Paired differences of the figures that the benchmarks print, with an interval over sets.

A set is one machine, or one EnvMix class; what it was measured in (clean, in background, at several ratios) is averaged within it, because
the same recordings are behind all of it. The interval is the 95 % bootstrap over sets: it says what other machines and sounds would show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibrate.metrics.bootstrap import RESAMPLES, Interval, percentile_interval
from edge.errors import UserError

Figures = Mapping[str, Mapping[str, Mapping[str, float]]]  # level -> set -> condition -> ROC AUC
LEVELS = ("sample", "spectrogram", "temporal")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems at one level."""

    sets: Mapping[str, tuple[float, float]]  # set -> before, after
    interval: Interval  # of the mean difference

    @property
    def before(self) -> float:
        """Mean over sets."""
        return float(np.mean([before for before, _ in self.sets.values()]))

    @property
    def after(self) -> float:
        """Mean over sets."""
        return float(np.mean([after for _, after in self.sets.values()]))

    @property
    def better(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.interval.low > 0


def figures(results: Iterable[tuple[str, Mapping[str, Any]]]) -> Figures:
    """Gather the ROC AUCs of printed results, each with the name of its file.

    Raises
    ------
    UserError
        When one is no result of `auscult benchmark machines` or `envmix`, has nothing in it or repeats another's conditions.
    """
    gathered: dict[str, dict[str, dict[str, float]]] = {level: defaultdict(dict) for level in LEVELS}
    for name, result in results:
        try:
            found = list(_machines(result) if "units" in result else _envmix(result))
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(name, f"is not a JSON result of `auscult benchmark machines` or `envmix` ({error})") from error
        if not found:
            raise UserError(name, "has no measured set in it")
        for level, key, condition, area in found:
            if condition in gathered[level][key]:
                raise UserError(name, f"measures {key} ({condition}) again; give each result once")
            gathered[level][key][condition] = area
    return gathered


def _machines(result: Mapping[str, Any]) -> Iterable[tuple[str, str, str, float]]:
    kind = "single" if result["single"] else "machine"
    condition = f"{_background(result)}, seed {result['seed']}, repeats {result['repeats']}"
    for key, unit in result["units"].items():
        yield "sample", f"{kind} {key}", condition, float(unit["roc_auc"])


def _background(result: Mapping[str, Any]) -> str:
    """What was mixed in. Results from before backgrounds of one level do not say that there was none."""
    if (noise := result.get("noise_db")) is not None:
        return f"noise {noise:+g} dB"
    return "clean" if (snr := result["snr_db"]) is None else f"{snr:g} dB"


def _envmix(result: Mapping[str, Any]) -> Iterable[tuple[str, str, str, float]]:
    for key, measured in result["classes"].items():
        for snr in result["snr_db"]:
            for level in LEVELS:
                condition = f"{snr:g} dB, seed {result['seed']}, repeats {result['repeats']}"
                yield level, f"envmix {key}", condition, float(measured[f"{snr:g}"][level]["roc_auc"])


def compare(before: Figures, after: Figures, *, seed: int = 0) -> dict[str, Comparison]:
    """Compare two systems set by set; levels that neither has are left out.

    Raises
    ------
    UserError
        When a set was measured in one system only, or in other conditions: differences must be paired.
    """
    compared = {}
    for level in LEVELS:
        for key in sorted(before[level].keys() | after[level].keys()):
            conditions = before[level].get(key, {}).keys() ^ after[level].get(key, {}).keys()
            if conditions:
                raise UserError(key, f"was measured in one of the two only ({min(conditions)}); run both on the same protocol")
        if before[level]:
            sets = {key: (_mean(conditions), _mean(after[level][key])) for key, conditions in before[level].items()}
            differences = np.array([later - earlier for earlier, later in sets.values()])
            drawn = np.random.default_rng(seed).integers(0, len(differences), (RESAMPLES, len(differences)))
            compared[level] = Comparison(sets, percentile_interval(differences[drawn].mean(axis=1)))
    return compared


def _mean(conditions: Mapping[str, float]) -> float:
    return float(np.mean(list(conditions.values())))
