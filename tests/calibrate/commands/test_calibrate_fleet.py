"""`auscult calibrate --manifest` as a technician with many machines sees it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.bundles.bundle import Bundle
from edge.console.cli import run_command
from tests.odd_audio import m4a, piped_flac

ROOT = Path(__file__).parents[3]
RATE_HZ = 16000
QUICK = ("--backbone", "logmel", "--coreset", "20", "--false-alarms-per-week", "100000")


def write_noise(path: Path, seconds: float, seed: int = 0, level: float = 0.05) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ)) * level, RATE_HZ)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three machines, in the folder where the technician is."""
    for number in (1, 2, 3):
        for index in (0, 1, 2):
            write_noise(tmp_path / "recordings" / f"pump{number}" / f"{index}.wav", 5.0, 10 * number + index)
    lines = ("unit,recordings,seed", *(f"pump{number},recordings/pump{number},{number}" for number in (1, 2, 3)))
    (tmp_path / "fleet.csv").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return tmp_path


def calibrate(*arguments: str) -> int:
    return run_command("calibrate.commands.calibrate", "auscult calibrate", [*arguments, *QUICK])


def test_calibrate_fleet_in_json_gives_each_units_bundle(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrate("--manifest", "fleet.csv", "--output-dir", "new/bundles", "--format", "json") == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["failed"] == []
    for number, bundle in enumerate(result["bundles"], 1):
        path = site / "new" / "bundles" / f"pump{number}.auscult"
        assert bundle["unit"] == f"pump{number}"
        assert bundle["bundle"] == f"new/bundles/pump{number}.auscult"
        assert bundle["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (bundle["skipped"], bundle["recordings"], bundle["seconds"], bundle["dropped"]) == (False, 3, 15.0, [])
        (warning,) = bundle["warnings"]
        assert f"auscult: warning: pump{number}: {warning}\n" in printed.err
        assert f"auscult: pump{number} ({number} of 3): new/bundles/pump{number}.auscult\n" in printed.err
        assert Bundle.read(path).manifest.detector.parameters["seed"] == number
    assert len(result["bundles"]) == 3
    assert len({Bundle.read(path).manifest.created_at for path in (site / "new" / "bundles").glob("*.auscult")}) == 1


def test_calibrate_fleet_with_odd_recordings_learns_from_what_holds_sound(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = site / "recordings" / "pump2"
    noise = (0.05 * np.random.default_rng(7).standard_normal(8 * RATE_HZ)).astype(np.float32)
    mostly_silent = np.where(np.arange(len(noise)) < len(noise) // 4, noise, np.float32(0.0))
    piped_flac(folder / "piped.flac", noise, RATE_HZ)
    piped_flac(folder / "silent.flac", np.zeros_like(noise), RATE_HZ)
    soundfile.write(folder / "mostly-silent.wav", mostly_silent, RATE_HZ)
    soundfile.write(folder / "second.wav", np.stack([np.zeros_like(noise), noise], axis=1), RATE_HZ)
    m4a(folder / "phone.m4a")
    assert calibrate("--manifest", "fleet.csv", "--output-dir", "b", "--bad-recordings", "drop", "--format", "json") == 0
    printed = capsys.readouterr()
    pump2 = json.loads(printed.out)["bundles"][1]
    assert pump2["recordings"] == 5
    assert [Path(file).name for file in pump2["dropped"]] == ["phone.m4a", "second.wav", "silent.flac"]
    assert "phone.m4a: left out: M4A files cannot be read" in printed.err
    assert "second.wav: left out: silent; its channel 1 is the loudest, at -26 dBFS: --channel 1" in printed.err
    assert "mostly-silent.wav: no signal in 0.75 of its time" in printed.err


def test_calibrate_fleet_whose_rows_say_whether_the_level_counts(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ("pump1,recordings/pump1,relative", "pump2,recordings/pump2,absolute", "pump3,recordings/pump3,")
    (site / "fleet.csv").write_text("\n".join(("unit,recordings,level", *rows)))
    for options, empty in (((), "absolute"), (("--ignore-level", "--anew"), "relative")):
        assert calibrate("--manifest", "fleet.csv", "--output-dir", "bundles", *options) == 0
        found = [Bundle.read(site / "bundles" / f"pump{number}.auscult").manifest.detector.parameters["steady"] for number in (1, 2, 3)]
        assert [steady["level"] for steady in found] == ["relative", "absolute", empty]
        assert ["level" in steady["heads"] for steady in found] == [False, True, empty == "absolute"]
    capsys.readouterr()
    (site / "fleet.csv").write_text("unit,recordings,level\npump1,recordings/pump1,loud\n")
    assert calibrate("--manifest", "fleet.csv", "--output-dir", "bundles") == 2
    problem = capsys.readouterr().err
    assert "fleet.csv:2: column level: " in problem
    assert "'loud'" in problem


def test_calibrate_fleet_again_says_what_it_skips(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrate("--manifest", "fleet.csv", "--output-dir", "bundles") == 0
    capsys.readouterr()
    assert calibrate("--manifest", "fleet.csv", "--output-dir", "bundles", "--seed", "5") == 0  # each row has its own seed
    printed = capsys.readouterr()
    assert printed.err.splitlines()[0] == (
        "auscult: pump1 (1 of 3): skipped, bundles/pump1.auscult was made from the same recordings and settings; --anew makes it again"
    )
    assert printed.err.count("skipped") == printed.err.count("\n") == 3
    assert printed.out.splitlines() == [f"pump{number}  bundles/pump{number}.auscult  15 s  skipped" for number in (1, 2, 3)]
    assert calibrate("--manifest", "fleet.csv", "--output-dir", "bundles", "--anew") == 0
    assert capsys.readouterr().out.splitlines()[2] == "pump3  bundles/pump3.auscult  15 s  made"


def test_calibrate_fleet_with_source_date_epoch_gives_the_same_bytes_again(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795176000")
    for folder in ("one", "two"):
        assert calibrate("--manifest", "fleet.csv", "--output-dir", folder) == 0
    assert calibrate("--recordings", "recordings/pump2", "--output", "single.auscult", "--seed", "2") == 0
    contents = [(site / name).read_bytes() for name in ("one/pump2.auscult", "two/pump2.auscult", "single.auscult")]
    assert contents[0] == contents[1] == contents[2]
    assert Bundle.read(site / "single.auscult").manifest.created_at == "2026-11-20T12:00:00+00:00"


def test_calibrate_with_a_source_date_epoch_that_is_no_time_says_so(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    assert calibrate("--manifest", "fleet.csv", "--output-dir", "bundles") == 2
    assert capsys.readouterr().err == "auscult: SOURCE_DATE_EPOCH: must be whole seconds since 1970, not 'today'\n"


def test_calibrate_fleet_with_a_machine_that_fails_tells_it_and_continues(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index in (0, 1, 2):
        write_noise(site / "recordings" / "pump2" / f"{index}.wav", 5.0, level=0.0)
    assert calibrate("--manifest", "fleet.csv", "--output-dir", "bundles", "--format", "json") == 2
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert [bundle["unit"] for bundle in result["bundles"]] == ["pump1", "pump3"]
    (failed,) = result["failed"]
    assert (failed["unit"], failed["line"]) == ("pump2", 3)
    assert f"auscult: fleet.csv:3: pump2 (2 of 3): {failed['problem']}\n" in printed.err
    assert printed.err.endswith(
        "auscult: 1 of 3 machines failed; correct what is reported above, and the same command continues with them\n"
    )
    assert "nothing can be learned from" in failed["problem"]
    assert calibrate("--manifest", "fleet.csv", "--output-dir", "bundles") == 2
    assert re.search(r"^pump2 +- +- +failed$", capsys.readouterr().out, re.MULTILINE)


def test_calibrate_fleet_with_mistakes_in_its_manifest_tells_each_and_makes_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "fleet.csv").write_text(
        "unit,recordings,seed,hall\npump1,recordings/pump1,,\npump2,recordings/pump7,,\npump3,recordings/pump3,x,\n"
    )
    assert calibrate("--manifest", "fleet.csv", "--output-dir", "bundles") == 2
    printed = capsys.readouterr()
    warning, *mistakes = printed.err.splitlines()
    assert warning.startswith("auscult: warning: fleet.csv:1: column hall: is not read; known are unit, recordings, ")
    assert mistakes == [
        f"auscult: fleet.csv:3: column recordings: {site}/recordings/pump7: no such file or folder; paths begin in {site}",
        "auscult: fleet.csv:4: column seed: must be a whole number, not 'x', or leave it empty",
    ]
    assert printed.out == ""
    assert not (site / "bundles").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--manifest", "fleet.csv"), "calibrate: required: --output-dir; see `auscult calibrate --help`"),
        (("--output-dir", "bundles"), "calibrate: required: --manifest; see `auscult calibrate --help`"),
        ((), "calibrate: required: --recordings and --output; see `auscult calibrate --help`"),
        (
            ("--manifest", "fleet.csv", "--output-dir", "bundles", "--recordings", "recordings"),
            "calibrate: --recordings does not go with --manifest; see `auscult calibrate --help`",
        ),
        (
            ("--recordings", "recordings", "--output", "b.auscult", "--cluster", "local"),
            "calibrate: --cluster does not go with --recordings; see `auscult calibrate --help`",
        ),
        (
            ("--recordings", "recordings", "--output", "b.auscult", "--anew"),
            "calibrate: --anew does not go with --recordings; see `auscult calibrate --help`",
        ),
        (
            ("--manifest", "none.csv", "--output-dir", "bundles"),
            "none.csv: cannot be read: No such file or directory; --manifest takes a CSV file",
        ),
        (
            ("--manifest", "fleet.csv", "--output-dir", "bundles", "--cluster", "tcp://127.0.0.1:1"),
            "tcp://127.0.0.1:1: no Dask scheduler answers (Connection refused); start one there (`dask scheduler`), or correct --cluster",
        ),
    ],
)
def test_calibrate_fleet_with_a_wrong_command_line_is_one_line(
    arguments: tuple[str, ...], problem: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(*arguments) == 2
    assert capsys.readouterr() == ("", f"auscult: {problem}\n")


def test_calibrate_fleet_with_a_cluster_of_no_kind_is_one_line(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrate("--manifest", "fleet.csv", "--output-dir", "bundles", "--cluster", "nearby") == 2
    problem = "argument --cluster: must be local, or the address of a scheduler such as tcp://192.168.1.20:8786, not 'nearby'"
    assert capsys.readouterr().err == f"auscult calibrate: {problem}; see `auscult calibrate --help`\n"


@pytest.mark.parametrize("cluster", [(), ("--cluster", "local")])
def test_calibrate_fleet_when_interrupted_keeps_what_is_finished(cluster: tuple[str, ...], site: Path) -> None:
    write_noise(site / "recordings" / "pump2" / "long.wav", 600.0, 99)
    command = [sys.executable, "-m", "auscult", "calibrate", "--manifest", "fleet.csv", "--output-dir", "bundles", *cluster]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=site, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stderr is not None
        while "1 of 3" not in process.stderr.readline():
            assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    told = re.search(
        r"^auscult: interrupted; (\d) of 3 bundles are there, and the same command continues with the others\n\Z", err, re.MULTILINE
    )
    assert told is not None
    bundles = sorted(path.name for path in (site / "bundles").iterdir())
    assert len(bundles) >= int(told[1]) + 1  # and the record; one may have come when it was too late to be counted
    assert "pump2.auscult" not in bundles
    for name in set(bundles) - {"fleet.json"}:
        Bundle.read(site / "bundles" / name)


def test_calibrate_help_shows_a_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrate("--help") == 0
    printed = capsys.readouterr().out
    assert "auscult calibrate --manifest fleet.csv --output-dir bundles/ --cluster local\n" in printed
    assert "  unit,recordings,channel\n  pump1,recordings/pump1,\n" in printed
