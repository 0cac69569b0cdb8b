from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.datasets.dcase2023 import ClipName, clip_name, read_dcase2023
from edge.errors import UserError
from tests.benchmarks.datasets.trees import SHARED, dcase2023_machine, linked, litter, recording, recordings

DEVELOPMENT = ("bearing", "fan", "gearbox", "slider", "ToyCar", "ToyTrain", "valve")


def evaluation_tree(root: Path) -> Path:
    """One machine of the evaluation part, without labels."""
    recordings(root / "bandsaw" / "train", ("section_00_source_train_normal_0000_vel_15.wav",))
    recordings(root / "bandsaw" / "test", (f"section_00_{number:04}.wav" for number in range(4)))
    return root


def labels(root: Path, text: str) -> None:
    folder = root / "dcase2023_task2_evaluator" / "ground_truth_attributes"
    folder.mkdir(parents=True)
    (folder / "ground_truth_bandsaw_section_00_test.csv").write_bytes(text.encode("latin-1"))


def test_dcase2023_as_published_gives_two_units_for_each_machine(tmp_path: Path) -> None:
    dcase2023_machine(tmp_path / "bearing")
    dcase2023_machine(tmp_path / "ToyCar", "_car_A1_spd_28V_mic_1")
    found = read_dcase2023(tmp_path)
    assert [unit.key for unit in found.units] == [
        "bearing/section_00/source",
        "bearing/section_00/target",
        "ToyCar/section_00/source",
        "ToyCar/section_00/target",
    ]
    source, target = found.units[:2]
    assert (target.dataset, target.unit, target.kind, target.machine_id, target.condition) == (
        "dcase2023",
        "bearing/section_00",
        "bearing",
        "00",
        "target",
    )
    assert found.notes == (
        "DCASE 2023 task 2: 2 of 7 machines are here; not fan, gearbox, slider, ToyTrain and 1 more (https://zenodo.org/records/7882613)",
    )
    assert source.lacks is target.lacks is None


def test_dcase2023_domains_share_what_is_learned_and_what_is_anomalous_but_not_the_normal_tests(tmp_path: Path) -> None:
    dcase2023_machine(tmp_path / "fan", "_m-n_W")
    source, target = read_dcase2023(tmp_path).units
    assert source.fit == target.fit
    assert len(source.fit) == 4
    assert source.anomalous == target.anomalous
    assert [path.name for path in source.anomalous] == [
        "section_00_source_test_anomaly_0000_m-n_W.wav",
        "section_00_target_test_anomaly_0000_m-n_W.wav",
    ]
    assert [path.name for path in source.normal] == [f"section_00_source_test_normal_000{n}_m-n_W.wav" for n in (0, 1)]
    assert [path.name for path in target.normal] == [f"section_00_target_test_normal_000{n}_m-n_W.wav" for n in (0, 1)]


def test_dcase2023_development_that_is_whole_has_no_notes(tmp_path: Path) -> None:
    for kind in DEVELOPMENT:
        dcase2023_machine(tmp_path / "dev_data" / "raw" / kind)
    found = read_dcase2023(tmp_path)
    assert (len(found.units), found.notes) == (14, ())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "section_00_source_train_normal_0046_vel_21_loc_A.wav",
            ClipName("source", "train", False, 46, {"vel": "21", "loc": "A"}),
        ),
        ("section_00_target_test_anomaly_0040_volt_1.5_wt_130", ClipName("target", "test", True, 40, {"volt": "1.5", "wt": "130"})),
        ("section_00_source_test_anomaly_0022_m-n_W.flac", ClipName("source", "test", True, 22, {"m-n": "W"})),
        ("section_00_source_train_normal_0853_vel_500_ac_0.30.wav", ClipName("source", "train", False, 853, {"vel": "500", "ac": "0.30"})),
        (
            "section_00_target_test_normal_0049_car_E2_spd_9_mic_2.wav",
            ClipName("target", "test", False, 49, {"car": "E2", "spd": "9", "mic": "2"}),
        ),
        ("section_00_source_test_normal_0000.wav", ClipName("source", "test", False, 0, {})),
        ("section_00_0000.wav", None),
        ("section_00_middle_test_normal_0000.wav", None),
        ("section_00_source_test_normal_00.wav", None),
        ("normal_id_00_00000000.wav", None),
    ],
)
def test_clip_name_gives_domain_label_and_attributes(name: str, expected: ClipName | None) -> None:
    assert clip_name(name) == expected


