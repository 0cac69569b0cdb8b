"""config.yaml: what is understood, and the message for each mistake."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config.load import load_config
from edge.config.schema import Config
from edge.errors import ConfigError
from edge.sources.stream_address import Login

PLAIN = """\
node: workshop
mqtt:
  host: localhost
sources:
  pump1:
    bundle: pump1.auscult
    microphone:
      device: USB
"""


def _load(folder: Path, text: str) -> Config:
    path = folder / "config.yaml"
    path.write_text(text)
    return load_config(path)


def _problem(folder: Path, text: str) -> str:
    """The error's line without the folder."""
    with pytest.raises(ConfigError) as caught:
        _load(folder, text)
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in message
    assert message.startswith(f"{folder}/config.yaml")
    return message.removeprefix(f"{folder}/")


def _with_mqtt(lines: str) -> str:
    return PLAIN.replace("  host: localhost\n", f"  host: localhost\n{lines}")


def _with_source(lines: str) -> str:
    return PLAIN.replace("    microphone:\n      device: USB\n", lines)


def test_load_least_config_fills_in_defaults(tmp_path: Path) -> None:
    config = _load(tmp_path, PLAIN)
    assert (config.mqtt.port, config.mqtt.protocol, config.mqtt.client_id) == (1883, "5", "auscult-workshop")
    assert config.password() is None
    assert config.sources["pump1"].microphone is not None
    assert config.sources["pump1"].microphone.channel == 0
    assert config.inference.providers == ("cpu",)
    assert (config.events.minimum_duration_s, config.health.interval_s, config.log.level) == (0.5, 60.0, "info")


def test_load_relative_paths_start_at_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/users/somebody")
    text = PLAIN + "  fan: {bundle: /absolute/fan.auscult, stdin: {rate_hz: 16000}}\n"
    text += "  motor: {bundle: ~/motor.auscult, microphone: {device: Yeti}}\n"
    sources = _load(tmp_path, text).sources
    assert sources["pump1"].bundle == tmp_path / "pump1.auscult"
    assert sources["fan"].bundle == Path("/absolute/fan.auscult")
    assert sources["motor"].bundle == Path("/users/somebody/motor.auscult")


def test_load_tls_moves_the_default_port(tmp_path: Path) -> None:
    assert _load(tmp_path, _with_mqtt("  tls: {}\n")).mqtt.port == 8883
    assert _load(tmp_path, _with_mqtt("  tls: {enabled: false}\n")).mqtt.port == 1883
    assert _load(tmp_path, _with_mqtt("  tls: {}\n  port: 18830\n")).mqtt.port == 18830


@pytest.mark.parametrize(("written", "meant"), [("5", "5"), ('"5"', "5"), ("3.1.1", "3.1.1"), ('"3.1.1"', "3.1.1")])
def test_load_protocol_needs_no_quotes(tmp_path: Path, written: str, meant: str) -> None:
    assert _load(tmp_path, _with_mqtt(f"  protocol: {written}\n")).mqtt.protocol == meant


def test_load_section_with_every_line_commented_out_is_default(tmp_path: Path) -> None:
    assert _load(tmp_path, PLAIN + "events:\n  # cooldown_s: 5\nlog:\n").events.cooldown_s == 5.0


def test_config_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        _load(tmp_path, PLAIN).node = "other"  # type: ignore[misc]


