"""Machines of which there is one normal and one anomalous recording, by a microphone array.

Each microphone's sound is a recording of its own and is cut in half. Learned from: the first halves of the normal sound. Tested: the second
halves of the normal and of the anomalous sound. Microphones that stand around one machine hear the same moment, so the ROC AUC of one such
machine says little and its interval too much; the mean over many machines is what counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.clips import Clip, write_clip
from benchmarks.datasets.manifest import Recording, Unit
from edge.audio.audio_file import audio_info, read_blocks


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


def cut(unit: Unit, folder: Path) -> Unit:
    """Write the halves of every microphone's sound into `folder` and return the unit that they make.

    Raises
    ------
    AudioError
        When a recording cannot be read.
    """
    normal = [halves for path in unit.normal for halves in _halves(path, folder / f"normal_{path.stem}")]
    anomalous = [halves for path in unit.anomalous for halves in _halves(path, folder / f"anomalous_{path.stem}")]
    return replace(
        unit,
        fit=tuple(first for first, _ in normal),
        normal=tuple(second for _, second in normal),
        anomalous=tuple(second for _, second in anomalous),
    )


def _halves(path: Path, target: Path) -> list[tuple[Path, Path]]:
    info = audio_info(path)
    written = []
    for channel in range(info.channels):
        samples = np.concatenate(list(read_blocks(path, channel)))
        first, second = np.array_split(samples, 2)
        paths = target.with_name(f"{target.name}_{channel}_a.wav"), target.with_name(f"{target.name}_{channel}_b.wav")
        for half, place in zip((first, second), paths, strict=True):
            write_clip(place, Clip(half, info.rate_hz))
        written.append(paths)
    return written
