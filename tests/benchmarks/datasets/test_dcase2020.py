from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.datasets.dcase2020 import read_dcase2020
from edge.audio.audio_file import audio_info
from edge.errors import UserError
from tests.benchmarks.datasets.trees import SHARED, dcase2020_machine, linked, litter, recording, recordings

KINDS = ("ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve")


def evaluation_tree(root: Path) -> Path:
    """One machine of the evaluation part, without labels."""
    recordings(root / "fan" / "train", ("normal_id_01_00000000.wav", "normal_id_01_00000001.wav"))
    recordings(root / "fan" / "test", (f"id_01_{number:08}.wav" for number in range(4)))
    return root


def test_dcase2020_as_published_gives_a_unit_for_each_machine(tmp_path: Path) -> None:
    dcase2020_machine(tmp_path / "fan", "00")
    dcase2020_machine(tmp_path / "fan", "06", fit=4, normal=1, anomalous=3)
    dcase2020_machine(tmp_path / "ToyCar", "01")
    found = read_dcase2020(tmp_path)
    assert [unit.key for unit in found.units] == ["ToyCar/id_01", "fan/id_00", "fan/id_06"]
    unit = found.units[2]
    assert (unit.dataset, unit.unit, unit.kind, unit.machine_id, unit.condition) == ("dcase2020", "fan/id_06", "fan", "06", "development")
    assert (len(unit.fit), len(unit.normal), len(unit.anomalous)) == (4, 1, 3)
    assert unit.anomalous[0] == tmp_path / "fan" / "test" / "anomaly_id_06_00000000.wav"
    assert unit.fit[0] == tmp_path / "fan" / "train" / "normal_id_06_00000000.wav"
    assert unit.lacks is None
    (note,) = found.notes
    assert note.startswith("DCASE 2020 task 2: 3 of 23 machines are here; not ToyCar/id_02, ")


def test_dcase2020_development_that_is_whole_has_no_notes(tmp_path: Path) -> None:
    for kind in KINDS:
        ids = {"ToyCar": "1234", "ToyConveyor": "123"}.get(kind, "0246")
        for digit in ids:
            dcase2020_machine(tmp_path / "dev_data" / kind, f"0{digit}", fit=1, normal=1, anomalous=1)
    found = read_dcase2020(tmp_path)
    assert (len(found.units), found.notes) == (23, ())


def test_dcase2020_training_without_tests_says_what_it_lacks(tmp_path: Path) -> None:
    dcase2020_machine(tmp_path / "fan", "00", normal=0, anomalous=0)
    assert read_dcase2020(tmp_path).units[0].lacks == "no normal test rows and no anomalous test rows"


def test_dcase2020_evaluation_without_labels_is_not_tested_and_says_where_they_are(tmp_path: Path) -> None:
    dcase2020_machine(tmp_path / "dev_data" / "fan", "00")
    evaluation_tree(tmp_path / "eval_data")
    found = read_dcase2020(tmp_path)
    assert [(unit.key, unit.condition) for unit in found.units] == [("fan/id_00", "development"), ("fan/id_01", "evaluation")]
    assert (len(found.units[1].fit), found.units[1].normal, found.units[1].anomalous) == (2, (), ())
    assert found.notes[0].startswith("DCASE 2020 task 2: 2 of 41 machines are here; ")
    assert found.notes[1] == (
        "DCASE 2020 task 2: test recordings without labels left out, of fan/id_01; "
        "put eval_data_list.csv beside them (https://zenodo.org/records/3951620)"
    )


def test_dcase2020_evaluation_with_the_published_labels_is_tested(tmp_path: Path) -> None:
    root = evaluation_tree(tmp_path / "eval_data")
    lines = ["fan", *(f"id_01_{number:08}.wav,normal_id_01_{number:08}.wav,{int(number == 2)}" for number in range(4)), "pump"]
    lines.append("id_01_00000000.wav,anomaly_id_01_00000000.wav,1")  # of another kind, by the same name
    (root / "eval_data_list.csv").write_text("\n".join(lines), encoding="utf-8")
    (unit,) = read_dcase2020(tmp_path).units
    assert [path.name for path in unit.anomalous] == ["id_01_00000002.wav"]
    assert [path.name for path in unit.normal] == ["id_01_00000000.wav", "id_01_00000001.wav", "id_01_00000003.wav"]