MISTAKES = [  # (config, line, what is said of it)
    (PLAIN.replace("device", "devise"), 8, "sources.pump1.microphone.devise: unknown key; did you mean 'device'?"),
    (PLAIN.replace("microphone", "microphon"), 7, "sources.pump1.microphon: unknown key; did you mean 'microphone'?"),
    (
        PLAIN + "frigate: 1\n",
        9,
        "frigate: unknown key; known here: node, mqtt, sources, inference, bundles, events, outbox, commands, clips, homeassistant, "
        "drift, health, metrics, dashboard, log",
    ),
    (
        PLAIN + "commands: {enabled: true, allow: [snooze, snoze]}\n",
        9,
        "commands.allow[1]: expected accept, info, mark, recalibrate-threshold, reload, rollback, snapshot, snooze or watch, "
        "found text: snoze; did you mean snooze?",
    ),
    (
        PLAIN + "commands: {allow: []}\n",
        9,
        "commands.allow: expected a list of snooze, mark, reload, recalibrate-threshold, snapshot, watch, rollback, accept, info, "
        "found an empty list",
    ),
    (PLAIN + "commands: {allow: [info, mark, info]}\n", 9, "commands.allow: names a command twice; keep each once"),
    (PLAIN + "commands: {enabled: 1}\n", 9, "commands.enabled: expected true or false, found a number: 1"),
    (PLAIN + "clips: {before_s: 30}\n", 9, "clips.before_s: expected seconds, from 0 to 20, found a number: 30"),
    (PLAIN + "clips: {keep: 3}\n", 9, "clips.keep: unknown key; did you mean 'keep_days'?"),
    (
        PLAIN + "bundles: {require_signature: true}\n",
        9,
        "bundles.require_signature: no signature can be checked without a key; add `trusted_keys:` with the public key's file",
    ),
    (PLAIN + "log: {level: !!bool x}\n", 9, "'x' is not a value; put it in quotes if it is text"),
    (PLAIN + "log: {level: !!int ''}\n", 9, "'' is not a value; put it in quotes if it is text"),
    (PLAIN + 'log: {level: "\\ud800"}\n', 9, "an escaped character that does not exist (\\ud800 to \\udfff); write it out"),
    (PLAIN + 'log: {level: "\\UFFFFFFFF"}\n', 9, "not valid YAML: an escaped character that does not exist; write it out"),
    (PLAIN + "node: other\n", 9, "node: written twice (first on line 1); keep one of them"),
    (_with_mqtt("  port: 01883\n"), 4, "mqtt.port: expected a port from 1 to 65535, found text: 01883; without leading zeros"),
    (
        _with_mqtt("  keepalive_s: 060\n"),
        4,
        "mqtt.keepalive_s: expected whole seconds from 5 to 3600, found text: 060; without leading zeros",
    ),
    (
        _with_mqtt("  keepalive_s: 1:00\n"),
        4,
        "mqtt.keepalive_s: expected whole seconds from 5 to 3600, found text: 1:00; without quotes or unit",
    ),
    (_with_mqtt('  port: "18"\n'), 4, "mqtt.port: expected a port from 1 to 65535, found text: 18; without quotes or unit"),
    (_with_mqtt("  port: 0\n"), 4, "mqtt.port: expected a port from 1 to 65535, found a number: 0"),
    (_with_mqtt("  port: 18.5\n"), 4, "mqtt.port: expected a port from 1 to 65535, found a number: 18.5"),
    (_with_mqtt("  username: 12\n"), 4, "mqtt.username: expected text, found a number: 12; put it in quotes"),
    (_with_mqtt("  protocol: 4\n"), 4, "mqtt.protocol: expected 3.1.1 or 5, found a number: 4"),
    (
        _with_mqtt("  tls: yes\n"),
        4,
        "mqtt.tls: expected a section with the keys enabled, ca_file, cert_file, key_file, found true/false: yes",
    ),
    (
        PLAIN.replace("USB", "2"),
        8,
        "sources.pump1.microphone.device: expected text, found a number: 2; "
        "a microphone is chosen by a part of its name, which `auscult devices` lists",
    ),
    (PLAIN.replace("USB", '""'), 8, "sources.pump1.microphone.device: expected text, found empty text"),
    (
        PLAIN.replace("    bundle: pump1.auscult\n", ""),
        5,
        "sources.pump1: the key 'bundle' is missing; add `bundle:` with the file that `auscult calibrate` wrote, or `learn: {days: 7}` "
        "for a source that learns by itself",
    ),
    (
        PLAIN.replace("node: workshop\n", ""),
        1,
        "the key 'node' is missing; add `node:` with a name of letters, digits, _ and - (it becomes part of an MQTT topic)",
    ),
    (
        PLAIN + "events: {cooldown_s: 5s}\n",
        9,
        "events.cooldown_s: expected seconds, from 0 to 86400, found text: 5s; without quotes or unit",
    ),
    (PLAIN + "events: {cooldown_s: -1}\n", 9, "events.cooldown_s: expected seconds, from 0 to 86400, found a number: -1"),
    (PLAIN + "events: {release_score: .nan}\n", 9, "events.release_score: .nan is not a finite number"),
    (
        PLAIN + "log: {level: inof}\n",
        9,
        "log.level: expected debug, error, info or warning, found text: inof; did you mean info?",
    ),
    (
        PLAIN + "inference: {providers: cpu}\n",
        9,
        "inference.providers: expected a list of cpu, cuda and tensorrt, found text: cpu; write it in brackets: [...]",
    ),
    (
        PLAIN + "inference:\n  providers:\n    - cpu\n    - gpu\n",
        12,
        "inference.providers[1]: expected cpu, cuda or tensorrt, found text: gpu; did you mean cpu?",
    ),
    (
        PLAIN + "inference: {providers: []}\n",
        9,
        "inference.providers: expected a list of cpu, cuda and tensorrt, found an empty list",
    ),
    (
        PLAIN + "inference: {providers: [cpu, cpu]}\n",
        9,
        "inference.providers: names a provider twice; keep each once, the preferred one first",
    ),
    ("", 1, "expected keys such as `node:`, `mqtt:` and `sources:`, found an empty file"),
    ("- node\n", 1, "expected keys such as `node:`, `mqtt:` and `sources:`, found a list"),
]


