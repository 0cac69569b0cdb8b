from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.datasets import esc50, urbansound8k
from benchmarks.datasets.folds import Table, read_folds
from edge.errors import UserError
from tests.benchmarks.datasets.trees import esc50_tree, litter, urbansound8k_tree


def test_urbansound8k_as_published_gives_classes_and_folds(tmp_path: Path) -> None:
    urbansound8k_tree(tmp_path, ["drilling", "siren"], folds=[1, 2, 10], each=2)
    litter(tmp_path / "audio" / "fold1")
    found = read_folds(tmp_path, urbansound8k.TABLE)
    assert {name: {fold: len(paths) for fold, paths in folds.items()} for name, folds in found.classes.items()} == {
        "drilling": {1: 2, 2: 2, 10: 2},
        "siren": {1: 2, 2: 2, 10: 2},
    }
    assert found.classes["siren"][10] == tuple(tmp_path / "audio" / "fold10" / f"10001-1-0-{number}.wav" for number in (0, 1))
    assert found.clips("siren", (1, 10)) == found.classes["siren"][1] + found.classes["siren"][10]
    assert found.clips("siren", (3,)) == found.clips("whistle", (1,)) == ()
    assert found.notes == ()


def test_esc50_as_published_gives_classes_and_folds(tmp_path: Path) -> None:
    esc50_tree(tmp_path, ["dog", "sneezing"], each=2)
    found = read_folds(tmp_path, esc50.TABLE)
    assert sorted(found.classes) == ["dog", "sneezing"]
    assert found.classes["dog"][5] == (tmp_path / "audio" / "5-1000-A-0.wav", tmp_path / "audio" / "5-1000-B-0.wav")


def test_folds_are_found_in_the_folder_that_an_archive_makes(tmp_path: Path) -> None:
    esc50_tree(tmp_path / "ESC-50-master", ["dog"])
    urbansound8k_tree(tmp_path / "UrbanSound8K", ["siren"], folds=[1])
    assert list(read_folds(tmp_path, esc50.TABLE).classes) == ["dog"]
    assert list(read_folds(tmp_path, urbansound8k.TABLE).classes) == ["siren"]


def test_folds_of_a_partial_tree_are_those_that_are_there_and_say_so(tmp_path: Path) -> None:
    esc50_tree(tmp_path, ["dog", "rooster"])
    for path in (tmp_path / "audio").glob("*-1001-*.wav"):
        path.unlink()
    found = read_folds(tmp_path, esc50.TABLE)
    assert list(found.classes) == ["dog"]
    assert found.notes == ("ESC-50: 5 of 10 recordings are here (https://github.com/karolpiczak/ESC-50)",)


def test_folds_of_a_compressed_tree_are_found(tmp_path: Path) -> None:
    esc50_tree(tmp_path, ["dog"], folds=[1])
    (path,) = (tmp_path / "audio").iterdir()
    path.rename(path.with_suffix(".flac"))
    assert read_folds(tmp_path, esc50.TABLE).classes["dog"][1] == (path.with_suffix(".flac"),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("filename,fold,target,esc10\n", "esc50.csv: no column category; download it again from"),
        ("filename,fold,category\n1-1000-A-0.wav,6,dog\n", "esc50.csv:2: no file, fold and class"),
        ("filename,fold,category\n1-1000-A-0.wav,one,dog\n", "esc50.csv:2: no file, fold and class"),
        ("filename,fold,category\n1-1000-A-0.wav\n", "esc50.csv:2: no file, fold and class"),
        ("\x89PNG\xff\xfe", "esc50.csv: not a CSV file in UTF-8"),
        (
            "filename,fold,category\nmissing.wav,1,dog\n",
            "no ESC-50 here .none of the 1 recordings of meta/esc50.csv, such as audio/1-100032",
        ),
        ("filename,fold,category\n", "no ESC-50 here .none of the 0 recordings"),
    ],
)
def test_folds_of_a_damaged_table_are_refused_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    esc50_tree(tmp_path, ["dog"]).write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=problem) as error:
        read_folds(tmp_path, esc50.TABLE)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "name", "path", "url"),
    [
        (esc50.TABLE, "ESC-50", "meta/esc50.csv", "https://github.com/karolpiczak/ESC-50"),
        (urbansound8k.TABLE, "UrbanSound8K", "metadata/UrbanSound8K.csv", "https://zenodo.org/records/1203745"),
    ],
)
def test_folds_that_are_not_there_are_one_line_with_the_place_to_get_them(
    tmp_path: Path, table: Table, name: str, path: str, url: str
) -> None:
    with pytest.raises(UserError, match=f"no such folder; download {name} from {url}"):
        read_folds(tmp_path / "none", table)
    with pytest.raises(UserError, match=rf"no {name} here \(no {path}\); download it from {url}") as error:
        read_folds(tmp_path, table)
    assert error.value.exit_code == 2
    (tmp_path / "UrbanSound8K.tar.gz").touch()
    with pytest.raises(UserError, match=r"unpack UrbanSound8K\.tar\.gz$"):
        read_folds(tmp_path, table)
