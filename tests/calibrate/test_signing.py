"""`auscult calibrate --sign`, and the commands that take signed bundles only."""

from __future__ import annotations

import subprocess
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auscult import main
from edge.bundles.bundle import Bundle
from edge.bundles.signature import Trust
from edge.commands.run import run
from edge.errors import BundleError, ConfigError

RATE_HZ = 32000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings/, keys, signed.auscult and unsigned.auscult."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "recordings").mkdir()
    for number in range(3):
        sound = np.random.default_rng(number).standard_normal(6 * RATE_HZ) * 0.05
        soundfile.write(folder / "recordings" / f"{number}.wav", sound, RATE_HZ)
    for name in ("ours", "theirs"):
        for command in (
            ["genpkey", "-algorithm", "ed25519", "-out", f"{name}.pem"],
            ["pkey", "-in", f"{name}.pem", "-pubout", "-out", f"{name}.pub"],
        ):
            subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True, timeout=30)
    assert main(calibrating(folder, "--output", str(folder / "signed.auscult"), "--sign", str(folder / "ours.pem"))) == 0
    assert main(calibrating(folder, "--output", str(folder / "unsigned.auscult"))) == 0
    return folder


def calibrating(folder: Path, *more: str) -> list[str]:
    quick = ["--backbone", "logmel", "--coreset", "20", "--false-alarms-per-week", "100000"]
    return ["calibrate", "--recordings", str(folder / "recordings"), *quick, *more]


@pytest.mark.parametrize(
    ("bundle", "keys", "said"),
    [
        ("signed", ["ours"], ""),
        ("signed", ["theirs", "ours"], ""),
        ("signed", [], ""),
        ("unsigned", [], ""),
        ("unsigned", ["ours"], "unsigned.auscult: not signed, and only signed bundles are accepted here; "),
        ("signed", ["theirs"], "signed.auscult: not signed with any of the trusted keys"),
    ],
)
def test_score_takes_bundles_of_trusted_keys(
    site: Path, capsys: pytest.CaptureFixture[str], bundle: str, keys: list[str], said: str
) -> None:
    trusted = [argument for key in keys for argument in ("--trusted-key", str(site / f"{key}.pub"))]
    code = main(["score", "--bundle", str(site / f"{bundle}.auscult"), *trusted, str(site / "recordings" / "0.wav")])
    out, err = capsys.readouterr()
    assert (code, len(out.splitlines())) == ((2, 0) if said else (0, 1))
    assert said in err
    assert len(err.splitlines()) == bool(said)


def test_calibrate_with_a_bad_key_is_refused_before_the_work(site: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    output = tmp_path / "b.auscult"
    assert main(calibrating(site, "--output", str(output), "--sign", str(site / "recordings" / "0.wav"))) == 2
    assert capsys.readouterr().err.startswith(f"auscult: {site / 'recordings' / '0.wav'}: larger than 64 KB: not a key; ")
    assert not output.exists()


def test_fleet_signs_its_bundles_and_makes_them_again_for_another_key(
    site: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    manifest = tmp_path / "fleet.csv"
    manifest.write_text(f"unit,recordings\npump1,{site / 'recordings'}\n", encoding="utf-8")
    quick = calibrating(site)[3:]
    for key, again in (("ours", False), ("ours", True), ("theirs", False)):
        command = ["calibrate", "--manifest", str(manifest), "--output-dir", str(tmp_path), *quick, "--sign", str(site / f"{key}.pem")]
        assert main(command) == 0
        assert ("skipped" in capsys.readouterr().out) == again
        Bundle.read(tmp_path / "pump1.auscult", Trust.of([site / f"{key}.pub"], require_signature=True))


def configured(site: Path, bundle: str, more: str) -> Namespace:
    path = site / "config.yaml"
    sources = f"sources: {{pump1: {{bundle: {bundle}.auscult, files: {{paths: [recordings]}}}}}}"
    path.write_text(f"node: n\nmqtt: {{host: localhost}}\n{sources}\nbundles: {more}\n", encoding="utf-8")
    return Namespace(config=path)


@pytest.mark.parametrize(("bundle", "key", "said"), [("unsigned", "ours", "not signed"), ("signed", "theirs", "any of the trusted keys")])
def test_run_refuses_to_start_with_bundles_it_does_not_trust(site: Path, bundle: str, key: str, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        run(configured(site, bundle, f"{{trusted_keys: [{key}.pub], require_signature: true}}"))


def test_run_with_a_trusted_key_that_is_not_there_names_its_line(site: Path) -> None:
    with pytest.raises(ConfigError, match=r"config.yaml:4: bundles.trusted_keys\[0\]: no such file: "):
        run(configured(site, "signed", "{trusted_keys: [lost.pub]}"))
