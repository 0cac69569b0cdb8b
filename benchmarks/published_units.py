"""The tables of published datasets: each machine measured on its own split, and means over the machines of a kind, as papers print them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.cache import digests
from benchmarks.datasets.manifest import Unit
from benchmarks.machines import UnitResult, fit_and_score, measure_unit
from benchmarks.tables.table import Figure
from calibrate.metrics.bootstrap import percentile_interval
from calibrate.settings import CalibrationSettings

AVERAGE = "average"  # over kinds


@dataclass(frozen=True, slots=True)
class UnitJob:
    """One machine to be measured with one seed."""

    unit: Unit
    settings: CalibrationSettings
    seed: int

    def key(self, system: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the result depends on; `system` is the settings as JSON can hold them."""
        unit = self.unit
        recordings = {"fit": digests(unit.fit), "normal": digests(unit.normal), "anomalous": digests(unit.anomalous)}
        return {"measured": "unit", "unit": unit.unit, "dataset": unit.dataset, **recordings, "seed": self.seed, "system": system}


def measure_job(job: UnitJob) -> UnitResult:
    """Learn and test one machine; UserError when it cannot be."""
    return measure_unit(job.unit, seed=job.seed, fit_and_score=partial(fit_and_score, settings=job.settings))


def kind_figures(results: Sequence[tuple[Unit, UnitResult]], figures: Mapping[str, str]) -> dict[str, Figure]:
    """Means over the machines of each kind, and over kinds, in per cent, by column.

    Parameters
    ----------
    results : of every machine and seed.
    figures : how a table calls our figures: `roc_auc`, `pauc` or `f1` by the word in a column's name.
    """
    by_kind: dict[str, list[UnitResult]] = defaultdict(list)
    for unit, result in results:
        by_kind[unit.kind].append(result)
    table: dict[str, Figure] = {}
    for word, figure in figures.items():
        for kind, measured in by_kind.items():
            table[f"{kind} {word}"] = _mean(measured, figure)
        table[f"{AVERAGE} {word}"] = Figure(float(np.mean([table[f"{kind} {word}"].value for kind in by_kind])))
    return table


def _mean(results: Sequence[UnitResult], figure: str) -> Figure:
    value = 100.0 * float(np.mean([getattr(result, figure) for result in results]))
    if figure != "roc_auc":
        return Figure(value)
    shortest = min(len(result.areas) for result in results)
    interval = percentile_interval(np.mean([result.areas[:shortest] for result in results], axis=0))
    return Figure(value, 100.0 * interval.low, 100.0 * interval.high)
