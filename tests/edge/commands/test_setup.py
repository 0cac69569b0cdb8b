"""`auscult setup` at a real terminal, and as scripts call it. What it writes is run by the real daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from edge.commands import setup
from edge.config.load import load_config
from edge.console.cli import run_command
from edge.errors import DeviceError
from edge.setup import writing
from edge.sources.portaudio import list_inputs
from tests.broker import HOST, PASSWORD, USERNAME, Broker, MakeBroker
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.certificates import Authority
from tests.person import Person
from tests.pulse import MICROPHONE, SINK_RATE_HZ, SPARE_MICROPHONE, PulseServer

PROJECT = Path(__file__).parents[3]
COMMAND = (sys.executable, str(PROJECT / "auscult.py"), "setup")


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "pump.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, RATE_HZ), RATE_HZ)
    return path


@pytest.fixture
def people() -> Iterator[list[Person]]:
    """Whoever sits down at a terminal in a test."""
    sitting: list[Person] = []
    yield sitting
    for person in sitting:
        person.hang_up()


def sit_down(people: list[Person], *arguments: str | Path) -> Person:
    people.append(Person([*COMMAND, *map(str, arguments)]))
    return people[-1]


def run_setup(*arguments: str | Path) -> int:
    return run_command("edge.commands.setup", "auscult setup", list(map(str, arguments)))


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_setup_at_a_terminal_hears_the_microphone_and_its_configuration_runs(
    pulse: PulseServer, make_broker: MakeBroker, machine: CalibratedMachine, people: list[Person], tmp_path: Path
) -> None:
    broker = make_broker(password=True)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (60 * SINK_RATE_HZ, 2)).astype(np.float32)
    pulse.play(noise)
    keep = tmp_path / "keep"
    person = sit_down(people, "--config", tmp_path / "config.yaml")
    shown = person.answer("address of a stream [1]:", "auscult")
    assert f"{MICROPHONE} (ALSA)" in shown
    assert f"{SPARE_MICROPHONE} (ALSA)" in shown
    person.answer(".] -2", "")  # -24.8 dBFS, less what the sound server's resampler takes
    person.answer("Take this one? [Y/n]", "")
    person.answer("[localhost]:", f"{HOST}:{broker.port}")
    person.answer("User name at the broker, or nothing:", USERNAME)
    person.answer("Its password (not shown):", "wrong")
    person.answer("Does it speak TLS? [y/N]", "")
    assert "FAIL  broker" in person.answer("Take it all the same? [y/N]", "n")
    person.answer("[localhost]:", f"{HOST}:{broker.port}")
    person.answer("User name at the broker, or nothing:", USERNAME)
    person.answer("Its password (not shown):", PASSWORD)
    person.answer("Does it speak TLS? [y/N]", "n")
    assert "OK    broker" in person.answer("3/5  Name of this node [", "work shop")
    assert "It needs a name of letters" in person.answer("3/5  Name of this node [", "workshop")
    person.answer("4/5  Name of the machine that it listens to [machine1]:", "pump1")
    person.answer("Let it learn the machine by itself, for 7 days?", "n")
    person.answer("5/5  Where to keep", str(keep))
    assert person.leave() == 0, person.screen
    assert PASSWORD not in person.screen
    assert f"{keep}/pump1.auscult is still to be made" in person.screen
    assert f"auscult calibrate record --config {tmp_path}/config.yaml --source pump1" in person.screen
    for path, content in (("config.yaml", None), ("mqtt-password", f"{PASSWORD}\n")):
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o600
        assert content is None or (tmp_path / path).read_text() == content
    assert PASSWORD not in (tmp_path / "config.yaml").read_text()
    assert keep.stat().st_mode & 0o777 == 0o700
    (keep / "pump1.auscult").write_bytes(machine.bundle.read_bytes())
    command = [sys.executable, str(PROJECT / "auscult.py"), "run", "--config", str(tmp_path / "config.yaml")]
    with broker.subscriber() as subscriber:
        daemon = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            subscriber.wait_for(lambda s: s.texts("auscult/workshop/pump1/availability")[-1:] == ["online"])
        finally:
            daemon.send_signal(signal.SIGTERM)
            assert daemon.communicate(timeout=30)[1].endswith("stopped\n")
    assert (keep / "outbox.sqlite").exists()


def test_setup_at_a_terminal_that_is_left_writes_nothing(people: list[Person], tmp_path: Path) -> None:
    for leave, code, told in (("\x03", 130, "Nothing was written."), ("\x04", 2, "standard input has ended; nothing was written")):
        person = sit_down(people, "--config", tmp_path / "config.yaml", "--files", tmp_path, "--keep", tmp_path / "keep")
        person.read_until("[localhost]:")
        person.type(leave, end="")
        assert person.leave() == code
        assert told in person.screen
        assert "Traceback" not in person.screen
        assert list(tmp_path.iterdir()) == []


def test_setup_password_prompt_that_is_interrupted_shows_what_is_typed_again(people: list[Person], broker: Broker, tmp_path: Path) -> None:
    import termios

    person = sit_down(people, "--config", tmp_path / "config.yaml", "--files", tmp_path)
    person.answer("[localhost]:", f"{HOST}:{broker.port}")
    person.answer("User name at the broker, or nothing:", "somebody")
    person.read_until("(not shown):")
    person.type("\x03", end="")
    assert person.leave() == 130
    assert termios.tcgetattr(person._controller)[3] & termios.ECHO


def test_setup_without_a_microphone_offers_a_file(
    people: list[Person], broker: Broker, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/none")
    with suppress(DeviceError):
        if list_inputs():
            pytest.skip("this computer has a microphone")
    person = sit_down(people, "--config", tmp_path / "config.yaml", "--broker", f"{HOST}:{broker.port}", "--node", "n", "--source", "s")
    assert "no microphone" in person.answer("A file or folder, or the address of a stream:", "/nowhere").lower()
    person.answer("A file or folder, or the address of a stream:", "gopher://x/")
    assert "begins with http://" in person.answer("A file or folder, or the address of a stream:", str(sound))
    person.answer("Let it learn the machine by itself, for 7 days?", "")
    person.answer("5/5", "")
    assert person.leave() == 0, person.screen
    files = load_config(tmp_path / "config.yaml").sources["s"].files
    assert files is not None
    assert (files.paths, files.realtime, files.loop) == ((sound,), True, True)


def test_setup_stream_with_a_login_keeps_it_in_a_file_of_its_own(people: list[Person], broker: Broker, tmp_path: Path) -> None:
    person = sit_down(people, "--config", tmp_path / "config.yaml", "--broker", f"{HOST}:{broker.port}", "--node", "n", "--source", "cam")
    person.answer("address of a stream", "rtsp://127.0.0.1:1/x")
    person.answer("Let it learn the machine by itself, for 7 days?", "y")
    person.answer("5/5", "")
    person.answer("User name at the stream, or nothing:", "watcher")
    person.answer("Its password (not shown):", "s3cret")
    assert person.leave() == 1
    assert "FAIL  source cam" in person.screen
    assert "s3cret" not in person.screen + (tmp_path / "config.yaml").read_text()
    url = load_config(tmp_path / "config.yaml").sources["cam"].url
    assert url is not None
    assert url.credentials_file == tmp_path / "cam-login"
    assert (tmp_path / "cam-login").read_text() == "watcher:s3cret\n"
    assert (tmp_path / "cam-login").stat().st_mode & 0o777 == 0o600


def test_setup_password_to_another_host_wants_tls_or_a_clear_yes(people: list[Person], sound: Path, tmp_path: Path) -> None:
    person = sit_down(
        people, "--config", tmp_path / "config.yaml", "--files", sound, "--node", "n", "--source", "s", "--keep", tmp_path, "--learn"
    )
    for wants_plain_text in ("n", "y"):
        person.answer("[localhost]:", "192.0.2.1:1")
        person.answer("User name at the broker, or nothing:", "somebody")
        person.answer("Its password (not shown):", "s3cret")
        person.answer("Does it speak TLS? [Y/n]", "n")
        person.answer("Send it all the same? [y/N]", wants_plain_text)
        assert "FAIL  broker" in person.answer("Take it all the same? [y/N]", "y" if wants_plain_text == "y" else "n")
    person.leave()
    mqtt = load_config(tmp_path / "config.yaml").mqtt
    assert (mqtt.allow_plaintext, mqtt.uses_tls, mqtt.port) == (True, False, 1)


def test_setup_with_options_asks_nothing(broker: Broker, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, keep = tmp_path / "c.yaml", tmp_path / "deep" / "keep"
    options = ("--config", config, "--files", sound, "--broker", f"mqtt://{HOST}:{broker.port}", "--node", "n1", "--keep", keep)
    assert run_setup("--yes", *options) == 0
    assert yaml.safe_load(config.read_text()) == {
        "node": "n1",
        "mqtt": {"host": HOST, "port": broker.port},
        "sources": {"machine1": {"learn": {"days": 7}, "files": {"paths": [str(sound)], "realtime": True, "loop": True}}},
        "outbox": {"path": f"{keep}/outbox.sqlite"},
    }
    told = capsys.readouterr()
    assert "OK    broker" in told.out
    assert "FAIL" not in told.out
    assert "bundle machine1     none yet: it learns by itself, and alarms begin after about 30 min of sound" in told.out
    assert "It listens for 30 minutes, then watches" in told.err
    assert run_setup("--yes", "--force", "--no-learn", *options) == 0
    assert yaml.safe_load(config.read_text())["sources"]["machine1"]["bundle"] == f"{keep}/machine1.auscult"
    told = capsys.readouterr()
    assert "calibrate record" not in told.err  # nothing is to be recorded
    assert f"auscult calibrate --recordings {sound} --output {keep}/machine1.auscult" in told.err


def test_setup_broker_with_tls_on_an_ipv6_address_and_a_login_by_options(
    make_broker: MakeBroker, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = Authority(tmp_path)
    broker = make_broker(password=True, authority=authority)
    (tmp_path / "password").write_text(PASSWORD)
    options = ("--files", sound, "--username", USERNAME, "--password-file", tmp_path / "password", "--ca-file", authority.ca_file)
    assert run_setup("--yes", "--config", tmp_path / "a.yaml", *options, "--broker", f"{HOST}:{broker.port}") == 0
    assert "over TLS, its certificate verified" in capsys.readouterr().out
    assert run_setup("--yes", "--config", tmp_path / "b.yaml", *options, "--broker", "[::1]:1") == 1  # nobody is there
    mqtt = load_config(tmp_path / "b.yaml").mqtt
    assert (mqtt.host, mqtt.port, mqtt.uses_tls, mqtt.password()) == ("::1", 1, True, PASSWORD)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "--device (or --files, or --url) is missing, and nobody is there to ask"),
        (("--device", "USB"), "--broker is missing, and nobody is there to ask"),
        (("--device", "USB", "--url", "http://x/", "--broker", "h"), "one source has one input: --device or --url"),
        (("--device", "USB", "--broker", "h/x"), "broker: expected a name or an address"),
        (("--device", "USB", "--broker", "h:99999"), "broker: expected a name or an address"),
        (("--device", "USB", "--broker", "[nonsense]:1"), "broker: expected a name or an address"),
        (("--device", "USB", "--broker", "h", "--node", "a b"), "--node: needs a name of letters"),
        (("--device", "USB", "--broker", "h", "--source", "cmd"), "setup: config.yaml:"),
        (("--device", "1", "--broker", "h"), "not a name; numbers change"),
        (("--url", "rtsp://u:MARKER@c/", "--broker", "h"), "must not stand in this file"),
        (("--files", "/nowhere.wav", "--broker", "h"), "no such file or folder: /nowhere.wav"),
        (("--device", "USB", "--broker", "h", "--username", "u", "--password-file", "p"), "would travel to h in plain text"),
        (("--device", "USB", "--broker", "h", "--password-file", "p"), "a password needs a username"),
    ],
)
def test_setup_that_cannot_be_is_one_line_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_setup("--yes", "--keep", tmp_path, *options) == 2
    told = capsys.readouterr().err
    assert problem in told
    assert told.count("\n") == 1
    assert "MARKER" not in told
    assert list(tmp_path.iterdir()) == []


def test_setup_in_a_pipe_asks_nothing(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "--config", tmp_path / "c.yaml"], input="1\n", capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--device (or --files, or --url) is missing" in done.stderr


def test_setup_replaces_a_configuration_only_when_told_and_keeps_the_old_one(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("node: old\n")
    config.chmod(0o640)
    options = ("--yes", "--config", config, "--files", sound, "--broker", f"{HOST}:1", "--keep", tmp_path)
    assert run_setup(*options) == 2
    assert last_line(capsys).startswith(f"auscult: {config}: already exists; --force replaces it and keeps the old one as .bak")
    assert config.read_text() == "node: old\n"
    assert run_setup(*options, "--force") == 1  # no broker
    backup = tmp_path / "config.yaml.bak"
    assert backup.read_text() == "node: old\n"
    assert backup.stat().st_mode & 0o777 == 0o640
    assert load_config(config).mqtt.port == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "config.yaml.bak", "pump.wav"]


def test_setup_replaces_the_example_that_is_installed_without_being_told(sound: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_bytes((PROJECT / "config.yaml").read_bytes())
    assert run_setup("--yes", "--config", config, "--files", sound, "--broker", f"{HOST}:1", "--keep", tmp_path) == 1
    assert load_config(config).mqtt.host == HOST
    assert (tmp_path / "config.yaml.bak").read_bytes() == (PROJECT / "config.yaml").read_bytes()


def test_setup_that_cannot_write_says_so_before_it_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_setup("--config", tmp_path) == 2
    assert "is a folder" in last_line(capsys)
    assert run_setup("--config", tmp_path / "none" / "config.yaml") == 2
    assert "is no folder that you may write to" in last_line(capsys)


def test_setup_that_fails_half_way_leaves_what_was_there(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("node: old\n")

    def fail(path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(writing, "_back_up", fail)
    assert run_setup("--yes", "--force", "--config", config, "--files", sound, "--broker", "h", "--keep", tmp_path) == 2
    assert last_line(capsys) == f"auscult: {config}: cannot be written: No space left on device"
    assert config.read_text() == "node: old\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "pump.wav"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sets a service up")
def test_setup_as_root_for_the_service_gives_its_group_the_secrets_and_its_user_the_folder(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(writing, "is_installed", lambda: True)
    monkeypatch.setattr(writing, "USER", "nobody")
    findings = {"ok": True, "checks": [{"check": "broker", "verdict": "OK", "found": "as nobody", "remedy": ""}]}
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "runuser"
    program.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\necho '{json.dumps(findings)}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    config, keep = tmp_path / "config.yaml", tmp_path / "keep"
    assert run_setup("--yes", "--config", config, "--files", sound, "--broker", "h", "--keep", keep, "--no-learn") == 0
    told = capsys.readouterr()
    assert told.out == "OK    broker              as nobody\n"
    assert "sudo -u auscult auscult calibrate --recordings" in told.err
    assert "sudo systemctl restart auscult" in told.err
    assert (tmp_path / "asked").read_text().startswith("-u nobody -- ")
    user = writing.service_user()
    assert user is not None
    assert (config.stat().st_uid, config.stat().st_gid, config.stat().st_mode & 0o777) == (0, user.pw_gid, 0o640)
    assert (keep.stat().st_uid, keep.stat().st_mode & 0o777) == (user.pw_uid, 0o700)


def test_setup_place_of_an_installed_service_is_its_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "auscult.service").write_text("[Service]\nStateDirectory=auscult\n")
    monkeypatch.setattr(setup, "UNIT_FOLDERS", (tmp_path,))
    monkeypatch.setattr(setup, "is_installed", lambda: True)
    assert setup._service_state() == Path("/var/lib/auscult")
