"""EnvMix's two halves in a manifest: UrbanSound8K classes to be normal, ESC sounds to be added.

Read from the background rows: datasets named `background_urbansound8k`, and `background_esc10` or another beginning with `background_esc`;
the unit is the class.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.datasets.manifest import Recording
from edge.errors import UserError

Classes = Mapping[str, tuple[Path, ...]]  # class -> recordings

NORMAL_DATASET = "background_urbansound8k"
ADDED_DATASETS = "background_esc"
ADDED_WORDS = ("dog", "rooster", "sneez", "baby", "clock")  # in the class's name: short, and nothing that a street would not make strange


def normal_classes(recordings: Sequence[Recording], names: Sequence[str] | None = None) -> Classes:
    """Return the classes to be normal, or those of them that are named.

    Raises
    ------
    UserError
        When there are none, or no class of a given name.
    """
    found = _by_class(r for r in recordings if r.role == "background" and r.dataset == NORMAL_DATASET)
    if not found:
        raise UserError("manifest", f"has no background rows of the dataset {NORMAL_DATASET}, whose classes are the normal sound")
    unknown = [name for name in names or () if name not in found]
    if unknown:
        raise UserError(unknown[0], f"no such class in the manifest; it has {', '.join(found)}")
    return {name: paths for name, paths in found.items() if names is None or name in names}


def added_classes(recordings: Sequence[Recording]) -> Classes:
    """Return the classes of sounds to add, as many of the five as there are; UserError when there are none."""
    esc = _by_class(r for r in recordings if r.role == "background" and r.dataset.startswith(ADDED_DATASETS))
    found = {name: paths for name, paths in esc.items() if any(word in name.lower() for word in ADDED_WORDS)}
    if not found:
        raise UserError("manifest", f"has no sounds to add: background rows of {ADDED_DATASETS}10 with one of {', '.join(ADDED_WORDS)}")
    return found


def _by_class(recordings: Iterable[Recording]) -> dict[str, tuple[Path, ...]]:
    classes: defaultdict[str, list[Path]] = defaultdict(list)
    for recording in recordings:
        classes[recording.unit].append(recording.path)
    return {name: tuple(paths) for name, paths in classes.items()}
