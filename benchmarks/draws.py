"""Which recordings of a machine are learned from and which are tested in a draw, and the clips that are made of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.clips import Clip, pieces, read_clip, write_clip
from benchmarks.datasets.manifest import Unit
from benchmarks.mixing import Mix, Mixer


@dataclass(frozen=True, slots=True)
class Split:
    """Which recordings of a unit are learned from and which are tested."""

    fit: tuple[Path, ...]
    normal: tuple[Path, ...]
    anomalous: tuple[Path, ...]

    @property
    def files(self) -> int:
        """All of them."""
        return len(self.fit) + len(self.normal) + len(self.anomalous)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A clip as it is learned from or tested."""

    path: Path
    recording: Path  # that it is of
    name: str  # of the recording, and which part of it this is


@dataclass(frozen=True, slots=True)
class Clips:
    """All clips of one draw."""

    fit: list[Prepared]
    normal: list[Prepared]
    anomalous: list[Prepared]

    @property
    def test(self) -> list[Prepared]:
        """Those that are scored."""
        return self.normal + self.anomalous

    @property
    def all(self) -> list[Prepared]:
        """Those that are learned from, then those that are scored."""
        return self.fit + self.test


def splits(unit: Unit, repeats: int | None, seed: int) -> list[Split]:
    """Return the manifest's own split, or `repeats` random halves of all normal recordings; the anomalous ones are always tested."""
    if repeats is None:
        return [Split(unit.fit, unit.normal, unit.anomalous)]
    normal = unit.fit + unit.normal
    drawn = []
    for repeat in range(repeats):
        order = _random(unit, seed, repeat, "halves").permutation(len(normal))
        half = (len(normal) + 1) // 2
        drawn.append(Split(tuple(normal[i] for i in sorted(order[:half])), tuple(normal[i] for i in sorted(order[half:])), unit.anomalous))
    return drawn


def prepare(unit: Unit, split: Split, folder: Path, *, draw: int, seed: int, mixer: Mixer | None, seconds: float | None) -> Clips:
    """Write the clips of a draw into a folder.

    Parameters
    ----------
    draw : its number, on which every random choice depends.
    mixer : what puts background into every clip, independently for fit and test.
    seconds : to cut all recordings into, learning from every piece and testing one of each; None takes whole recordings.
    """
    which = _random(unit, seed, draw, "clips")

    def every(clip: Clip) -> list[tuple[str, Clip]]:
        cut = pieces(clip, seconds)
        return [(f", clip {part} of {len(cut)}" if len(cut) > 1 else "", piece) for part, piece in enumerate(cut, start=1)]

    def one(clip: Clip) -> list[tuple[str, Clip]]:
        cut = every(clip)
        return [cut[which.integers(len(cut))]]

    mix = mixer.of_unit(map(read_clip, split.fit)) if mixer else None
    fit = _written(split.fit, folder / "fit", mix, _random(unit, seed, draw, "fit"), every)
    test = _written(split.normal + split.anomalous, folder / "test", mix, _random(unit, seed, draw, "test"), one)
    return Clips(fit, test[: len(split.normal)], test[len(split.normal) :])


def _written(
    paths: Sequence[Path], folder: Path, mix: Mix | None, random: np.random.Generator, cut: Callable[[Clip], list[tuple[str, Clip]]]
) -> list[Prepared]:
    """Write the first channel of each recording, with background if there is any, cut into clips."""
    folder.mkdir()
    prepared = []
    for number, path in enumerate(paths):
        clip = read_clip(path)
        for part, (where, piece) in enumerate(cut(mix(clip, random) if mix else clip)):
            target = folder / f"{number:05}_{part:05}_{path.stem}.wav"
            write_clip(target, piece)
            prepared.append(Prepared(target, path, f"{path}{where}"))
    return prepared


def _random(unit: Unit, seed: int, draw: int, purpose: str) -> np.random.Generator:
    """Return a generator of its own for each unit, draw and purpose: no choice depends on which other units were measured before."""
    return np.random.default_rng([seed, draw, zlib.crc32(f"{unit.dataset}/{unit.unit}/{purpose}".encode())])