def test_dcase2023_evaluation_without_labels_is_not_tested_and_says_where_they_are(tmp_path: Path) -> None:
    evaluation_tree(tmp_path)
    found = read_dcase2023(tmp_path)
    assert [(unit.key, len(unit.fit), len(unit.normal), len(unit.anomalous)) for unit in found.units] == [
        ("bandsaw/section_00/source", 1, 0, 0),
        ("bandsaw/section_00/target", 1, 0, 0),
    ]
    assert found.notes[0].startswith("DCASE 2023 task 2: 1 of 14 machines are here; ")
    assert found.notes[1] == (
        "DCASE 2023 task 2: test recordings without labels left out, of bandsaw; "
        "put ground_truth_attributes beside them (https://github.com/nttcslab/dcase2023_task2_evaluator)"
    )


def test_dcase2023_evaluation_with_the_published_labels_is_tested_by_domain(tmp_path: Path) -> None:
    evaluation_tree(tmp_path)
    labels(
        tmp_path,
        "section_00_0000.wav,section_00_target_test_normal_0000_vel_12\n"
        "section_00_0001.wav,section_00_target_test_anomaly_0001_vel_12\n"
        "section_00_0002.wav,section_00_source_test_normal_0002_vel_15\n",
    )
    found = read_dcase2023(tmp_path)
    source, target = found.units
    assert [path.name for path in source.normal] == ["section_00_0002.wav"]
    assert [path.name for path in target.normal] == ["section_00_0000.wav"]
    assert [path.name for path in source.anomalous] == ["section_00_0001.wav"]
    assert source.anomalous == target.anomalous
    assert "without labels" in found.notes[1]  # section_00_0003.wav is in no list


@pytest.mark.parametrize("text", ["", "section_00_0000.wav\n", "section_00_0000.wav,1\n", "\x89PNG\xff"])
def test_dcase2023_with_damaged_labels_is_refused(tmp_path: Path, text: str) -> None:
    evaluation_tree(tmp_path)
    labels(tmp_path, text)
    with pytest.raises(UserError, match=r"ground_truth_bandsaw_section_00_test.csv: is not a list of labels; download it again"):
        read_dcase2023(tmp_path)


def test_dcase2023_with_litter_and_strange_names_leaves_them_out_and_says_so(tmp_path: Path) -> None:
    dcase2023_machine(tmp_path / "valve", "_pat_00")
    litter(tmp_path / "valve" / "train")
    litter(tmp_path / "valve" / "test")
    before = read_dcase2023(tmp_path)
    assert len(before.notes) == 1
    for name in (
        "blender/train/section_00_source_train_normal_0000_vel_6.wav",
        "valve/test/section_00_source_train_normal_0000_pat_00.wav",  # of the other folder
        "valve/train/section_00_source_train_anomaly_0000_pat_00.wav",  # nothing anomalous is published to learn from
        "valve/train/section_01_source_train_normal_0000_pat_00.wav",  # of another year
        "valve/train/section_00_source_train_normal_0.wav",
    ):
        recording(tmp_path / name)
    after = read_dcase2023(tmp_path)
    assert after.units == before.units
    assert after.notes[1].endswith(": blender/train/section_00_source_train_normal_0000_vel_6.wav and 4 more")


def test_dcase2023_that_is_not_there_is_one_line_with_the_place_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such folder; download DCASE 2023 task 2 from https://zenodo.org/records/7882613"):
        read_dcase2023(tmp_path / "none")
    with pytest.raises(UserError, match=r"no DCASE 2023 task 2 here .* download it from https://zenodo.org/records/7882613"):
        read_dcase2023(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings to develop against are not beside this checkout")
def test_dcase2023_of_real_recordings_is_read_by_their_names(tmp_path: Path) -> None:
    real = sorted((SHARED / "dcase2023").glob("*.flac"))
    for path in real:
        match = re.fullmatch(r"([A-Za-z]+)_(train|test)_(.*)", path.name)
        assert match is not None
        linked(tmp_path / match[1] / match[2] / match[3], path)
    found = read_dcase2023(tmp_path)
    assert found.notes == ()
    assert [len(unit.fit) for unit in found.units] == [2] * 14
    by_machine = [unit for unit in found.units if unit.condition == "source"]
    tested = sum(len(unit.normal) for unit in found.units) + sum(len(unit.anomalous) for unit in by_machine)
    assert tested == sum("_test_section" in path.name for path in real)
    slider = {unit.condition: unit for unit in found.units if unit.kind == "slider"}
    name = clip_name(slider["target"].normal[0].name)
    assert name is not None
    assert name.attributes == {"vel": "620", "ac": "0.08"}
