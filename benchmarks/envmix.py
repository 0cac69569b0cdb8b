"""EnvMix: sounds of everyday life added to street sound, and how well they are heard, shown in frequency and shown in time.

Each class of normal sound is one machine: a bundle learns some of its recordings; of the others each is scored as it is (normal) and with
one sound of every added class (anomalous). What is learned is the published folds, or half of the recordings where there are none. Which
half, what is added and where is drawn anew in every repeat, and is the same at every ratio.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Clip, read_clip, read_clip_at, write_clip
from benchmarks.datasets.envmix import EnvMix, SoundClass
from benchmarks.injection import Injection, audible_part, place
from benchmarks.learned import Learn, learn
from benchmarks.level_result import LevelResult, mean_of, over_repeats
from calibrate.anomaly_map import anomaly_map
from calibrate.left_out import LeftOut, Sieve, nothing_left
from calibrate.metrics.au_pro import au_pro
from calibrate.metrics.clusters import clustered_roc_auc, draw_clusters
from calibrate.metrics.sample import best_f1, roc_auc
from calibrate.metrics.spectrogram import cell_energy, cells_of, spectrogram_f1, spectrogram_roc_auc, spectrogram_truth, split_cells
from calibrate.metrics.temporal import split_moments, temporal_f1, temporal_roc_auc, temporal_truth
from calibrate.recordings import resampled
from edge.errors import AudioError
from edge.features.frontend import FrontEnd
from edge.model import Model
from edge.scoring import score_file

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVELS = ("sample", "spectrogram", "temporal")


@dataclass(frozen=True, slots=True)
class ScoredMixture:
    """What was detected in one mixture, and what should have been."""

    score: float
    anomaly_map: Float32  # (time, band) float32
    cells: Mask  # (time, band) truth
    moments: Mask  # (time,) truth


@dataclass(frozen=True, slots=True)
class TestClip:
    """One normal recording as it is and, per ratio, with each added sound."""

    normal: float
    mixtures: Mapping[float, list[ScoredMixture]]


@dataclass(frozen=True, slots=True)
class ClassResult:
    """The figures of one class of normal sound, per ratio and level."""

    levels: Mapping[float, Mapping[str, LevelResult]]
    fit_clips: int
    normal_clips: int
    anomalous_clips: int  # per ratio
    left_out: tuple[LeftOut, ...]  # recordings of the class and sounds to add


def measure_class(
    mix: EnvMix,
    normal: SoundClass,
    ratios_db: Sequence[float],
    *,
    repeats: int = 1,
    seed: int = 0,
    most: int | None = None,
    learn: Learn = learn,
) -> ClassResult:
    """Learn and test one of the classes of normal sound in every repeat. Recordings and sounds that cannot be used are left out.

    Parameters
    ----------
    most
        learn from no more recordings than these, drawn so that fewer are among more: a learning curve. What is tested stays the same.

    Raises
    ------
    UserError
        When it has nothing to learn from or to test with, too little sound to learn from, or none of its recordings can be scored.
    """
    name, sieve = normal.name, Sieve()
    mix = with_audible_sounds(mix, sieve)
    found: dict[float, dict[str, list[LevelResult]]] = {ratio: {level: [] for level in LEVELS} for ratio in ratios_db}
    learned: Sequence[Path] = ()
    for repeat in range(repeats):
        fit, test = mix.split(normal, drawn_by(seed, repeat, name, "halves"))
        if most is not None and most < len(fit):
            order = drawn_by(seed, repeat, name, "fewer").permutation(len(fit))
            fit = [fit[number] for number in sorted(order[:most])]
        if fit != learned:  # folds are the same in every repeat
            model, learned = learn(fit, seed, sieve), fit
        clips = []
        for path in test:
            # A generator for each recording, by its name: what happens to it does not depend on the others.
            with sieve.passing(path):
                clips.append(_test_clip(model, path, mix, ratios_db, drawn_by(seed, repeat, name, path.name)))
        if not clips:
            raise nothing_left("no test recordings", sieve.left_out, mix.recordings(normal))
        draws = draw_clusters(len(clips), seed=zlib.crc32(f"{seed}/{repeat}/{name}".encode()))
        for ratio in ratios_db:
            for level, result in _levels(clips, ratio, draws).items():
                found[ratio][level].append(result)
    return ClassResult(
        levels={ratio: {level: over_repeats(results) for level, results in levels.items()} for ratio, levels in found.items()},
        fit_clips=sum(not sieve.holds(path) for path in fit),
        normal_clips=len(clips),
        anomalous_clips=len(clips) * len(mix.added),
        left_out=sieve.left_out,
    )


def with_audible_sounds(mix: EnvMix, sieve: Sieve) -> EnvMix:
    """Leave out the sounds that cannot be added; UserError when there are no others."""
    for sound in mix.added:
        for path in sound.test:
            with sieve.passing(path):
                clip = read_clip(path)
                audible_part(clip, len(clip.samples))
    added = [replace(sound, test=tuple(path for path in sound.test if not sieve.holds(path))) for sound in mix.added]
    if not any(sound.test for sound in added):
        raise nothing_left("no sounds to add", sieve.left_out, sum(len(sound.test) for sound in mix.added))
    return replace(mix, added=tuple(sound for sound in added if sound.test))


def _test_clip(model: Model, path: Path, mix: EnvMix, ratios_db: Sequence[float], random: np.random.Generator) -> TestClip:
    recording = read_clip(path)
    mixtures: dict[float, list[ScoredMixture]] = {ratio: [] for ratio in ratios_db}
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        file = Path(folder, "clip.wav")
        write_clip(file, recording)
        normal = score_file(model, file).score
        for injection in injections(recording, mix.added, random):
            energy, span = truth_grid(injection, recording, model.front_end, model.detector.bands)
            cells, moments = spectrogram_truth(energy, span), temporal_truth(energy, span)
            for ratio in ratios_db:
                write_clip(file, injection.into(recording, ratio, mix.over))
                heard_map = anomaly_map(model, file)
                if len(heard_map) != len(energy):
                    raise AudioError(path, f"gave {len(heard_map)} cells instead of {len(energy)}")
                mixtures[ratio].append(ScoredMixture(score_file(model, file).score, heard_map, cells, moments))
    return TestClip(normal, mixtures)


def injections(recording: Clip, added: Sequence[SoundClass], random: np.random.Generator) -> Iterator[Injection]:
    """One sound of every added class, each at a place in the recording, as `random` draws them."""
    for sound in added:
        chosen = sound.test[random.integers(len(sound.test))]
        yield place(read_clip_at(chosen, recording.rate_hz), recording, random)


def truth_grid(injection: Injection, recording: Clip, front_end: FrontEnd, bands: int) -> tuple[Float64, slice]:
    """Return the added sound's energy on the anomaly map's grid, shape (time, band), and the time in which it was added, in cells.

    The sound alone takes the way that the mixture takes: resampled by the same code and framed by the same front end. It has unit power,
    so the truth does not depend on the ratio.
    """
    alone = injection.alone(len(recording.samples))
    at_front_end = np.concatenate(list(resampled(iter([alone]), recording.rate_hz, front_end.sample_rate_hz)))
    scale = front_end.sample_rate_hz / recording.rate_hz
    added = cells_of(round(injection.first_sample * scale), round(injection.last_sample * scale), front_end)
    energy = cell_energy(at_front_end, front_end, bands)
    return energy, slice(added.start, min(added.stop, len(energy)))


def _levels(clips: Sequence[TestClip], ratio: float, draws: NDArray[np.int64]) -> dict[str, LevelResult]:
    """Return the figures of one repeat at one ratio; a resample takes a recording with all that was made of it."""
    groups = [clip.mixtures[ratio] for clip in clips]
    heard = [mixture for group in groups for mixture in group]
    normal, anomalous = [np.array([clip.normal]) for clip in clips], [np.array([m.score for m in group]) for group in groups]
    maps, cells, moments = [m.anomaly_map for m in heard], [m.cells for m in heard], [m.moments for m in heard]
    normal_cells, anomalous_cells = _clusters(groups, lambda m: split_cells(m.anomaly_map, m.cells))
    normal_moments, anomalous_moments = _clusters(groups, lambda m: split_moments(m.anomaly_map, m.moments))
    pooled = np.concatenate(normal), np.concatenate(anomalous)
    return {
        "sample": LevelResult(roc_auc(*pooled), best_f1(*pooled), clustered_roc_auc(normal, anomalous, draws)),
        "spectrogram": LevelResult(
            spectrogram_roc_auc(maps, cells),
            spectrogram_f1(maps, cells),
            clustered_roc_auc(normal_cells, anomalous_cells, draws),
            au_pro(maps, cells),
        ),
        "temporal": LevelResult(
            temporal_roc_auc(maps, moments), temporal_f1(maps, moments), clustered_roc_auc(normal_moments, anomalous_moments, draws)
        ),
    }


def _clusters(
    groups: Sequence[list[ScoredMixture]], split: Callable[[ScoredMixture], tuple[Float64, Float64]]
) -> tuple[list[Float64], list[Float64]]:
    """Gather what all mixtures of one recording gave: without and with the added sound."""
    parts = [list(map(split, group)) for group in groups]
    return [np.concatenate([n for n, _ in part]) for part in parts], [np.concatenate([a for _, a in part]) for part in parts]


def drawn_by(seed: int, repeat: int, name: str, purpose: str) -> np.random.Generator:
    """A generator of its own for each class and purpose, such as the name of a recording."""
    return np.random.default_rng([seed, repeat, zlib.crc32(f"envmix/{name}/{purpose}".encode())])


def means(results: Sequence[ClassResult], ratios_db: Sequence[float]) -> dict[str, LevelResult]:
    """Return each level's mean over classes and ratios."""
    return {level: mean_of([result.levels[ratio][level] for result in results for ratio in ratios_db]) for level in LEVELS}
