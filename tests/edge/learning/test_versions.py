from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import StoreError
from edge.learning.versions import MOST_KEPT, Versions

BASE, OTHER = "a" * 64, "b" * 64


def made(store: Path, count: int, base: str = BASE) -> Versions:
    versions = Versions(store)
    versions.folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        versions.candidate.write_text(str(number))
        versions.take(f"{number:064d}", 1800.0 * (number + 1), 605.0, base)
    return versions


def test_versions_of_a_store_without_any(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    assert versions.chosen(BASE) is None
    assert versions.kept(BASE) == ()
    with pytest.raises(StoreError, match="nothing to go back from"):
        versions.roll_back(BASE)


def test_versions_the_latest_is_in_force_and_five_are_kept(tmp_path: Path) -> None:
    versions = made(tmp_path, 7)
    chosen = versions.chosen(BASE)
    assert chosen is not None
    assert (chosen.number, versions.path(chosen).read_text()) == (7, "6")
    assert [one.number for one in versions.kept(BASE)] == [3, 4, 5, 6, 7]
    assert len(list(versions.folder.glob("*.auscult"))) == MOST_KEPT


def test_versions_rolled_back_step_by_step_to_the_bundle_of_the_configuration_and_on_from_there(tmp_path: Path) -> None:
    versions = made(tmp_path, 2)
    first = versions.roll_back(BASE)
    assert first is not None
    assert first.number == 1
    assert versions.chosen(BASE) == first
    assert versions.roll_back(BASE) is None
    assert versions.chosen(BASE) is None
    assert [one.number for one in versions.kept(BASE)] == [1, 2]
    chosen = made(tmp_path, 1).chosen(BASE)
    assert chosen is not None
    assert chosen.number == 3


def test_versions_stand_only_for_the_bundle_that_they_were_made_after(tmp_path: Path) -> None:
    versions = made(tmp_path, 2)
    assert versions.chosen(OTHER) is None
    assert made(tmp_path, 1, OTHER).chosen(BASE) is None
    assert [one.number for one in versions.kept(OTHER)] == [3]


@pytest.mark.parametrize("damage", [b"", b"{", b'{"chosen": "x"}'])
def test_versions_that_are_damaged_leave_the_bundle_of_the_configuration_in_force(tmp_path: Path, damage: bytes) -> None:
    versions = made(tmp_path, 1)
    (versions.folder / "versions.json").write_bytes(damage)
    assert versions.chosen(BASE) is None


def test_versions_whose_file_is_gone_are_not_in_force(tmp_path: Path) -> None:
    versions = made(tmp_path, 1)
    (versions.folder / "000001.auscult").unlink()
    assert versions.chosen(BASE) is None
