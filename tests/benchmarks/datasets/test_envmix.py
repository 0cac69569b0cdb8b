from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.datasets.envmix import added_classes, normal_classes
from benchmarks.datasets.manifest import Recording, read_manifest
from edge.errors import UserError

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "manifest.csv"


def row(dataset: str, unit: str, role: str = "background") -> Recording:
    return Recording(Path(f"{unit}.wav"), dataset, unit, role, "none")


ROWS = [
    row("background_urbansound8k", "drilling"),
    row("background_urbansound8k", "siren"),
    row("background_urbansound8k", "drilling"),
    row("background_esc10", "Dog bark"),
    row("background_esc50", "sneezing"),
    row("background_esc10", "Rain"),
    row("factory", "dog", role="fit"),
]


def test_normal_classes_are_those_of_urbansound8k() -> None:
    assert {name: len(paths) for name, paths in normal_classes(ROWS).items()} == {"drilling": 2, "siren": 1}
    assert list(normal_classes(ROWS, ["siren"])) == ["siren"]


def test_added_classes_are_the_short_sounds_of_esc_by_word() -> None:
    assert list(added_classes(ROWS)) == ["Dog bark", "sneezing"]


def test_normal_classes_with_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="drums: no such class in the manifest; it has drilling, siren"):
        normal_classes(ROWS, ["drums"])


def test_classes_of_a_manifest_without_them_are_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="no background rows of the dataset background_urbansound8k"):
        normal_classes(ROWS[3:])
    with pytest.raises(UserError, match="has no sounds to add"):
        added_classes(ROWS[:3])


@pytest.mark.skipif(not SHARED.is_file(), reason="the recordings to develop against are not beside this checkout")
def test_classes_of_the_real_recordings_are_seven_and_five() -> None:
    recordings = read_manifest(SHARED)
    assert {len(paths) for paths in normal_classes(recordings).values()} == {16}
    assert len(normal_classes(recordings)) == 7
    assert sorted(added_classes(recordings)) == ["Baby cry", "Clock tick", "Dog bark", "Person sneeze", "Rooster"]
