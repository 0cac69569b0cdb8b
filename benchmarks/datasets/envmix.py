"""EnvMix: street sound as normal sound, and everyday sounds that are added to it; from a manifest or from the published datasets.

Manifest      The background rows: the datasets `background_urbansound8k` (normal), and `background_esc10` or another beginning with
              `background_esc` (added); the unit is the class. Rows have no folds: half of a class is drawn to learn from.
Folders       Barusco et al., "From Vision to Sound" (2025), section 3.1: eight classes of UrbanSound8K and seventeen of ESC-50. The paper
              does not say which recordings it learns from; here it is those of other folds than the tested ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.datasets import esc50, urbansound8k
from benchmarks.datasets.folds import Folds, Table, read_folds
from benchmarks.datasets.manifest import Recording
from benchmarks.datasets.published import several
from benchmarks.injection import Over
from edge.errors import UserError

NORMAL_DATASET = "background_urbansound8k"
ADDED_DATASETS = "background_esc"
ADDED_WORDS = ("dog", "rooster", "sneez", "baby", "clock")  # in the class's name: short, and nothing that a street would not make strange

# As the paper lists them. `car_horn` is in both: a horn added to horns counts as an anomaly there.
NORMAL_CLASSES = ("air_conditioner", "engine_idling", "street_music", "drilling", "car_horn", "jackhammer", "children_playing", "siren")
ADDED_CLASSES = (
    "glass_breaking",
    "coughing",
    "sneezing",
    "door_wood_knock",
    "rooster",
    "can_opening",
    "car_horn",
    "dog",
    "laughing",
    "door_wood_creaks",
    "clock_alarm",
    "clapping",
    "sheep",
    "snoring",
    "fireworks",
    "washing_machine",
    "frog",
)
NORMAL_TEST_FOLDS = (10,)
ADDED_TEST_FOLDS = (3, 4, 5)  # the built-in backbone was trained on sounds of folds 1 and 2


@dataclass(frozen=True, slots=True)
class SoundClass:
    """One class of sound, and what of it is for learning and what for testing."""

    name: str
    fit: tuple[Path, ...]
    test: tuple[Path, ...]

    @property
    def recordings(self) -> tuple[Path, ...]:
        """All of them."""
        return self.fit + self.test


@dataclass(frozen=True, slots=True)
class EnvMix:
    """What EnvMix is made of, and how.

    Without folds every recording is in `test`, and a share of a normal class is drawn to learn from. What is for learning of the added
    classes is for methods that are shown anomalies; what is added in a test is never among it.
    """

    normal: tuple[SoundClass, ...]  # each of them is one machine
    added: tuple[SoundClass, ...]
    has_folds: bool
    notes: tuple[str, ...] = ()  # what is missing of the published datasets, one line each
    over: Over = "sound"  # what ratios are of: see benchmarks/injection.py
    share: float = 0.5  # of a normal class without folds, to learn from

    def recordings(self, normal: SoundClass) -> int:
        """How many recordings there are of a class and of what is added to it."""
        return len(normal.recordings) + sum(len(sound.test) for sound in self.added)

    def split(self, normal: SoundClass, random: np.random.Generator) -> tuple[list[Path], list[Path]]:
        """Return which recordings of a class to learn from and which to test: its folds, or parts that `random` draws.

        Raises
        ------
        UserError
            When one of them would be empty.
        """
        if self.has_folds:
            fit, test = list(normal.fit), list(normal.test)
        else:
            recordings = normal.recordings
            tested = int(len(recordings) * (1.0 - self.share) + 1e-9)
            order = random.permutation(len(recordings))
            fit, test = ([recordings[i] for i in sorted(part)] for part in (order[tested:], order[:tested]))
        if not fit or not test:
            raise UserError(normal.name, "has too few recordings; at least one to learn from and one to test with are needed")
        return fit, test


def envmix_of_manifest(recordings: Sequence[Recording], names: Sequence[str] | None = None) -> EnvMix:
    """Describe EnvMix by the background rows of a manifest, with all classes of normal sound or those that are named.

    Raises
    ------
    UserError
        When there is no normal sound or nothing to add, or no class of a given name.
    """
    background = [recording for recording in recordings if recording.role == "background"]
    normal = _by_class(recording for recording in background if recording.dataset == NORMAL_DATASET)
    if not normal:
        raise UserError("manifest", f"has no background rows of the dataset {NORMAL_DATASET}, whose classes are the normal sound")
    everyday = _by_class(recording for recording in background if recording.dataset.startswith(ADDED_DATASETS))
    added = [sound for sound in everyday if any(word in sound.name.lower() for word in ADDED_WORDS)]
    if not added:
        raise UserError("manifest", f"has no sounds to add: background rows of {ADDED_DATASETS}10 with one of {', '.join(ADDED_WORDS)}")
    return EnvMix(_named(normal, names, "the manifest"), tuple(added), has_folds=False)


def envmix_of_folders(
    urbansound8k_root: Path,
    esc50_root: Path,
    names: Sequence[str] | None = None,
    *,
    normal_test_folds: Collection[int] = NORMAL_TEST_FOLDS,
    added_test_folds: Collection[int] = ADDED_TEST_FOLDS,
) -> EnvMix:
    """Describe EnvMix by the published datasets: the paper's classes, or as many as there are.

    Parameters
    ----------
    names : of the classes of normal sound; None takes all eight.
    normal_test_folds : of 1 to 10, to be tested; a class is learned from the others.
    added_test_folds : of 1 to 5, whose sounds are added to what is tested.

    Raises
    ------
    UserError
        When nothing is there of one of the datasets, no class has recordings on both sides, there is no class of a given name, or a fold
        does not exist.
    """
    street, everyday = read_folds(urbansound8k_root, urbansound8k.TABLE), read_folds(esc50_root, esc50.TABLE)
    normal = _of_folds(street, urbansound8k.TABLE, NORMAL_CLASSES, normal_test_folds)
    added = _of_folds(everyday, esc50.TABLE, ADDED_CLASSES, added_test_folds)
    whole = tuple(sound for sound in normal if sound.fit and sound.test)
    audible = tuple(sound for sound in added if sound.test)
    if not whole:
        raise UserError(
            urbansound8k_root, f"no class has recordings both in folds {_list(normal_test_folds)} and in others; name other folds"
        )
    if not audible:
        raise UserError(esc50_root, f"no class of the seventeen has recordings in folds {_list(added_test_folds)}; name other folds")
    return EnvMix(
        normal=_named(whole, names, str(urbansound8k_root)),
        added=audible,
        has_folds=True,
        notes=(
            *street.notes,
            *_absent(urbansound8k.TABLE, NORMAL_CLASSES, whole),
            *everyday.notes,
            *_absent(esc50.TABLE, ADDED_CLASSES, audible),
        ),
    )


def _by_class(recordings: Iterable[Recording]) -> list[SoundClass]:
    classes: defaultdict[str, list[Path]] = defaultdict(list)
    for recording in recordings:
        classes[recording.unit].append(recording.path)
    return [SoundClass(name, (), tuple(paths)) for name, paths in classes.items()]


def _of_folds(folds: Folds, table: Table, names: Sequence[str], test_folds: Collection[int]) -> list[SoundClass]:
    unknown = sorted(set(test_folds) - set(table.folds))
    if unknown or not test_folds:
        raise UserError(
            _list(unknown) or "no fold", f"{table.source.name} has folds {table.folds[0]} to {table.folds[-1]}; name some of them"
        )
    fit_folds = set(table.folds) - set(test_folds)
    return [SoundClass(name, folds.clips(name, fit_folds), folds.clips(name, test_folds)) for name in names]


def _named(sounds: Sequence[SoundClass], names: Sequence[str] | None, where: str) -> tuple[SoundClass, ...]:
    known = [sound.name for sound in sounds]
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise UserError(unknown[0], f"no such class in {where}; it has {', '.join(known)}")
    return tuple(sound for sound in sounds if names is None or sound.name in names)


def _absent(table: Table, names: Sequence[str], sounds: Sequence[SoundClass]) -> list[str]:
    here = {sound.name for sound in sounds}
    absent = [name for name in names if name not in here]
    if not absent:
        return []
    return [f"{table.source.name}: {len(here)} of {len(names)} classes are here, in the folds that they need; not {several(absent)}"]


def _list(folds: Collection[int]) -> str:
    return ", ".join(map(str, sorted(folds)))