@pytest.mark.parametrize(("text", "line", "said"), MISTAKES)
def test_load_mistake_is_reported_with_line_key_and_remedy(tmp_path: Path, text: str, line: int, said: str) -> None:
    assert _problem(tmp_path, text) == f"config.yaml:{line}: {said}"


@pytest.mark.parametrize("node", ["on", "Off", "yes", "no", "true", "12", "1.5", "~", "a b", "pump/1", "läufer", "''", "[a]"])
def test_load_node_that_is_no_name_is_refused(tmp_path: Path, node: str) -> None:
    problem = _problem(tmp_path, PLAIN.replace("workshop", node))
    assert problem.startswith("config.yaml:1: node: expected a name of letters, digits, _ and -")


def test_load_node_with_a_newline_is_refused(tmp_path: Path) -> None:
    assert "expected a name" in _problem(tmp_path, PLAIN.replace("workshop", '"workshop\\n"'))


@pytest.mark.parametrize("name", ['"pump/1"', "pump 1", "'#'", "pümp"])
def test_load_source_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    assert "a source needs a name of letters" in _problem(tmp_path, PLAIN.replace("pump1:", f"{name}:"))


def test_load_without_sources_is_refused(tmp_path: Path) -> None:
    text = PLAIN[: PLAIN.index("sources:")]
    assert "sources: expected a mapping with at least one source, found an empty section" in _problem(tmp_path, text + "sources: {}\n")
    assert "found nothing" in _problem(tmp_path, text + "sources:\n")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("", "found none of them"),
        ("    microphone:\n", "found none of them"),
        ("    microphone: {device: a}\n    stdin: {rate_hz: 16000}\n", "found microphone and stdin"),
    ],
)
def test_load_source_needs_exactly_one_input(tmp_path: Path, lines: str, found: str) -> None:
    problem = _problem(tmp_path, _with_source(lines))
    assert problem == f"config.yaml:5: sources.pump1: expected exactly one of microphone, files, stdin and url, {found}"


@pytest.mark.parametrize("index", ['"1"', '"hw:1,0"'])
def test_load_microphone_chosen_by_a_number_is_refused(tmp_path: Path, index: str) -> None:
    problem = _problem(tmp_path, PLAIN.replace("USB", index))
    assert problem.startswith("config.yaml:8: sources.pump1.microphone.device: not a name; numbers change when a device is plugged in")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("address: file:///etc/passwd", "url.address: expected an address that begins with http://, https://, rtsp://, "),
        ("address: /srv/a.wav", "for files use `files:`"),
        ("address: 'concat:a|b'", "url.address: expected an address that begins with http://"),
        ("address: rtsps://camera/x", "url.address: expected an address that begins with http://"),
        ("address: rtsp:///x", "url.address: names no host"),
        ("address: 'rtsp://cam era/x'", "url.address: an address has no blanks"),
        ("address: rtsp://camera:port/x", "url.address: not an address (Port could not be cast"),
        ("address: 'http://[::1/x'", "url.address: not an address (Invalid IPv6 URL)"),
        ("address: rtsp://user:MARKER@camera/x", "url.address: user and password must not stand in this file"),
        ("address: [rtsp://camera/MARKER]", "url.address: expected text, found a list"),
        ("address: rtsp://camera/x\n      ca_file: ca.pem", "url.ca_file: only https:// has a certificate that is checked"),
        ("address: https://camera/x\n      ca_file: ca.pem", "url.ca_file: no such file"),
        ("address: http://camera/x\n      channel: 1", "url.channel: has 1 channel, so there is no channel 1"),
        ("address: http://camera/x\n      credentials_file: 'credential:..'", "url.credentials_file: expected the name of a credential"),
        ("address: http://camera/x\n      password: MARKER", "url.password: a password must not stand in this file"),
    ],
)
def test_load_stream_that_cannot_be_is_refused_in_one_line(tmp_path: Path, lines: str, problem: str) -> None:
    found = _problem(tmp_path, _with_source(f"    url:\n      {lines}\n"))
    assert problem in found
    assert found.startswith("config.yaml:")
    assert "MARKER" not in found


