"""What a technician writes into a fleet's CSV file, and the message for every mistake."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile

from calibrate.calibration_arguments import RowSettings, add_calibration_arguments
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.fleet_manifest import FleetManifest, read_fleet_manifest
from edge.errors import UserError

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
RATE_HZ = 8000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings: of pump1, pump2 (a second folder too, and two channels), short, and something that is none."""
    folder = tmp_path_factory.mktemp("site")
    sound = np.random.default_rng(0).standard_normal((RATE_HZ * 6, 2)) * 0.05
    for name in ("pump1/0.wav", "pump1/1.wav", "pump2/0.wav", "pump2/1.wav", "night/0.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / name, sound if name.startswith(("pump2", "night")) else sound[:, 0], RATE_HZ)
    (folder / "short").mkdir()
    soundfile.write(folder / "short" / "0.wav", sound[:RATE_HZ, 0], RATE_HZ)
    (folder / "empty").mkdir()
    (folder / "text").mkdir()
    (folder / "text" / "notes.wav").write_text("what the foreman said")
    return folder


def read(folder: Path, content: str | bytes, *options: str) -> FleetManifest:
    path = folder / "fleet.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    parser = ArgumentParser()
    add_calibration_arguments(parser)
    return read_fleet_manifest(path, RowSettings(parser.parse_args(options), NOON, folder))


def mistakes(folder: Path, content: str, *options: str) -> list[str]:
    """What is said, after the file's name and the colon."""
    return [str(mistake).removeprefix(f"{folder / 'fleet.csv'}:") for mistake in read(folder, content, *options).mistakes]


def test_read_fleet_manifest_gives_units_with_their_recordings_and_settings(folder: Path) -> None:
    fleet = read(
        folder,
        "unit,recordings,channel,backbone,coreset,false_alarms_per_week,seed\n"
        "pump1,pump1,,,,,\n"
        "\n"
        "pump2,pump2 ; night/0.wav,mix,logmel,20,0.5,7\n",
        "--seed=3",
    )
    assert (fleet.mistakes, fleet.warnings) == ((), ())
    first, second = fleet.units
    assert (first.name, first.line, first.recordings) == ("pump1", 2, (folder / "pump1/0.wav", folder / "pump1/1.wav"))
    assert (first.settings.fitting, first.settings.channel) == (PatchCoreSettings(seed=3), 0)
    assert second.recordings == (folder / "pump2/0.wav", folder / "pump2/1.wav", folder / "night/0.wav")
    assert second.line == 4
    assert (second.settings.channel, second.settings.backbone, second.settings.false_alarms_per_week) == ("mix", "logmel", 0.5)
    assert second.settings.fitting == PatchCoreSettings(coreset=20, seed=7)
    assert {unit.settings.created_at for unit in fleet.units} == {NOON}


def test_read_fleet_manifest_gathers_the_rows_of_a_unit(folder: Path) -> None:
    fleet = read(folder, "unit,recordings,seed\npump2,pump2,\npump1,pump1,\npump2,night,5\n")
    assert [unit.name for unit in fleet.units] == ["pump2", "pump1"]
    assert [path.parent.name for path in fleet.units[0].recordings] == ["pump2", "pump2", "night"]
    assert [unit.settings.fitting.seed for unit in fleet.units] == [5, 0]


@pytest.mark.parametrize(
    "content",
    [
        'unit;recordings;seed\r\npump2;"pump2;night";4\r\n',
        "unit\trecordings\tseed\npump2\tpump2;night\t4\n",
        b"\xef\xbb\xbfUnit, Recordings ,SEED\r\npump2,pump2;night, 4\r\n",
        "seed,unit,recordings,,\n4,pump2,pump2;night,,\n",
    ],
)
def test_read_fleet_manifest_of_a_spreadsheet_is_understood(content: str | bytes, folder: Path) -> None:
    (unit,) = read(folder, content).units
    assert (unit.name, len(unit.recordings), unit.settings.fitting.seed) == ("pump2", 3, 4)


def test_read_fleet_manifest_takes_a_backbone_file_beside_it(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built_in = Path(__file__).parents[2] / "edge" / "backbones"
    for suffix in ("onnx", "json"):
        for place in (folder, tmp_path):
            (place / f"own.{suffix}").write_bytes((built_in / f"cnn14-random.{suffix}").read_bytes())
    monkeypatch.chdir(tmp_path)
    fleet = read(folder, "unit,recordings,backbone\npump1,pump1,own.onnx\npump2,pump2,\n", "--backbone=own.onnx")
    assert [unit.settings.backbone for unit in fleet.units] == [str(folder / "own.onnx"), str(tmp_path / "own.onnx")]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (",pump1,,", "column unit: empty; name the machine"),
        ("pump 1,pump1,,", "column unit: 'pump 1' must be at most 64 letters, digits, _ and -: it names the bundle"),
        ("../x,pump1,,", "column unit: '../x' must be at most 64 letters, digits, _ and -: it names the bundle"),
        ("pump1,,,", "column recordings: empty; name a folder or a file with normal sound of pump1"),
        ("pump1,pump9,,", "column recordings: {folder}/pump9: no such file or folder; paths begin in {folder}"),
        ("pump1,empty,,", "column recordings: {folder}/empty: no audio file (WAV, FLAC, OGG, MP3) in this folder"),
        ("pump1,pump1;pump1/0.wav,,", "column recordings: {folder}/pump1/0.wav is named twice; once is enough"),
        ("pump1,short,,", "column recordings: 1.0 s of sound of pump1; at least 10 s are needed; record more"),
        (
            "pump1,pump1;text,,",
            "column recordings: {folder}/text/notes.wav: not a WAV, FLAC or OGG file (Format not recognised); remove them, or leave them "
            "out with --bad-recordings drop",
        ),
        ("pump1,pump1,,left", "column channel: 'left' must be a number, 0 for the first channel, or mix, or leave it empty"),
        (
            "pump1,pump1,,1",
            "column channel: {folder}/pump1/0.wav has 1 channel, so there is no channel 1; 0 is the first, mix the mean of all",
        ),
        ("pump1,pump1,few,", "column seed: must be a whole number, not 'few', or leave it empty"),
        ("pump1,pump1,-1,", "column seed: must be 0 or more, not -1, or leave it empty"),
        ("pump1,pump1,1,0,more", "has 5 cells, and there are 4 columns; put a cell with a comma in it in quotes"),
    ],
)
def test_read_fleet_manifest_with_a_mistake_names_line_and_column(row: str, problem: str, folder: Path) -> None:
    assert mistakes(folder, f"unit,recordings,seed,channel\npump2,pump2,,\n{row}\n") == [f"3: {problem.format(folder=folder)}"]


