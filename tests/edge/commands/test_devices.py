from __future__ import annotations

import json

import pytest

from edge.console.cli import run_command
from edge.sources.inputs import choose_input
from edge.sources.portaudio import list_inputs
from tests.pulse import MICROPHONE, SPARE_MICROPHONE, PulseServer


def devices(*arguments: str) -> int:
    return run_command("edge.commands.devices", "auscult devices", arguments)


def test_devices_json_says_what_to_write_for_each(pulse: PulseServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert devices("--format", "json") == 0
    listed = {device["name"]: device for device in json.loads(capsys.readouterr().out)["devices"]}
    assert {MICROPHONE, SPARE_MICROPHONE} <= listed.keys()
    assert listed[MICROPHONE]["host_api"] == "ALSA"
    assert listed[MICROPHONE]["default_rate_hz"] > 0
    assert listed[MICROPHONE]["channels"] >= 1
    for device in listed.values():
        assert choose_input(list_inputs(), **{"host_api": None, "wanted": device["config"]["device"]}).name == device["name"]


def test_devices_text_is_a_table(pulse: PulseServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert devices() == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split()[:2] == ["name", "host"]
    assert any(row.startswith(MICROPHONE) and row.endswith(f'device: "{MICROPHONE}"') for row in rows)


def test_devices_without_any_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("edge.commands.devices.list_inputs", list)
    assert devices() == 0
    assert "No input devices" in capsys.readouterr().out
