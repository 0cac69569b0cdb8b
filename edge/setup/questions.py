"""The five questions, each asked unless an option has answered it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from edge.config.address import is_this_device
from edge.config.schema import FilesConfig, LearnConfig, MicrophoneConfig, MqttConfig, SourceConfig, TlsConfig, UrlConfig
from edge.config.section import NAME_PATTERN, NAME_RULE
from edge.doctor.broker import check_broker
from edge.doctor.finding import examined
from edge.errors import UserError
from edge.setup.answers import Answers, default_place
from edge.setup.broker_answer import parse_broker
from edge.setup.options import DAYS, Options
from edge.setup.sound_question import Sound, ask_sound
from edge.setup.terminal import Terminal

_VARIABLE = "AUSCULT_SETUP_PASSWORD"  # of this process alone, while the broker is tried
SOURCE = "machine1"


def ask_all(options: Options, terminal: Terminal | None, service_state: Path | None) -> Answers:
    """Every answer, from the options or the terminal; `service_state` is where an installed service keeps its files.

    Raises
    ------
    UserError : an answer is missing and there is nobody to ask, or an option says what cannot be
    """
    secrets: dict[Path, str] = {}
    folder = options.config.absolute().parent
    sound = options.sound()
    if sound is None:
        _headline(terminal, "--device (or --files, or --url)", "1/5  Where does the sound come from?")
        assert terminal
        sound = ask_sound(terminal)
    broker, password = _broker(options, terminal, folder)
    node = _name(options.node, "--node", "3/5  Name of this node", _host_name(), terminal)
    source = _name(options.source, "--source", "4/5  Name of the machine that it listens to", SOURCE, terminal)
    learns = options.learn is not False
    if options.learn is None and terminal is not None:
        learns = terminal.confirm(f"Let it learn the machine by itself, for {DAYS} days? Otherwise you record it first.", default=True)
    place = default_place(node, service_state)
    keep = options.keep or place
    if options.keep is None and terminal is not None:
        keep = Path(terminal.ask("5/5  Where to keep bundles, recordings and waiting events", str(place))).expanduser()
    keep = keep.absolute()
    if password is not None and broker.password_file is not None:
        secrets[broker.password_file] = password
    if isinstance(sound, UrlConfig) and sound.credentials_file is None and terminal is not None and options.url is None:
        sound = _login(sound, folder / f"{source}-login", secrets, terminal)
    learned: dict[str, Any] = {"learn": LearnConfig(days=DAYS)} if learns else {"bundle": keep / f"{source}.auscult"}
    return Answers(node, broker, source, SourceConfig(**learned, **_input(sound)), keep, keep == place.absolute(), secrets)


def _headline(terminal: Terminal | None, option: str, text: str) -> None:
    if terminal is None:
        raise UserError("setup", f"{option} is missing, and nobody is there to ask")
    terminal.say()
    terminal.say(text)


def _input(sound: Sound) -> dict[str, Any]:
    return {"microphone" if isinstance(sound, MicrophoneConfig) else "files" if isinstance(sound, FilesConfig) else "url": sound}


def _name(given: str | None, option: str, question: str, default: str, terminal: Terminal | None) -> str:
    while True:
        name = given if given is not None else default if terminal is None else terminal.ask(question, default)
        if re.search(NAME_PATTERN, name) and len(name) <= 64:
            return name
        if given is not None or terminal is None:
            raise UserError(option, f"needs {NAME_RULE}")
        terminal.say(f"  It needs {NAME_RULE}.")


def _host_name() -> str:
    return re.sub(r"[^a-zA-Z0-9_-]+", "-", socket.gethostname().partition(".")[0]).strip("-")[:64] or "node"


def _broker(options: Options, terminal: Terminal | None, folder: Path) -> tuple[MqttConfig, str | None]:
    """The broker, and the password that is to be written to its file."""
    if options.broker is not None:
        return options.mqtt(options.broker), None
    _headline(terminal, "--broker", "2/5  Which MQTT broker?")
    assert terminal
    while True:
        written = terminal.ask("Name or address, with a port if it is not the usual one", "localhost")
        try:
            parse_broker(written)
        except UserError as error:
            terminal.say(f"  {error}")
            continue
        broker, password = _with_user(options.mqtt(written), options, folder, terminal)
        broker = _with_tls(broker, written, options, terminal)
        terminal.say("  Trying it ...")
        with _lent(broker, password) as tried:
            finding = examined("broker", lambda: check_broker(tried, "setup"))
        terminal.say(f"  {finding.line()}")
        if finding.verdict != "FAIL" or terminal.confirm("Take it all the same?"):
            return broker, password


def _with_user(broker: MqttConfig, options: Options, folder: Path, terminal: Terminal) -> tuple[MqttConfig, str | None]:
    user = options.username or terminal.ask("User name at the broker, or nothing")
    if not user:
        return broker, None
    path = options.password_file or folder / "mqtt-password"
    password = None
    if options.password_file is None and not (path.exists() and terminal.confirm(f"Use the password in {path}?", default=True)):
        password = terminal.secret("Its password (not shown)")
        if not password:
            return msgspec.structs.replace(broker, username=user), None
    return msgspec.structs.replace(broker, username=user, password_file=path), password


def _with_tls(broker: MqttConfig, written: str, options: Options, terminal: Terminal) -> MqttConfig:
    needs_it = broker.password_file is not None and not is_this_device(broker.host)
    if options.tls is None and parse_broker(written).tls is None:
        is_wanted = terminal.confirm("Does it speak TLS?", default=needs_it)
        broker = msgspec.structs.replace(broker, tls=TlsConfig(ca_file=options.ca_file) if is_wanted else None)
        if is_wanted and options.ca_file is None:
            authority = terminal.ask("Certificate of its authority (a PEM file), or nothing for a public one")
            if authority:
                broker = msgspec.structs.replace(broker, tls=TlsConfig(ca_file=Path(authority).expanduser().absolute()))
    if needs_it and not broker.uses_tls and not broker.allow_plaintext:
        question = f"Others on the network can then read the password on its way to {broker.host}. Send it all the same?"
        if not terminal.confirm(question):
            return msgspec.structs.replace(broker, tls=TlsConfig(ca_file=options.ca_file))
        broker = msgspec.structs.replace(broker, allow_plaintext=True)
    return broker


@contextmanager
def _lent(broker: MqttConfig, password: str | None) -> Iterator[MqttConfig]:
    """The broker with a password that is in no file yet, and with what the configuration would fill in."""
    broker = msgspec.structs.replace(broker, port=broker.port or (8883 if broker.uses_tls else 1883), client_id="auscult-setup")
    if password is None:
        yield broker
        return
    os.environ[_VARIABLE] = password
    try:
        yield msgspec.structs.replace(broker, password_file=None, password_env=_VARIABLE)
    finally:
        del os.environ[_VARIABLE]


def _login(sound: UrlConfig, path: Path, secrets: dict[Path, str], terminal: Terminal) -> UrlConfig:
    user = terminal.ask("User name at the stream, or nothing")
    if not user:
        return sound
    secrets[path] = f"{user}:{terminal.secret('Its password (not shown)')}"
    return msgspec.structs.replace(sound, credentials_file=path)
