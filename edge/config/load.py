"""Read config.yaml: strict YAML -> frozen structs -> checks. `load_config` is the whole of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

from edge.config import credentials
from edge.config.checks import check_config, check_fleet, with_derived, with_port
from edge.config.problems import explain
from edge.config.schema import NAME_PATTERN, NAME_RULE, Config, FleetConfig, SourceConfig
from edge.config.strict_yaml import Document, KeyPath, read_yaml

_Struct = TypeVar("_Struct")

# A section whose every line is commented out is empty, which is how people switch it off; these then take their defaults.
_MAY_BE_EMPTY = (
    "inference",
    "bundles",
    "events",
    "outbox",
    "commands",
    "clips",
    "homeassistant",
    "health",
    "metrics",
    "dashboard",
    "log",
)


def load_config(path: Path | str) -> Config:
    """Read and check a configuration.

    Relative paths in it are taken from the file's own folder. Bundles and the password are not opened here: they have errors of their own.

    Raises
    ------
    ConfigError
        The first mistake, as `config.yaml:12: sources.pump1.microphon: unknown key; did you mean 'microphone'?`.
    """
    document = read_yaml(Path(path))
    return _node(_prepared(document), document)


def load_dashboard_config(path: Path | str) -> Config | FleetConfig:
    """Read and check a configuration for `auscult dashboard`: that of a node, or one with neither `node` nor `sources`.

    Raises
    ------
    ConfigError
        see `load_config`
    """
    document = read_yaml(Path(path))
    data = _prepared(document)
    if "node" in data or "sources" in data:
        return _node(data, document)
    config = _convert(data, FleetConfig, document, ())
    check_fleet(config, document)
    return msgspec.structs.replace(config, mqtt=with_port(config.mqtt))


def _prepared(document: Document) -> dict[str, object]:
    """The mapping of a file, with what people write in other ways."""
    data = document.data
    if not isinstance(data, dict):
        found = "an empty file" if data is None else "a list" if isinstance(data, list) else "a single value"
        raise document.error((), f"expected keys such as `node:`, `mqtt:` and `sources:`, found {found}")
    for section in _MAY_BE_EMPTY:
        if section in data and data[section] is None:
            del data[section]
    _allow_bare_protocol(data)
    _find_credentials(data, document)
    return data


def _node(data: dict[str, object], document: Document) -> Config:
    _convert_sources(data, document)
    config = with_derived(_convert(data, Config, document, ()))
    check_config(config, document)
    return config


def _convert_sources(data: dict[str, object], document: Document) -> None:
    """Convert each source alone first: for an error inside a mapping of names msgspec cannot say which name it was."""
    sources = data.get("sources")
    if not isinstance(sources, dict):
        return  # the conversion of the whole says so
    for name, source in sources.items():
        if not re.search(NAME_PATTERN, name) or len(name) > 64:
            raise document.error(("sources", name), f"a source needs {NAME_RULE}")
        _convert(source, SourceConfig, document, ("sources", name))


def _convert(data: object, schema: type[_Struct], document: Document, section: KeyPath) -> _Struct:
    folder = document.path.parent

    def resolve(kind: type, value: object) -> object:
        if kind is not Path or not isinstance(value, str) or not value or "\0" in value:
            raise ValueError("not a path")
        try:
            return folder / Path(value).expanduser()
        except RuntimeError as error:  # ~nobody
            raise ValueError("no such home folder") from error

    try:
        return msgspec.convert(data, schema, dec_hook=resolve)
    except msgspec.ValidationError as error:
        raise explain(error, document, section, schema) from error


def _allow_bare_protocol(data: dict[str, object]) -> None:
    """`protocol: 5` is what everybody writes, and YAML reads a number."""
    mqtt = data.get("mqtt")
    if isinstance(mqtt, dict) and type(mqtt.get("protocol")) is int and mqtt["protocol"] == 5:
        mqtt["protocol"] = "5"


def _find_credentials(data: dict[str, object], document: Document) -> None:
    """`password_file: credential:mqtt-password` stands for a file that systemd names, and so does a stream's `credentials_file`."""
    sections: list[tuple[KeyPath, object, str]] = [(("mqtt",), data.get("mqtt"), "password_file")]
    sources = data.get("sources")
    for name, source in sources.items() if isinstance(sources, dict) else ():
        if isinstance(source, dict):
            sections.append((("sources", name, "url"), source.get("url"), "credentials_file"))
    for section, values, key in sections:
        written = values.get(key) if isinstance(values, dict) else None
        if not isinstance(values, dict) or not isinstance(written, str) or not written.startswith(credentials.PREFIX):
            continue
        path = credentials.credential_path(written)
        if path is None:
            raise document.error((*section, key), f"expected the name of a credential, such as {credentials.PREFIX}mqtt-password")
        values[key] = str(path)
