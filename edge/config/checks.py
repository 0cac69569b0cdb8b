"""What a configuration must satisfy beyond the types of its values: keys that need or exclude each other, files that must exist."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from edge.audio.channels import channel_problem
from edge.config.address import is_this_device, split
from edge.config.schema import BundlesConfig, Config, DashboardConfig, FleetConfig, MqttConfig, SourceConfig, TlsConfig, UrlConfig
from edge.config.strict_yaml import Document, KeyPath
from edge.sources.inputs import name_problem
from edge.sources.stream_address import StreamAddress, address_problem

RESERVED = ("cmd", "response", "status", "info", "health")  # topics beside the sources
INPUTS = ("microphone", "files", "stdin", "url")


def check_config(config: Config, document: Document) -> None:
    """Check a whole configuration.

    Raises
    ------
    ConfigError
        The first thing that is wrong, with its line.
    """
    _check_mqtt(config.mqtt, document)
    for name, source in config.sources.items():
        if name in RESERVED:
            raise document.error(("sources", name), f"{name} is a topic of the node itself; give the source another name")
        _check_source(source, document, ("sources", name))
        if source.learn is not None and config.bundles.require_signature:
            raise document.error(
                ("sources", name, "learn"),
                "bundles that are learned here have no signature, which bundles.require_signature wants; keep one",
            )
    readers = [name for name, source in config.sources.items() if source.stdin is not None]
    if len(readers) > 1:
        raise document.error(("sources", readers[1], "stdin"), f"standard input is already read by the source {readers[0]}; keep one")
    providers = config.inference.providers
    if len(set(providers)) != len(providers):
        raise document.error(("inference", "providers"), "names a provider twice; keep each once, the preferred one first")
    _check_bundles(config.bundles, document)
    _check_topic(config.homeassistant.prefix, "homeassistant", document, ("homeassistant", "prefix"))
    if config.metrics.listen is not None and not 1 <= split(config.metrics.listen)[1] <= 65_535:
        raise document.error(("metrics", "listen"), f"expected a port from 1 to 65535, found {config.metrics.listen}")
    allowed = config.commands.allow
    if len(set(allowed)) != len(allowed):
        raise document.error(("commands", "allow"), "names a command twice; keep each once")
    _check_dashboard(config.dashboard, document)


def check_fleet(config: FleetConfig, document: Document) -> None:
    """Check the configuration of a dashboard that stands alone; see `check_config`."""
    _check_mqtt(config.mqtt, document)
    _check_dashboard(config.dashboard, document)


def _check_dashboard(dashboard: DashboardConfig, document: Document) -> None:
    if dashboard.password_file is not None and dashboard.password_env is not None:
        raise document.error(("dashboard", "password_env"), "the password already comes from password_file; keep one of them")
    for index, name in enumerate(dashboard.hosts):
        if not re.fullmatch(r"[A-Za-z0-9.-]+", name):
            raise document.error(("dashboard", "hosts", index), "expected a host name alone, without http:// or a port")


def _check_bundles(bundles: BundlesConfig, document: Document) -> None:
    if bundles.require_signature and not bundles.trusted_keys:
        raise document.error(
            ("bundles", "require_signature"), "no signature can be checked without a key; add `trusted_keys:` with the public key's file"
        )
    for index, path in enumerate(bundles.trusted_keys):
        _check_exists(path, document, ("bundles", "trusted_keys", index), file_only=True)


def _check_mqtt(mqtt: MqttConfig, document: Document) -> None:
    section: KeyPath = ("mqtt",)
    if "/" in mqtt.host or any(character.isspace() for character in mqtt.host):
        raise document.error(
            (*section, "host"), "expected a host name or address alone, without mqtt:// or a path; the port has its own key"
        )
    if mqtt.password_file is not None and mqtt.password_env is not None:
        raise document.error((*section, "password_env"), "the password already comes from password_file; keep one of them")
    if mqtt.username is None:
        for key in ("password_file", "password_env"):
            if getattr(mqtt, key) is not None:
                raise document.error((*section, key), "a password needs a username; add `username:`")
    has_password = mqtt.password_file is not None or mqtt.password_env is not None
    if has_password and not mqtt.uses_tls and not mqtt.allow_plaintext and not is_this_device(mqtt.host):
        key = "password_file" if mqtt.password_file is not None else "password_env"
        raise document.error(
            (*section, key),
            f"the password would travel to {mqtt.host} in plain text; add `tls:`, or `allow_plaintext: true` on a network that you trust",
        )
    _check_topic(mqtt.base_topic, "auscult", document, (*section, "base_topic"))
    if mqtt.tls is not None:
        _check_tls(mqtt.tls, document, (*section, "tls"))


def _check_topic(topic: str, example: str, document: Document, key: KeyPath) -> None:
    if set("+#\0") & set(topic) or "" in topic.split("/") or topic.startswith("$"):
        raise document.error(key, f"expected a topic such as {example} or site/{example}, without +, #, $ or a / at either end")


def _check_tls(tls: TlsConfig, document: Document, section: KeyPath) -> None:
    for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if getattr(tls, key) is not None and getattr(tls, other) is None:
            raise document.error((*section, key), f"a client certificate needs both files; add `{other}:`")
    if not tls.enabled:
        return
    for key in ("ca_file", "cert_file", "key_file"):
        path = getattr(tls, key)
        if path is not None:
            _check_exists(path, document, (*section, key), file_only=True)


def _check_source(source: SourceConfig, document: Document, section: KeyPath) -> None:
    given = [name for name in INPUTS if getattr(source, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) if given else "none of them"
        raise document.error(section, f"expected exactly one of microphone, files, stdin and url, found {found}")
    if source.bundle is None and source.learn is None:
        remedy = "add `bundle:` with the file that `auscult calibrate` wrote, or `learn: {days: 7}` for a source that learns by itself"
        raise document.error(section, f"the key 'bundle' is missing; {remedy}")
    name = given[0]
    if source.files is not None:
        for index, path in enumerate(source.files.paths):
            _check_exists(path, document, (*section, "files", "paths", index), file_only=False)
    if source.microphone is not None and (problem := name_problem(source.microphone.device)):
        raise document.error((*section, name, "device"), problem)
    if source.url is not None:
        _check_url(source.url, document, (*section, "url"))
    chosen = getattr(source, name)
    channels = getattr(chosen, "channels", None)
    if channels is not None and (problem := channel_problem(chosen.channel, channels)):
        raise document.error((*section, name, "channel"), problem)


def _check_url(url: UrlConfig, document: Document, section: KeyPath) -> None:
    if problem := address_problem(url.address):
        raise document.error((*section, "address"), problem)
    if url.ca_file is not None:
        if not StreamAddress(url.address).is_secure:
            raise document.error((*section, "ca_file"), "only https:// has a certificate that is checked; remove it, or change the address")
        _check_exists(url.ca_file, document, (*section, "ca_file"), file_only=True)


def _check_exists(path: Path, document: Document, key: KeyPath, *, file_only: bool) -> None:
    try:
        there = path.is_file() if file_only else path.exists()
    except PermissionError:
        there = True  # the daemon may run as another user, who can see it
    if not there:
        raise document.error(key, f"no such file{'' if file_only else ' or folder'}: {path}")


def with_derived(config: Config) -> Config:
    """Fill in what follows from other keys: the port from TLS, the client id from the node."""
    mqtt = with_port(config.mqtt)
    client_id = mqtt.client_id or f"auscult-{config.node}"
    return msgspec.structs.replace(config, mqtt=msgspec.structs.replace(mqtt, client_id=client_id))


def with_port(mqtt: MqttConfig) -> MqttConfig:
    """Fill in the port."""
    return msgspec.structs.replace(mqtt, port=mqtt.port or (8883 if mqtt.uses_tls else 1883))
