"""All that is asked for, and the configuration that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import yaml

from edge.config.schema import MqttConfig, SourceConfig, state_folder

HEAD = """\
# Auscult on this node, as `auscult setup` wrote it. Every key: docs/configuration.md
# After a change: sudo systemctl reload auscult (restart, for node, mqtt and outbox)
"""
COMMENTS = {
    "node": "topics begin with auscult/ and this",
    "mqtt": "the broker",
    "sources": "one machine each, with what it learns in place, or the bundle that `auscult calibrate` writes",
    "outbox": "events that wait for the broker",
}


@dataclass(frozen=True, slots=True)
class Answers:
    """What the user wants."""

    node: str
    broker: MqttConfig
    source: str
    sound: SourceConfig  # its bundle is in `keep`, if it has one
    keep: Path
    is_default_place: bool  # the state folder, which need not be named
    secrets: Mapping[Path, str] = field(default_factory=dict)  # to be written: what each file is to hold

    def text(self) -> str:
        """The configuration, as YAML."""
        config: dict[str, object] = {
            "node": self.node,
            "mqtt": _given(self.broker),
            "sources": {self.source: self._source()},
        }
        if not self.is_default_place:
            config["outbox"] = {"path": str(self.keep / "outbox.sqlite")}
        sections = (
            f"\n# {COMMENTS[key]}\n{yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=1000)}"
            for key, value in config.items()
        )
        return HEAD + "".join(sections)

    def _source(self) -> dict[str, object]:
        learn = self.sound.learn
        return _given(self.sound) | ({} if learn is None else {"learn": {"days": learn.days}})  # said although it is the default


def default_place(node: str, service_state: Path | None) -> Path:
    """Where a node keeps what it must not forget unless told otherwise; `service_state` is the folder of an installed service."""
    return service_state or state_folder(node)


def _given(section: msgspec.Struct) -> dict[str, object]:
    """What differs from the defaults, as YAML has it."""
    found: dict[str, object] = {}
    for one in msgspec.structs.fields(section):
        value = getattr(section, one.name)
        if one.required or value != one.default:
            found[one.encode_name] = _plain(value)
    return found


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return _given(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