@pytest.mark.parametrize("text", ["fan\nid_01_00000000.wav,normal\n", "fan\nid_01_00000000.wav,normal,maybe\n", "\x89PNG\x00"])
def test_dcase2020_with_damaged_labels_is_refused(tmp_path: Path, text: str) -> None:
    evaluation_tree(tmp_path)
    (tmp_path / "eval_data_list.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"eval_data_list.csv: is not the list of labels; download it again"):
        read_dcase2020(tmp_path)


def test_dcase2020_is_found_from_within_a_kinds_folder(tmp_path: Path) -> None:
    dcase2020_machine(tmp_path / "slider", "02")
    assert [unit.key for unit in read_dcase2020(tmp_path / "slider").units] == ["slider/id_02"]


def test_dcase2020_with_litter_and_strange_names_leaves_them_out_and_says_so(tmp_path: Path) -> None:
    dcase2020_machine(tmp_path / "fan", "00")
    for folder in ("train", "test"):
        litter(tmp_path / "fan" / folder)
    before = read_dcase2020(tmp_path)
    assert len(before.notes) == 1
    for name in (
        "fan/train/anomaly_id_00_00000000.wav",  # nothing anomalous is published to learn from
        "fan/train/normal_id_0_00000000.wav",
        "fan/train/normal_id_99_00000000.wav",
        "fan/test/normal_id_00_00000000 2.wav",
        "fan/valid/normal_id_00_00000000.wav",
        "boiler/train/normal_id_00_00000000.wav",
    ):
        recording(tmp_path / name)
    after = read_dcase2020(tmp_path)
    assert after.units == before.units
    assert after.notes[1] == (
        "DCASE 2020 task 2: left out, not named like fan/train/normal_id_00_00000000.wav: boiler/train/normal_id_00_00000000.wav and 5 more"
    )


def test_dcase2020_unzipped_twice_is_refused(tmp_path: Path) -> None:
    dcase2020_machine(tmp_path / "fan", "00")
    dcase2020_machine(tmp_path / "dev_data" / "fan", "00")
    with pytest.raises(UserError, match="again; keep one of them"):
        read_dcase2020(tmp_path)


def test_dcase2020_that_is_not_there_is_one_line_with_the_place_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such folder; download DCASE 2020 task 2 from https://zenodo.org/records/3678171"):
        read_dcase2020(tmp_path / "none")
    with pytest.raises(UserError, match=r"no DCASE 2020 task 2 here .* download it from https://zenodo.org/records/3678171"):
        read_dcase2020(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings to develop against are not beside this checkout")
def test_dcase2020_of_real_recordings_is_read_by_their_names(tmp_path: Path) -> None:
    for path in sorted((SHARED / "dcase2020").rglob("*.flac")):
        lower = path.relative_to(SHARED / "dcase2020").parts[0].partition("_id_")[0]
        kind = next(kind for kind in KINDS if kind.lower() == lower)
        linked(tmp_path / kind / "test" / path.name, path)
    units = {unit.key: unit for unit in read_dcase2020(tmp_path).units}
    assert sum(len(unit.normal) + len(unit.anomalous) for unit in units.values()) == len(list((SHARED / "dcase2020").rglob("*.flac")))
    assert (len(units["pump/id_04"].normal), len(units["pump/id_04"].anomalous)) == (6, 5)
    assert (len(units["ToyConveyor/id_01"].normal), len(units["ToyConveyor/id_01"].anomalous)) == (5, 5)
    assert units["pump/id_02"].lacks == "no fit rows and no anomalous test rows"
    assert audio_info(units["fan/id_04"].anomalous[0]).channels == 1