def test_load_stream_and_its_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    text = _with_source("    url:\n      address: rtsp://[fe80::1]:554/a?b=c\n      credentials_file: credential:camera\n")
    (tmp_path / "config.yaml").write_text(text)
    url = load_config(tmp_path / "config.yaml").sources["pump1"].url
    assert url is not None
    assert (url.rate_hz, url.channels, url.channel) == (32000, 1, 0)
    with pytest.raises(ConfigError, match=r"camera: cannot read the stream's login \(url\.credentials_file\): No such file"):
        url.login()
    for written in ("", "\n", "watcher", ":secret"):
        (tmp_path / "camera").write_text(written)
        with pytest.raises(ConfigError, match=r"url\.credentials_file"):
            url.login()
    (tmp_path / "camera").write_text("watcher:se:cret\n")
    assert url.login() == Login("watcher", "se:cret")


def test_load_two_readers_of_stdin_are_refused(tmp_path: Path) -> None:
    text = _with_source("    stdin: {rate_hz: 16000}\n") + "  fan: {bundle: b, stdin: {rate_hz: 8000}}\n"
    assert _problem(tmp_path, text) == "config.yaml:8: sources.fan.stdin: standard input is already read by the source pump1; keep one"


def test_load_channel_beyond_the_channels_is_refused(tmp_path: Path) -> None:
    problem = _problem(tmp_path, _with_source("    microphone:\n      device: USB\n      channels: 2\n      channel: 2\n"))
    assert problem.startswith("config.yaml:10: sources.pump1.microphone.channel: has 2 channels")
    assert "channel: expected" in _problem(tmp_path, _with_source("    microphone: {device: USB, channel: left}\n"))


