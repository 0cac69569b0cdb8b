"""The file of known sources, whatever it contains: others may have written it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.mqtt.topics import Topics
from edge.node import known_sources
from edge.node.known_sources import KnownSources

TOPICS = Topics("test")


def gone(folder: Path, content: dict[str, str]) -> list[str]:
    (folder / "outbox.sqlite.sources").write_text(json.dumps(content))
    return KnownSources(folder / "outbox.sqlite", TOPICS).gone(["pump1"])


@pytest.mark.parametrize("name", ["+", "#", "", "a/b", "a\u0000", "fan2\n", "n" * 65, "fän"])
def test_known_sources_name_that_is_no_name_is_never_cleared(tmp_path: Path, name: str) -> None:
    assert gone(tmp_path, {TOPICS.availability(name): name, TOPICS.availability("fan2"): "fan2"}) == ["fan2"]


def test_known_sources_topic_that_is_not_of_the_name_is_forgotten(tmp_path: Path) -> None:
    before = {TOPICS.availability("fan2"): "line3", TOPICS.status: "status", Topics("other").availability("fan4"): "fan4"}
    assert gone(tmp_path, before) == []
    kept = json.loads((tmp_path / "outbox.sqlite.sources").read_text())
    assert kept == {Topics("other").availability("fan4"): "fan4", TOPICS.availability("pump1"): "pump1"}


def test_known_sources_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_sources, "MOST_KNOWN", 10)
    many = {TOPICS.availability(f"fan{index}"): f"fan{index}" for index in range(50)}
    assert gone(tmp_path, many) == [f"fan{index}" for index in range(40, 50)]
    assert len(json.loads((tmp_path / "outbox.sqlite.sources").read_text())) == 10
    monkeypatch.setattr(known_sources, "MOST_BYTES", 100)
    assert gone(tmp_path, many) == []
