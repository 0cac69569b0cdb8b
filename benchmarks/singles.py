"""Machines of which there is one normal and one anomalous recording, by a microphone array.

Each microphone's sound is a recording of its own and is cut in half. Learned from: the first halves of the normal sound. Tested: the second
halves of the normal and of the anomalous sound. Microphones that stand around one machine hear the same moment, so the ROC AUC of one such
machine says little and its interval too much; the mean over many machines is what counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.audible import check_audible
from benchmarks.clips import Clip, write_clip
from benchmarks.datasets.manifest import Recording, Unit
from calibrate.left_out import Sieve
from edge.audio.audio_file import audio_info, read_blocks

FIRST, SECOND = "first", "second"


def single_units(recordings: Sequence[Recording]) -> tuple[Unit, ...]:
    """Gather the `single` rows into units named `dataset/unit`, as they stand in the manifest: nothing to learn from until they are cut."""
    groups: dict[tuple[str, str], list[Recording]] = defaultdict(list)
    for recording in recordings:
        if recording.role == "single":
            groups[recording.dataset, recording.unit].append(recording)
    return tuple(
        Unit(
            key=f"{dataset}/{unit}",
            dataset=dataset,
            unit=unit,
            fit=(),
            normal=tuple(r.path for r in rows if r.label == "normal"),
            anomalous=tuple(r.path for r in rows if r.label == "anomalous"),
        )
        for (dataset, unit), rows in groups.items()
    )


def cut(unit: Unit, folder: Path, sieve: Sieve) -> Unit:
    """Write the halves of every microphone's sound into `folder` and return the unit they make; the sieve keeps what cannot be used."""
    fit: list[Path] = []
    normal: list[Path] = []
    anomalous: list[Path] = []
    for path in unit.normal:
        _halve(path, folder / f"normal_{path.stem}", {FIRST: fit, SECOND: normal}, sieve)
    for path in unit.anomalous:
        _halve(path, folder / f"anomalous_{path.stem}", {SECOND: anomalous}, sieve)
    return replace(unit, fit=tuple(fit), normal=tuple(normal), anomalous=tuple(anomalous))


def _halve(path: Path, target: Path, wanted: Mapping[str, list[Path]], sieve: Sieve) -> None:
    """Write those halves that are wanted of every microphone's sound, and add them to what there is of them."""
    with sieve.passing(path):
        info = audio_info(path)
        for channel in range(info.channels):
            halves = np.array_split(np.concatenate(list(read_blocks(path, channel))), 2)
            for half, samples in zip((FIRST, SECOND), halves, strict=True):
                if half not in wanted:
                    continue
                place = target.with_name(f"{target.name}_{channel}_{half}.wav")
                write_clip(place, Clip(samples, info.rate_hz))
                with sieve.passing(f"{path}, microphone {channel}, {half} half"):
                    check_audible(place)
                    wanted[half].append(place)