def test_load_files_must_exist(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    text = _with_source("    files:\n      paths: [a.wav, b.wav]\n")
    problem = _problem(tmp_path, text)
    assert problem == f"config.yaml:8: sources.pump1.files.paths[1]: no such file or folder: {tmp_path / 'b.wav'}"
    (tmp_path / "b.wav").mkdir()
    files = _load(tmp_path, text).sources["pump1"].files
    assert files is not None
    assert files.paths == (tmp_path / "a.wav", tmp_path / "b.wav")


@pytest.mark.parametrize(
    ("lines", "key", "said"),
    [
        ("  tls: {cert_file: c.pem}\n", "mqtt.tls.cert_file", "add `key_file:`"),
        ("  tls: {key_file: c.pem}\n", "mqtt.tls.key_file", "add `cert_file:`"),
        ("  tls: {ca_file: ca.pem}\n", "mqtt.tls.ca_file", "no such file"),
        ("  password_env: P\n", "mqtt.password_env", "add `username:`"),
        ("  password_file: p\n", "mqtt.password_file", "add `username:`"),
        ("  username: u\n  password_file: p\n  password_env: P\n", "mqtt.password_env", "keep one of them"),
        ("  base_topic: auscult/\n", "mqtt.base_topic", "expected a topic"),
        ("  base_topic: a/+/b\n", "mqtt.base_topic", "expected a topic"),
        ("  base_topic: $SYS\n", "mqtt.base_topic", "expected a topic"),
    ],
)
def test_load_mqtt_keys_must_agree(tmp_path: Path, lines: str, key: str, said: str) -> None:
    problem = _problem(tmp_path, _with_mqtt(lines))
    assert f" {key}: " in problem
    assert said in problem


@pytest.mark.parametrize("host", ["mqtt://broker", "broker/path", "'a b'"])
def test_load_host_that_is_a_url_is_refused(tmp_path: Path, host: str) -> None:
    assert "config.yaml:3: mqtt.host: expected a host name" in _problem(tmp_path, PLAIN.replace("localhost", host))


@pytest.mark.parametrize("key", ["password", "Password", "passwd", "secret"])
def test_load_inline_password_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    problem = _problem(tmp_path, _with_mqtt(f"  username: u\n  {key}: hunter2\n"))
    assert problem.startswith(f"config.yaml:5: mqtt.{key}: a password must not stand in this file")
    assert "password_file" in problem
    assert "password_env" in problem
    assert "hunter2" not in problem


def test_load_wrong_type_of_a_password_key_is_not_repeated(tmp_path: Path) -> None:
    assert "4711" not in _problem(tmp_path, _with_mqtt("  username: u\n  password_env: 4711\n"))


def test_password_from_file_loses_its_newline_and_is_read_each_time(tmp_path: Path) -> None:
    config = _load(tmp_path, _with_mqtt("  username: u\n  password_file: secret\n"))
    (tmp_path / "secret").write_text(" s3cret \n")
    assert config.password() == " s3cret "
    (tmp_path / "secret").write_text("rotated\r\n")
    assert config.password() == "rotated"


def test_password_file_missing_or_empty_is_an_error_when_needed(tmp_path: Path) -> None:
    config = _load(tmp_path, _with_mqtt("  username: u\n  password_file: secret\n"))
    with pytest.raises(
        ConfigError, match=r"secret: cannot read the broker's password .*No such file .*; write the password into this file"
    ):
        config.password()
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(ConfigError, match="secret: is empty"):
        config.password()
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8 text; write it again"):
        config.password()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_password_file_that_may_not_be_read_names_the_command_that_opens_it(tmp_path: Path) -> None:
    config = _load(tmp_path, _with_mqtt("  username: u\n  password_file: secret\n"))
    (tmp_path / "secret").touch(0o000)
    with pytest.raises(ConfigError, match=r"Permission denied; .*sudo chgrp auscult .*secret && sudo chmod 640 .*secret"):
        config.password()


def test_password_from_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _load(tmp_path, _with_mqtt("  username: u\n  password_env: AUSCULT_TEST_PASSWORD\n"))
    monkeypatch.delenv("AUSCULT_TEST_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match="environment variable AUSCULT_TEST_PASSWORD: is not set"):
        config.password()
    monkeypatch.setenv("AUSCULT_TEST_PASSWORD", "s3cret")
    assert config.password() == "s3cret"


def test_shipped_config_is_valid() -> None:
    path = Path(__file__).parents[3] / "config.yaml"
    config = load_config(path)
    assert config.mqtt.password_file == Path("/etc/auscult/mqtt-password")
    assert config.sources["pump1"].microphone is not None


def test_shipped_config_is_valid_with_every_example_uncommented(tmp_path: Path) -> None:
    """A comment that shows a key must not show one that is refused."""
    shipped = (Path(__file__).parents[3] / "config.yaml").read_text()
    lines = [line for line in shipped.splitlines() if "password_env" not in line]
    text = "\n".join(line.replace("# ", "", 1) if line.startswith("  ") and line.lstrip().startswith("# ") else line for line in lines)
    text = text.replace("/etc/auscult", str(tmp_path)).replace("/var/lib/auscult", str(tmp_path))
    for name in ("ca.pem", "node.pem", "node.key", "trusted.pem", "recordings"):
        (tmp_path / name).touch()
    config = _load(tmp_path, text)
    assert set(config.sources) == {"pump1", "fan2", "camera", "line3"}
    assert config.mqtt.protocol == "3.1.1"
    assert config.mqtt.tls is not None
    assert config.mqtt.tls.key_file == tmp_path / "node.key"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.1.2.3", '"::1"'])
def test_load_password_to_this_device_needs_no_encryption(tmp_path: Path, host: str) -> None:
    text = _with_mqtt("  username: u\n  password_file: secret\n").replace("localhost", host)
    assert _load(tmp_path, text).mqtt.password_file == tmp_path / "secret"


@pytest.mark.parametrize("key", ["password_file", "password_env"])
@pytest.mark.parametrize("host", ["broker.lan", "192.168.1.5", "localhost.example.org", "0.0.0.0"])
def test_load_password_in_plain_text_to_another_host_is_refused(tmp_path: Path, host: str, key: str) -> None:
    text = _with_mqtt(f"  username: u\n  {key}: secret\n").replace("localhost", host, 1)
    assert _problem(tmp_path, text) == (
        f"config.yaml:5: mqtt.{key}: the password would travel to {host} in plain text; "
        "add `tls:`, or `allow_plaintext: true` on a network that you trust"
    )
    assert _problem(tmp_path, text.replace("  username", "  tls: {enabled: false}\n  username"))
    assert _load(tmp_path, text.replace("  username", "  tls: {}\n  username")).mqtt.port == 8883
    assert _load(tmp_path, text.replace("  username", "  allow_plaintext: true\n  username")).mqtt.port == 1883


def test_outbox_path_is_the_configs_or_systemds_or_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _load(tmp_path, PLAIN)
    assert (config.outbox.capacity_mb, config.outbox.keep_days, config.outbox.replays_per_s) == (50.0, 30.0, 50.0)
    monkeypatch.setenv("XDG_STATE_HOME", "/users/somebody/state")
    assert config.outbox_path == Path("/users/somebody/state/auscult/workshop/outbox.sqlite")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/users/somebody")
    assert config.outbox_path == Path("/users/somebody/.local/state/auscult/workshop/outbox.sqlite")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/auscult:/var/lib/other")
    assert config.outbox_path == Path("/var/lib/auscult/outbox.sqlite")
    assert _load(tmp_path, PLAIN + "outbox: {path: events.sqlite}\n").outbox_path == tmp_path / "events.sqlite"


def test_load_outbox_caps_must_make_sense(tmp_path: Path) -> None:
    assert "outbox.capacity_mb: expected megabytes, from 0.1 to 10000" in _problem(tmp_path, PLAIN + "outbox: {capacity_mb: 0}\n")
    assert "outbox.keep_days: expected days, from 0.01 to 3650" in _problem(tmp_path, PLAIN + "outbox: {keep_days: -1}\n")


def test_state_folder_is_systemds_or_the_users_and_holds_the_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/users/somebody/state")
    config = _load(tmp_path, PLAIN + "outbox: {path: events.sqlite}\n")
    assert config.state_folder == Path("/users/somebody/state/auscult/workshop")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/auscult:/other")
    assert config.state_folder == Path("/var/lib/auscult")
    assert config.clips_folder == Path("/var/lib/auscult/clips")
    assert _load(tmp_path, PLAIN + "clips: {folder: sounds}\n").clips_folder == tmp_path / "sounds"


def test_load_commands_and_clips_are_off_unless_asked_for(tmp_path: Path) -> None:
    config = _load(tmp_path, PLAIN + "commands:\nclips:\n")
    assert (config.commands.enabled, config.clips.enabled) == (False, False)
    assert config.commands.allow == ("snooze", "mark", "reload", "recalibrate-threshold", "snapshot", "watch", "rollback", "accept", "info")
    assert _load(tmp_path, PLAIN + "commands: {enabled: true, allow: [info]}\n").commands.allow == ("info",)


@pytest.mark.parametrize(
    "as_saved", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n"), lambda text: text.replace("\n", "\r")]
)
def test_load_config_saved_by_another_editor_is_the_same(tmp_path: Path, as_saved: Callable[[str], str]) -> None:
    (tmp_path / "saved.yaml").write_bytes(as_saved(PLAIN).encode())
    assert load_config(tmp_path / "saved.yaml") == _load(tmp_path, PLAIN)


def test_load_config_utf_16_says_how_to_save_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(PLAIN.encode("utf-16"))
    with pytest.raises(ConfigError, match=r"config\.yaml:1: not UTF-8 text; save the file as UTF-8"):
        load_config(tmp_path / "config.yaml")


def test_load_config_names_of_digits_are_text(tmp_path: Path) -> None:
    config = _load(tmp_path, PLAIN.replace("workshop", "007").replace("pump1:", "010:"))
    assert (config.node, list(config.sources)) == ("007", ["010"])


@pytest.mark.parametrize(("written", "meant"), [("yes", True), ("no", False), ("On", True), ("off", False)])
def test_load_config_yes_and_no_are_true_and_false(tmp_path: Path, written: str, meant: bool) -> None:
    assert _load(tmp_path, f"{PLAIN}clips:\n  enabled: {written}\n").clips.enabled is meant


def test_load_source_without_a_bundle_learns_by_itself(tmp_path: Path) -> None:
    source = _load(tmp_path, PLAIN.replace("bundle: pump1.auscult", "learn: {days: 7}")).sources["pump1"]
    assert source.bundle is None
    assert source.learn is not None
    assert (source.learn.days, source.learn.first_minutes) == (7.0, 30.0)
    problem = _problem(tmp_path, PLAIN.replace("bundle: pump1.auscult", "learn: {first_minutes: 10}"))
    assert "sources.pump1.learn.first_minutes: expected minutes, from 15 to 1440" in problem
