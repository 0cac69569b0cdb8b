"""`auscult doctor`, whole: a node that is well, and one where everything is wrong."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.config.load import load_config
from edge.console.cli import run_command
from edge.doctor import examination, headroom, sandbox
from edge.learning.learning import store_folder
from edge.learning.starter import starter_path
from edge.learning.versions import Versions
from tests.broker import Broker, free_port
from tests.bundles import RATE_HZ, CalibratedMachine

CHECKS = [
    "software",
    "clock",
    "temperature",
    "config",
    "inference",
    "source pump1",
    "bundle {bundle}",
    "broker",
    "outbox",
    "clips",
    "metrics",
    "processor",
]


@pytest.fixture(autouse=True)
def no_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even on a device where Auscult is installed."""
    monkeypatch.setattr(sandbox, "UNIT_FOLDERS", (tmp_path,))


def doctor(*arguments: str) -> int:
    return run_command("edge.commands.doctor", "auscult doctor", arguments)


def write_config(folder: Path, port: int, bundle: Path, files: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"node: n\nmqtt: {{host: 127.0.0.1, port: {port}}}\noutbox: {{path: {folder}/outbox.sqlite, capacity_mb: 1}}\n"
        f"clips: {{enabled: true, folder: {folder}/clips, capacity_mb: 1}}\n"
        f"metrics: {{listen: '127.0.0.1:{free_port()}'}}\n"
        f"sources: {{pump1: {{bundle: {bundle}, files: {{paths: [{files}]}}}}}}\n",
        encoding="utf-8",
    )
    return path


def examined(capsys: pytest.CaptureFixture[str], config: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings by check."""
    code = doctor("--config", str(config), "--format", "json")
    printed = capsys.readouterr()
    assert printed.err == ""
    report = json.loads(printed.out)
    assert report["ok"] == (code == 0)
    return code, {finding["check"]: finding for finding in report["checks"]}


def test_doctor_of_a_node_that_is_well(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headroom, "cost_per_second", lambda *_: 0.02)  # whatever else runs on this computer
    config = write_config(tmp_path, broker.port, machine.bundle, machine.recordings[0])
    code, findings = examined(capsys, config)
    assert code == 0
    assert list(findings) == [check.format(bundle=machine.bundle.name) for check in CHECKS]
    assert [check.split()[0] for check in findings] == [check for check in examination.CHECKS if check != "sandbox"]  # as documented
    assert {check for check, finding in findings.items() if finding["verdict"] != "OK"} <= {"clock", "temperature"}
    assert "verified, probe passed" in findings[f"bundle {machine.bundle.name}"]["found"]
    assert not (tmp_path / "outbox.sqlite").exists()


def test_doctor_text_is_one_line_for_each_check(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headroom, "cost_per_second", lambda *_: 2.0)
    config = write_config(tmp_path, broker.port, machine.bundle, machine.recordings[0])
    assert doctor("--config", str(config)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CHECKS)
    assert {line.split()[0] for line in lines} <= {"OK", "WARN", "FAIL"}
    assert lines[-1].startswith("FAIL  processor")


def test_doctor_of_an_installed_service_looks_at_its_sandbox_too(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headroom, "cost_per_second", lambda *_: 0.02)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    (tmp_path / sandbox.UNIT).write_text("[Service]\nStateDirectory=auscult\nProtectSystem=strict\n", encoding="utf-8")
    code, findings = examined(capsys, write_config(tmp_path, broker.port, machine.bundle, machine.recordings[0]))
    assert code == 1
    assert list(findings).index("sandbox") == list(findings).index("config") + 1
    assert "(outbox.path)" in findings["sandbox"]["found"]


def test_doctor_tells_every_trouble_and_continues(broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broker.stop()
    (tmp_path / "outbox.sqlite").mkdir()
    (tmp_path / "bad.auscult").write_bytes(b"PK\x03\x04 nonsense")
    (tmp_path / "bad.wav").write_bytes(b"RIFF nonsense")
    code, findings = examined(capsys, write_config(tmp_path, broker.port, tmp_path / "bad.auscult", tmp_path / "bad.wav"))
    assert code == 1
    failed = {check for check, finding in findings.items() if finding["verdict"] == "FAIL"}
    assert failed == {"source pump1", "bundle bad.auscult", "broker", "outbox"}
    assert findings["processor"]["verdict"] == "WARN"
    assert not any("internal error" in finding["found"] for finding in findings.values())


def test_doctor_takes_no_bundle_that_the_daemon_would_not(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = Ed25519PrivateKey.generate().public_key()
    (tmp_path / "trusted.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    config = write_config(tmp_path, broker.port, machine.bundle, machine.recordings[0])
    with config.open("a") as file:
        file.write("bundles: {trusted_keys: [trusted.pem], require_signature: true}\n")
    code, findings = examined(capsys, config)
    assert code == 1
    assert "not signed" in findings[f"bundle {machine.bundle.name}"]["found"]


def test_doctor_of_a_bundle_that_the_source_is_too_narrow_for(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "narrow.wav", 0.1 * np.sin(np.arange(RATE_HZ) / 3.0), RATE_HZ // 4)
    code, findings = examined(capsys, write_config(tmp_path, broker.port, machine.bundle, tmp_path / "narrow.wav"))
    assert code == 1
    assert "carries only" in findings[f"bundle {machine.bundle.name}"]["found"]


@pytest.mark.parametrize("text", [None, "", "node: [", "node: n\nmqtt: {hots: h}\nsources: {}\n", "\x00"])
def test_doctor_of_a_bad_config_names_it_and_exits_1(text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    code, findings = examined(capsys, path)
    assert code == 1
    assert findings["config"]["verdict"] == "FAIL"
    assert str(path) in findings["config"]["found"]
    assert "broker" not in findings


def test_doctor_without_a_package_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    code, findings = examined(capsys, tmp_path / "config.yaml")
    assert code == 1
    assert "faiss-cpu" in findings["software"]["found"]
    assert list(findings) == CHECKS[:3]


def test_doctor_of_a_source_that_learns_by_itself_says_what_listens(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headroom, "cost_per_second", lambda *_: 0.02)
    config = write_config(tmp_path, broker.port, machine.bundle, machine.recordings[0])
    config.write_text(config.read_text().replace(f"bundle: {machine.bundle}", "learn: {days: 7}"))
    code, findings = examined(capsys, config)
    assert (code, findings["bundle pump1"]["verdict"], findings["processor"]["verdict"]) == (0, "OK", "WARN")
    assert "alarms begin after about 30 min of sound" in findings["bundle pump1"]["found"]
    starter = starter_path(store_folder(load_config(config).state_folder, "pump1"))
    starter.parent.mkdir(parents=True)
    shutil.copy(machine.bundle, starter)
    code, findings = examined(capsys, config)
    assert findings["bundle pump1"]["found"].startswith("none yet")
    assert (code, findings["processor"]["verdict"]) == (0, "OK")
    versions = Versions(starter.parent)
    versions.folder.mkdir()
    shutil.copy(machine.bundle, versions.candidate)
    versions.take(machine.model.bundle.sha256, 5400.0, 336.0, machine.model.bundle.sha256)
    _, findings = examined(capsys, config)
    assert "version 1, of 1.5 h of learned sound; verified" in findings["bundle pump1"]["found"]
    starter.write_text("no bundle")
    code, findings = examined(capsys, config)
    assert (code, findings["bundle pump1"]["verdict"]) == (1, "FAIL")
