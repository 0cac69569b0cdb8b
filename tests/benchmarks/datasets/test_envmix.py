from __future__ import annotations

import csv
import zlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets.envmix import ADDED_CLASSES, NORMAL_CLASSES, EnvMix, SoundClass, envmix_of_folders, envmix_of_manifest
from benchmarks.datasets.manifest import Recording, read_manifest
from edge.errors import UserError
from tests.benchmarks.datasets.trees import SHARED, esc50_tree, linked, urbansound8k_tree

MANIFEST = SHARED / "manifest.csv"


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


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path]:
    """Two of the paper's classes on each side, and one more that is not."""
    urbansound8k_tree(tmp_path / "UrbanSound8K", ["siren", "drilling", "gun_shot"], folds=[1, 2, 10], each=2)
    esc50_tree(tmp_path / "ESC-50-master", ["dog", "rain", "frog"], each=2)
    return tmp_path / "UrbanSound8K", tmp_path / "ESC-50-master"


def test_envmix_of_a_manifest_has_the_classes_of_urbansound8k_and_no_folds() -> None:
    mix = envmix_of_manifest(ROWS)
    assert {sound.name: len(sound.recordings) for sound in mix.normal} == {"drilling": 2, "siren": 1}
    assert not mix.has_folds
    assert all(sound.fit == () for sound in mix.normal + mix.added)
    assert [sound.name for sound in envmix_of_manifest(ROWS, ["siren"]).normal] == ["siren"]


def test_envmix_of_a_manifest_adds_the_short_sounds_of_esc_by_word() -> None:
    assert [sound.name for sound in envmix_of_manifest(ROWS).added] == ["Dog bark", "sneezing"]


def test_envmix_of_a_manifest_with_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="drums: no such class in the manifest; it has drilling, siren"):
        envmix_of_manifest(ROWS, ["drums"])


def test_envmix_of_a_manifest_without_its_rows_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="no background rows of the dataset background_urbansound8k"):
        envmix_of_manifest(ROWS[3:])
    with pytest.raises(UserError, match="has no sounds to add"):
        envmix_of_manifest(ROWS[:3])


@pytest.mark.parametrize(("seed", "learned"), [(0, "1256"), (7, "0124")])
def test_split_without_folds_draws_the_halves_that_published_figures_were_measured_with(seed: int, learned: str) -> None:
    """A change here changes every figure of `auscult benchmark envmix --manifest`. The generator is `benchmarks/envmix.py`'s."""
    sound = SoundClass("drilling", (), tuple(Path(f"{number}.wav") for number in range(7)))
    mix = EnvMix((sound,), (), has_folds=False)
    random = np.random.default_rng([seed, 0, zlib.crc32(b"envmix/drilling/halves")])
    fit, test = mix.split(sound, random)
    assert [path.stem for path in fit] == list(learned)
    assert sorted(fit + test) == sorted(sound.recordings)


@pytest.mark.parametrize(
    ("sound", "has_folds"),
    [
        (SoundClass("siren", (), (Path("a.wav"),)), False),
        (SoundClass("siren", (), (Path("a.wav"), Path("b.wav"))), True),
        (SoundClass("siren", (Path("a.wav"), Path("b.wav")), ()), True),
    ],
)
def test_split_of_too_few_recordings_is_refused(sound: SoundClass, has_folds: bool) -> None:
    with pytest.raises(UserError, match="siren: has too few recordings"):
        EnvMix((sound,), (), has_folds).split(sound, np.random.default_rng(0))


def test_envmix_of_folders_holds_the_tested_folds_out(roots: tuple[Path, Path]) -> None:
    mix = envmix_of_folders(*roots)
    drilling, siren = mix.normal
    assert (drilling.name, siren.name) == ("drilling", "siren")  # in the paper's order; a gun shot is not normal
    assert {path.parent.name for path in siren.fit} == {"fold1", "fold2"}
    assert {path.parent.name for path in siren.test} == {"fold10"}
    assert (len(siren.fit), len(siren.test)) == (4, 2)
    assert mix.split(siren, np.random.default_rng(0)) == (list(siren.fit), list(siren.test))
    dog, frog = mix.added
    assert (dog.name, frog.name) == ("dog", "frog")
    assert {path.name[0] for path in dog.test} == {"3", "4", "5"}
    assert {path.name[0] for path in dog.fit} == {"1", "2"}
    assert mix.has_folds


def test_envmix_of_folders_says_which_of_the_papers_classes_are_missing(roots: tuple[Path, Path]) -> None:
    assert envmix_of_folders(*roots).notes == (
        "UrbanSound8K: 2 of 8 classes are here, in the folds that they need; "
        "not air_conditioner, engine_idling, street_music, car_horn and 2 more",
        "ESC-50: 2 of 17 classes are here, in the folds that they need; "
        "not glass_breaking, coughing, sneezing, door_wood_knock and 11 more",
    )


