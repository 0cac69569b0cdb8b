from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.datasets.manifest import background, chosen_units, read_manifest, units
from edge.errors import UserError

HEADER = "path,dataset,unit,role,label,detail\n"
ROWS = (
    'a/fan/1.wav,a,fan,fit,normal,"first, with a comma"',
    "a/fan/2.wav,a,fan,test,normal,",
    "a/fan/3.wav,a,fan,test,anomalous,",
    "a/pump/1.wav,a,pump,test,normal,",
    "b/fan/1.wav,b,fan,single,anomalous,",
    "noise/rain.wav,noise,Rain,background,none,",
)
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "manifest.csv"


def tree(folder: Path, rows: Sequence[str] = ROWS, header: str = HEADER) -> Path:
    """A manifest with the files that it names."""
    for row in rows:
        path = folder / row.partition(",")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    manifest = folder / "manifest.csv"
    manifest.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    return manifest


def test_read_manifest_of_a_tree_finds_every_file(tmp_path: Path) -> None:
    recordings = read_manifest(tree(tmp_path))
    assert len(recordings) == len(ROWS)
    assert all(recording.path.is_file() for recording in recordings)
    assert (recordings[0].dataset, recordings[0].unit, recordings[0].role, recordings[0].label) == ("a", "fan", "fit", "normal")


def test_read_manifest_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    manifest = tree(tmp_path)
    manifest.write_bytes(b"\xef\xbb\xbf" + manifest.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_manifest(manifest)) == len(ROWS)


def test_units_are_one_per_machine_with_keys_that_tell_them_apart(tmp_path: Path) -> None:
    found = units(read_manifest(tree(tmp_path)))
    assert [unit.key for unit in found] == ["fan", "pump", "b/fan"]
    fan = found[0]
    assert [[path.name for path in paths] for paths in (fan.fit, fan.normal, fan.anomalous)] == [["1.wav"], ["2.wav"], ["3.wav"]]


def test_units_of_one_name_that_can_both_be_measured_are_reported_apart(tmp_path: Path) -> None:
    rows = [row.replace("a/", "b/", 1).replace(",a,", ",b,") for row in ROWS if ",a,fan," in row]
    found = units(read_manifest(tree(tmp_path, [*ROWS, *rows])))
    assert [unit.key for unit in found] == ["a/fan", "pump", "b/fan"]


def test_units_that_cannot_be_measured_say_why(tmp_path: Path) -> None:
    fan, pump, other = units(read_manifest(tree(tmp_path)))
    assert fan.lacks is None
    assert pump.lacks == "no fit rows and no anomalous test rows"
    assert other.lacks == "no fit rows and no normal test rows and no anomalous test rows"


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (None, ["fan", "pump", "b/fan"]),
        (["fan"], ["fan", "b/fan"]),
        (["a/fan"], ["fan"]),
        (["a/pump"], ["pump"]),
        (["b", "pump"], ["pump", "b/fan"]),
    ],
)
def test_chosen_units_by_unit_dataset_or_both_are_found(tmp_path: Path, names: list[str] | None, keys: list[str]) -> None:
    assert [unit.key for unit in chosen_units(units(read_manifest(tree(tmp_path))), names)] == keys


def test_chosen_units_with_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="valve: no such unit in the manifest; it has fan, pump, b/fan"):
        chosen_units(units(read_manifest(tree(tmp_path))), ["fan", "valve"])


def test_background_rows_are_those_of_no_machine(tmp_path: Path) -> None:
    assert [path.name for path in background(read_manifest(tree(tmp_path)))] == ["rain.wav"]


@pytest.mark.parametrize(
    ("rows", "header", "problem"),
    [
        (ROWS, "path,dataset,unit,role\n", "not a manifest: no column label"),
        ((), HEADER, "lists no recordings"),
        (("1.wav,a,fan,train,normal,",), HEADER, r"manifest.csv:2: role 'train' is unknown; write one of fit, test"),
        (("1.wav,a,fan,fit,good,",), HEADER, "label 'good' is unknown"),
        (("1.wav,a,,fit,normal,",), HEADER, "path and unit must not be empty"),
        (("1.wav,a",), HEADER, "role None is unknown"),
    ],
)
def test_read_manifest_with_a_mistake_names_it_in_one_line(tmp_path: Path, rows: Sequence[str], header: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as error:
        read_manifest(tree(tmp_path, rows, header))
    assert "\n" not in str(error.value)


def test_read_manifest_of_files_that_are_not_there_names_the_first(tmp_path: Path) -> None:
    manifest = tree(tmp_path)
    (tmp_path / "a/fan/2.wav").unlink()
    with pytest.raises(UserError, match=r"manifest.csv:3: a/fan/2.wav is not there"):
        read_manifest(manifest)


def test_read_manifest_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_manifest(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(UserError, match="not a CSV file in UTF-8"):
        read_manifest(tmp_path / "binary.csv")


@pytest.mark.skipif(not SHARED.is_file(), reason="the recordings to develop against are not beside this checkout")
def test_read_manifest_of_the_real_recordings_counts_as_its_readme_does() -> None:
    recordings = read_manifest(SHARED)
    assert len(recordings) == 1178
    assert len(background(recordings)) == 272
    by_key = {unit.key: unit for unit in units(recordings)}
    counts = {key: (len(unit.fit), len(unit.normal), len(unit.anomalous)) for key, unit in by_key.items() if unit.lacks is None}
    assert counts["holybro_x500/cw"] == (20, 19, 42)
    assert counts["M1"] == (4, 4, 6)
    assert counts["fan_id_02"] == (5, 5, 10)
    assert counts["lathe"] == (260, 174, 250)
    assert by_key["dcase2020/fan_id_02"].lacks == "no fit rows"


def test_recordings_that_match_a_pattern_are_left_out(tmp_path: Path) -> None:
    manifest = tree(tmp_path)
    everything = read_manifest(manifest)
    left = read_manifest(manifest, ["*rain.wav"])
    assert len(left) == len(everything) - 1
    assert not any(recording.path.name == "rain.wav" for recording in left)
    with pytest.raises(UserError, match="matches no recording"):
        read_manifest(manifest, ["*rian.wav"])
