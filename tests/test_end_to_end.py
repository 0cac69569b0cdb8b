"""Normal recordings in, alerts out: `auscult calibrate` and `auscult run` as a user calls them, with a real broker between."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import soundfile
import yaml

from edge.commands.schema import schema_document
from edge.model import Model
from edge.mqtt.encoding import probability, rounded
from edge.scoring import score_file
from export.synthesis import MachineDesign, RotatingMachine, inject, tone_fault
from tests.broker import HOST, USERNAME, Broker, MakeBroker

PROJECT = Path(__file__).parents[1]
RATE_HZ = 32000
TONE_S = (20.0, 25.0)
TONE_HZ = 3150.0


def auscult(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, PROJECT / "auscult.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pump1.auscult`, calibrated on two minutes of a machine, and `stream.wav`, in which a tone sounds."""
    folder = tmp_path_factory.mktemp("site")
    machine = RotatingMachine(1, RATE_HZ, MachineDesign(load_hold_s=15.0))
    (folder / "normal").mkdir()
    for number in range(8):
        soundfile.write(folder / "normal" / f"{number}.wav", machine.render(15.0), RATE_HZ)
    fault = tone_fault(RATE_HZ, 1, TONE_S[1] - TONE_S[0], TONE_HZ).heard_through(machine.colour)
    soundfile.write(folder / "stream.wav", inject(machine.render(45.0), fault, TONE_S[0]), RATE_HZ)
    done = auscult("calibrate", "--recordings", folder / "normal", "--output", folder / "pump1.auscult", "--coreset", "100")
    assert done.returncode == 0, done.stderr
    return folder


def write_config(folder: Path, site: Path, broker: Broker, **mqtt: object) -> Path:
    config = {
        "node": "test",
        "mqtt": {"host": HOST, "port": broker.port, **mqtt},
        "sources": {"pump1": {"bundle": str(site / "pump1.auscult"), "files": {"paths": [str(site / "stream.wav")]}}},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_run_file_with_a_tone_scores_as_score_does_and_alerts_once(broker: Broker, site: Path, tmp_path: Path) -> None:
    with broker.subscriber() as subscriber:
        done = auscult("run", "--config", write_config(tmp_path, site, broker))
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""

    windows = score_file(Model.load(site / "pump1.auscult"), site / "stream.wav").windows
    scores = [json.loads(text) for text in subscriber.texts("/score")]
    assert [(score["score"], score["p_value"]) for score in scores] == [
        (rounded(window.score, 4), probability(window.p_value)) for window in windows
    ]

    events = [json.loads(text) for text in subscriber.texts("/event")]
    assert [event["type"] for event in events if event["type"] != "updated"] == ["opened", "closed"]
    first = events[0]["seq"]
    assert [event["seq"] for event in events] == list(range(first, first + len(events)))
    assert any(region["f_lo_hz"] <= TONE_HZ <= region["f_hi_hz"] for region in events[-1]["regions"])
    assert subscriber.texts("/state") == ["OFF", "ON", "OFF"]

    schemas = schema_document()["topics"]
    for name, messages in {"event": events, "score": scores}.items():
        for message in messages:
            jsonschema.validate(message, schemas[f"auscult/<node>/<source>/{name}"]["payload"])


def test_run_login_refused_is_one_line_and_exit_2(make_broker: MakeBroker, site: Path, tmp_path: Path) -> None:
    broker = make_broker(password=True)
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    done = auscult("run", "--config", write_config(tmp_path, site, broker, username=USERNAME, password_file=str(secret)))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"auscult: mqtt://{HOST}:{broker.port}: the broker refused us")


def test_run_password_file_missing_is_one_line_and_exit_2(broker: Broker, site: Path, tmp_path: Path) -> None:
    done = auscult("run", "--config", write_config(tmp_path, site, broker, username=USERNAME, password_file="missing"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "missing" in done.stderr