def test_read_fleet_manifest_with_mistakes_tells_all_of_them_in_the_order_of_lines(folder: Path) -> None:
    told = mistakes(
        folder,
        "unit,recordings,seed,backbone\npump1,short,,\npump2,pump2,x,nope\nPump2,pump2,,\npump4,pump1,1,\npump4,night,2,\npump5,pump1,,\n"
        "pump5,pump1/0.wav,,\n",
    )
    assert [line.partition(";")[0] for line in told] == [
        "2: column recordings: 1.0 s of sound of pump1",
        "3: column seed: must be a whole number, not 'x', or leave it empty",
        "3: column backbone: nope: no such backbone",
        "4: column unit: Pump2 and pump2 (line 3) differ in capitals only",
        "6: column seed: 2, but line 5 says 1 for pump4",
        f"8: column recordings: {folder}/pump1/0.wav is among those of line 7 already",
    ]


def test_read_fleet_manifest_with_cells_that_do_not_go_together_names_one(folder: Path) -> None:
    rows = "unit,recordings,detector,backbone\npump1,pump1,padim,\npump2,pump2,padim,logmel\n"
    (told,) = mistakes(folder, rows)
    assert told.startswith("3: column backbone: ")
    assert "padim" in told


def test_read_fleet_manifest_with_a_mistake_on_the_command_line_names_no_line_of_the_file(folder: Path) -> None:
    with pytest.raises(UserError, match=r"^nope: no such backbone"):
        read(folder, "unit,recordings\npump1,pump1\n", "--backbone=nope")


def test_read_fleet_manifest_with_bad_recordings_that_may_be_dropped_takes_the_others(folder: Path) -> None:
    (unit,) = read(folder, "unit,recordings,bad-recordings\npump1,pump1;text,drop\n").units
    assert len(unit.recordings) == 3


def test_read_fleet_manifest_with_machines_that_share_recordings_warns(folder: Path) -> None:
    fleet = read(folder, "unit,recordings,channel\npump1,night;pump2,\npump2,pump2,\npump3,pump2,1\n")
    same = f"pump2 learns from {folder}/pump2/0.wav, and pump1 (line 2) does too"
    assert fleet.warnings == (f"{folder / 'fleet.csv'}:3: column recordings: {same}",)
    assert len(fleet.units) == 3


def test_read_fleet_manifest_with_a_column_of_the_users_own_warns(folder: Path) -> None:
    fleet = read(folder, "unit,recordings,Hall\npump1,pump1,north\n")
    (warning,) = fleet.warnings
    assert warning.startswith(f"{folder / 'fleet.csv'}:1: column Hall: is not read; known are unit, recordings, false_alarms_per_week,")
    assert len(fleet.units) == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("unit,recording\npump1,pump1\n", ":1: column recording: unknown; did you mean recordings? If not, give it another name"),
        ("unit,recordings,chanel\npump1,pump1,1\n", ":1: column chanel: unknown; did you mean channel? If not, give it another name"),
        ("machine,recordings\npump1,pump1\n", ":1: column unit: missing; the first line names the columns, as in: unit,recordings"),
        ("pump1,recordings/pump1\n", ":1: column unit: missing; the first line names the columns, as in: unit,recordings"),
        ("", ":1: column unit: missing; the first line names the columns, as in: unit,recordings"),
        ("unit,recordings,seed,Seed\n", ":1: column seed: is there twice; remove one"),
        ("unit,recordings\n,\n", ": lists no machine; write one line for each: its unit and its recordings"),
        (b"unit,recordings\np\xfcmpe,x\n", ": not a CSV file in UTF-8 "),
        ('unit,recordings\npump1,"pump1\n', ": not a CSV file in UTF-8 (unexpected end of data); save the table as CSV UTF-8"),
    ],
)
def test_read_fleet_manifest_that_is_none_says_what_is_missing(content: str | bytes, problem: str, folder: Path) -> None:
    with pytest.raises(UserError) as told:
        read(folder, content)
    assert str(told.value).startswith(f"{folder / 'fleet.csv'}{problem}")


@pytest.mark.parametrize(("name", "problem"), [("missing.csv", "No such file or directory"), ("pump1", "Is a directory")])
def test_read_fleet_manifest_that_is_not_there_says_so(name: str, problem: str, folder: Path) -> None:
    parser = ArgumentParser()
    add_calibration_arguments(parser)
    with pytest.raises(UserError, match=f"{name}: cannot be read: {problem}; --manifest takes a CSV file"):
        read_fleet_manifest(folder / name, RowSettings(parser.parse_args([]), NOON, folder))
