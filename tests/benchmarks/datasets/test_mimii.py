from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.datasets.manifest import Unit, chosen_units
from benchmarks.datasets.mimii import read_mimii
from edge.audio.audio_file import audio_info
from edge.errors import UserError
from tests.benchmarks.datasets.trees import SHARED, linked, litter, mimii_machine, recording


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.name for path in paths]


def only_unit(root: Path) -> Unit:
    (unit,) = read_mimii(root).units
    return unit


def test_mimii_as_published_gives_a_unit_for_each_machine_and_ratio(tmp_path: Path) -> None:
    for archive, kind in (("6_dB_fan", "fan"), ("-6_dB_fan", "fan"), ("0_dB_valve", "valve")):
        mimii_machine(tmp_path / archive / kind / "id_00")
        mimii_machine(tmp_path / archive / kind / "id_02")
    found = read_mimii(tmp_path, channel=3)
    assert [unit.key for unit in found.units] == [
        "fan/id_00/6_dB",
        "fan/id_02/6_dB",
        "valve/id_00/0_dB",
        "valve/id_02/0_dB",
        "fan/id_00/-6_dB",
        "fan/id_02/-6_dB",
    ]
    last = found.units[-1]
    assert (last.dataset, last.unit, last.kind, last.machine_id, last.condition, last.channel) == (
        "mimii",
        "fan/id_02",
        "fan",
        "02",
        "-6_dB",
        3,
    )
    assert last.anomalous == tuple(tmp_path / "-6_dB_fan" / "fan" / "id_02" / "abnormal" / f"{number:08}.wav" for number in range(2))
    (note,) = found.notes
    assert note.startswith("MIMII: 6 of 48 machines are here; not fan/id_04/6_dB, fan/id_06/6_dB, ")
    assert note.endswith("and 38 more (https://zenodo.org/records/3384388)")


def test_mimii_that_is_whole_has_no_notes(tmp_path: Path) -> None:
    for ratio in ("6", "0", "-6"):
        for kind in ("fan", "pump", "slider", "valve"):
            for machine_id in ("00", "02", "04", "06"):
                mimii_machine(tmp_path / f"{ratio}_dB_{kind}" / kind / f"id_{machine_id}", normal=2, abnormal=1)
    found = read_mimii(tmp_path)
    assert (len(found.units), found.notes) == (48, ())
    assert {unit.lacks for unit in found.units} == {None}


@pytest.mark.parametrize(
    ("folder", "condition"),
    [
        ("6_dB_fan/fan", "6_dB"),
        ("-6_dB_fan/fan", "-6_dB"),
        ("0_dB_fan", "0_dB"),
        ("min6dB/fan", "-6_dB"),
        ("0dB/fan", "0_dB"),
        ("6dB/fan", "6_dB"),
        ("fan/6_dB", "6_dB"),
        ("fan/-6_dB", "-6_dB"),
        ("minus_6_dB_fan", "-6_dB"),
        ("downloads/2024/6_dB_fan/fan", "6_dB"),
    ],
)
def test_mimii_is_found_where_people_unzip_it(tmp_path: Path, folder: str, condition: str) -> None:
    mimii_machine(tmp_path / folder / "id_04")
    unit = only_unit(tmp_path)
    assert (unit.kind, unit.machine_id, unit.condition) == ("fan", "04", condition)


@pytest.mark.parametrize("inner", ["6_dB_fan", "6_dB_fan/fan", "6_dB_fan/fan/id_00"])
def test_mimii_is_found_from_within_an_archive(tmp_path: Path, inner: str) -> None:
    mimii_machine(tmp_path / "6_dB_fan" / "fan" / "id_00")
    assert only_unit(tmp_path / inner).key == "fan/id_00/6_dB"


def test_mimii_split_tests_as_many_normal_recordings_as_anomalous_and_learns_the_others(tmp_path: Path) -> None:
    mimii_machine(tmp_path / "6_dB_pump" / "pump" / "id_00", normal=20, abnormal=5)
    unit = only_unit(tmp_path)
    assert (len(unit.fit), len(unit.normal), len(unit.anomalous)) == (15, 5, 5)
    assert sorted(names(unit.fit + unit.normal)) == [f"{number:08}.wav" for number in range(20)]
    assert names(unit.normal) != [f"{number:08}.wav" for number in range(5)]  # drawn, not the first


def test_mimii_split_is_the_same_at_every_ratio_and_another_with_another_seed_or_machine(tmp_path: Path) -> None:
    for archive in ("6_dB_fan", "-6_dB_fan"):
        for machine_id in ("00", "02"):
            mimii_machine(tmp_path / archive / "fan" / f"id_{machine_id}", normal=20, abnormal=5)
    clean, other, noisy, _ = read_mimii(tmp_path).units
    assert (clean.unit, noisy.unit) == ("fan/id_00", "fan/id_00")
    assert names(clean.normal) == names(noisy.normal)
    assert names(clean.normal) != names(other.normal)
    again, reseeded = read_mimii(tmp_path).units[0], read_mimii(tmp_path, seed=1).units[0]
    assert again == clean
    assert names(reseeded.normal) != names(clean.normal)