def test_envmix_of_whole_folders_has_eight_and_seventeen_classes_and_no_notes(tmp_path: Path) -> None:
    urbansound8k_tree(tmp_path / "street", [*NORMAL_CLASSES, "dog_bark", "gun_shot"], folds=range(1, 11), each=1)
    esc50_tree(tmp_path / "everyday", [*ADDED_CLASSES, "rain", "engine"])
    mix = envmix_of_folders(tmp_path / "street", tmp_path / "everyday")
    assert (len(mix.normal), len(mix.added), mix.notes) == (8, 17, ())
    assert all((len(sound.fit), len(sound.test)) == (9, 1) for sound in mix.normal)


def test_envmix_of_folders_with_other_folds_and_names_takes_those(roots: tuple[Path, Path]) -> None:
    mix = envmix_of_folders(*roots, ["siren"], normal_test_folds=[1, 2], added_test_folds=[1])
    (siren,) = mix.normal
    assert {path.parent.name for path in siren.fit} == {"fold10"}
    assert {path.name[0] for sound in mix.added for path in sound.test} == {"1"}


@pytest.mark.parametrize(
    ("folds", "problem"),
    [
        ({"normal_test_folds": [9]}, "UrbanSound8K: no class has recordings both in folds 9 and in others; name other folds"),
        ({"normal_test_folds": [1, 2, 10]}, "both in folds 1, 2, 10 and in others"),
        ({"normal_test_folds": [0, 11]}, "0, 11: UrbanSound8K has folds 1 to 10; name some of them"),
        ({"normal_test_folds": []}, "no fold: UrbanSound8K has folds 1 to 10"),
        ({"added_test_folds": [6]}, "6: ESC-50 has folds 1 to 5"),
    ],
)
def test_envmix_of_folders_with_folds_that_do_not_serve_is_refused(
    roots: tuple[Path, Path], folds: dict[str, list[int]], problem: str
) -> None:
    with pytest.raises(UserError, match=problem):
        envmix_of_folders(
            *roots, normal_test_folds=folds.get("normal_test_folds", [10]), added_test_folds=folds.get("added_test_folds", [5])
        )


def test_envmix_of_folders_without_classes_to_add_or_of_an_unknown_name_is_refused(roots: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gun_shot: no such class in .*UrbanSound8K; it has drilling, siren"):
        envmix_of_folders(*roots, ["gun_shot"])
    esc50_tree(tmp_path / "rain", ["rain"])
    with pytest.raises(UserError, match="no class of the seventeen has recordings in folds 3, 4, 5; name other folds"):
        envmix_of_folders(roots[0], tmp_path / "rain")


@pytest.mark.skipif(not MANIFEST.is_file(), reason="the recordings to develop against are not beside this checkout")
def test_envmix_of_the_real_manifest_has_seven_classes_and_five() -> None:
    mix = envmix_of_manifest(read_manifest(MANIFEST))
    assert {len(sound.recordings) for sound in mix.normal} == {16}
    assert len(mix.normal) == 7
    assert sorted(sound.name for sound in mix.added) == ["Baby cry", "Clock tick", "Dog bark", "Person sneeze", "Rooster"]


@pytest.mark.skipif(not MANIFEST.is_file(), reason="the recordings to develop against are not beside this checkout")
def test_envmix_of_real_recordings_laid_out_as_published_is_read(tmp_path: Path) -> None:
    """The real UrbanSound8K and ESC-10 recordings, under the names and with the tables that they are published with."""
    categories = {"Dog bark": ("dog", 0), "Rooster": ("rooster", 1), "Person sneeze": ("sneezing", 21), "Rain": ("rain", 10)}
    street = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    everyday = ["filename,fold,target,category,esc10,src_file,take"]
    with MANIFEST.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for number, entry in enumerate(rows):
        path = SHARED / entry["path"]
        if entry["dataset"] == "background_urbansound8k":
            fold = 1 + number % 2 * 9  # all of them are of fold 1
            street.append(f"{path.stem}.wav,{path.stem.split('-')[0]},0,4,1,{fold},{path.stem.split('-')[1]},{entry['unit']}")
            linked(tmp_path / "street" / "audio" / f"fold{fold}" / path.name, path)
        elif entry["dataset"] == "background_esc10" and entry["unit"] in categories:
            category, target = categories[entry["unit"]]
            everyday.append(f"{path.stem}-{target}.wav,{path.stem[0]},{target},{category},True,0,A")
            linked(tmp_path / "everyday" / "audio" / f"{path.stem}-{target}{path.suffix}", path)
    for table, lines in (("street/metadata/UrbanSound8K.csv", street), ("everyday/meta/esc50.csv", everyday)):
        (tmp_path / table).parent.mkdir()
        (tmp_path / table).write_text("\n".join(lines), encoding="utf-8")
    mix = envmix_of_folders(tmp_path / "street", tmp_path / "everyday", added_test_folds=[2])
    assert [sound.name for sound in mix.normal] == [name for name in NORMAL_CLASSES if name != "car_horn"]
    assert all((len(sound.fit), len(sound.test)) == (8, 8) for sound in mix.normal)
    assert {sound.name: (len(sound.fit), len(sound.test)) for sound in mix.added} == {
        name: (8, 8) for name in ("sneezing", "rooster", "dog")
    }