def test_mimii_excerpt_with_few_normal_recordings_keeps_half_to_learn_from(tmp_path: Path) -> None:
    mimii_machine(tmp_path / "6_dB_fan" / "fan" / "id_00", normal=5, abnormal=9)
    unit = only_unit(tmp_path)
    assert (len(unit.fit), len(unit.normal), len(unit.anomalous)) == (3, 2, 9)


def test_mimii_machine_without_anomalous_recordings_says_what_it_lacks(tmp_path: Path) -> None:
    mimii_machine(tmp_path / "6_dB_fan" / "fan" / "id_00", normal=4, abnormal=0)
    assert only_unit(tmp_path).lacks == "no normal test rows and no anomalous test rows"


def test_mimii_units_are_chosen_by_kind_machine_and_ratio(tmp_path: Path) -> None:
    for archive, kind in (("6_dB_fan", "fan"), ("0_dB_fan", "fan"), ("6_dB_pump", "pump")):
        mimii_machine(tmp_path / archive / kind / "id_00")
    units = read_mimii(tmp_path).units

    def chosen(name: str) -> list[str]:
        return [unit.key for unit in chosen_units(units, [name], "MIMII")]

    assert chosen("fan") == chosen("fan/id_00") == ["fan/id_00/6_dB", "fan/id_00/0_dB"]
    assert chosen("fan/id_00/0_dB") == ["fan/id_00/0_dB"]
    assert chosen("mimii") == [unit.key for unit in units]
    with pytest.raises(UserError, match="slider: no such unit in MIMII; it has fan/id_00/6_dB, pump/id_00/6_dB, fan/id_00/0_dB"):
        chosen("slider")


def test_mimii_with_litter_and_strange_names_leaves_them_out_and_says_so(tmp_path: Path) -> None:
    machine = tmp_path / "6_dB_fan" / "fan" / "id_00"
    mimii_machine(machine)
    litter(machine / "normal")
    litter(tmp_path)
    (machine / "normal" / "empty").mkdir()
    before = read_mimii(tmp_path)
    assert len(before.notes) == 1
    recording(machine / "normal" / "00000003 (copy).wav")
    recording(machine / "background" / "00000000.wav")
    after = read_mimii(tmp_path)
    assert after.units == before.units
    assert after.notes[1] == (
        "MIMII: left out, not named like 6_dB_fan/fan/id_00/normal/00000000.wav: 6_dB_fan/fan/id_00/background/00000000.wav and 1 more"
    )


def test_mimii_unzipped_without_the_ratio_is_refused_with_a_remedy(tmp_path: Path) -> None:
    mimii_machine(tmp_path / "fan" / "id_00")
    with pytest.raises(UserError, match=r"fan/id_00: no folder above it says the ratio .* folder of its name \(6_dB_fan\)"):
        read_mimii(tmp_path)


def test_mimii_unzipped_twice_is_refused(tmp_path: Path) -> None:
    mimii_machine(tmp_path / "6_dB_fan" / "fan" / "id_00")
    mimii_machine(tmp_path / "6dB" / "fan" / "id_00")
    with pytest.raises(UserError, match=r"6dB/fan/id_00/abnormal/00000000.wav again; keep one of them|6_dB_fan.* again; keep one of them"):
        read_mimii(tmp_path)


def test_mimii_that_is_not_there_is_one_line_with_the_place_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none: no such folder; download MIMII from https://zenodo.org/records/3384388") as missing:
        read_mimii(tmp_path / "none")
    with pytest.raises(
        UserError, match=r"no MIMII here \(no audio file \(WAV, FLAC, OGG, MP3\) in this folder\); download it from"
    ) as empty:
        read_mimii(tmp_path)
    recording(tmp_path / "song.wav")
    with pytest.raises(UserError, match=r"no MIMII here \(1 recordings, none named like 6_dB_fan/fan/id_00/normal/00000000.wav\)") as other:
        read_mimii(tmp_path)
    (tmp_path / "6_dB_fan.zip").touch()
    with pytest.raises(UserError, match=r"unpack 6_dB_fan\.zip$") as packed:
        read_mimii(tmp_path)
    for error in (missing, empty, other, packed):
        assert "\n" not in str(error.value)
        assert error.value.exit_code == 2


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings to develop against are not beside this checkout")
def test_mimii_of_real_recordings_is_split_and_has_eight_channels(tmp_path: Path) -> None:
    for label in ("normal", "abnormal"):
        for path in sorted((SHARED / "mimii_0dB" / "fan_id_02" / label).iterdir()):
            linked(tmp_path / "0_dB_fan" / "fan" / "id_02" / label / path.name, path)
    unit = only_unit(tmp_path)
    assert unit.key == "fan/id_02/0_dB"
    assert (len(unit.fit), len(unit.normal), len(unit.anomalous)) == (5, 5, 10)
    info = audio_info(unit.fit[0])
    assert (info.channels, info.rate_hz) == (8, 16000)
    assert info.seconds == pytest.approx(10.0, abs=0.1)
