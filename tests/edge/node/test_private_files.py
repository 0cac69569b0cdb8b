"""Whatever the umask is: only the node's own user can read what it writes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.commands.run import keep_private
from edge.config.schema import ClipsConfig, Config, FilesConfig, MqttConfig, OutboxConfig, SourceConfig
from tests.broker import Broker
from tests.edge.remote.remote_node import node, write


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """As open as can be."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Of a folder and all that is in it."""
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


def open_to_others(folder: Path) -> dict[str, str]:
    """What is not 0600 in 0700."""
    return {name: oct(mode) for name, mode in modes(folder).items() if mode != (0o700 if (folder / name).is_dir() else 0o600)}


def test_node_all_that_it_writes_is_private_whatever_the_umask(broker: Broker, tmp_path: Path) -> None:
    knocks = write(tmp_path / "knocks.wav", [0.1, 0.8, 0.1, 0.1])
    place = tmp_path / "place"
    place.mkdir()
    for is_killed in (False, True):
        with node(place, broker, knocks, umask=0, clips=str(place / "deep" / "clips")) as one:
            one.wait_for(lambda: len(one.events()) >= 2)
            assert one.ask("snapshot", source="pump1", seconds=1)["status"] == "ok"
            assert one.ask("mark", event=one.events()[0]["id"], verdict="real")["status"] == "ok"
            assert one.ask("snooze", source="pump1", minutes=1)["status"] == "ok"
            assert one.ask("snooze", source="pump1", minutes=0)["status"] == "ok"
            assert one.ask("recalibrate-threshold", source="pump1", reset=True)["status"] == "ok"
            closed = next(event for event in one.events() if event["type"] == "closed")
            one.wait_for((place / "deep" / "clips" / closed["clip"]).with_suffix(".json").exists)
            if is_killed:
                one.process.kill()  # and leaves the log of its outbox
            else:
                one.stop()
                (place / "outbox.sqlite").write_bytes(b"damaged")  # it is set aside
    found = open_to_others(place)
    for ours in (".", "settings.json", "pump1.auscult"):  # of the test; and a bundle is handed on
        found.pop(ours, None)
    assert found == {}
    written = set(modes(place))
    assert {"state/snoozes.json", "state/thresholds.json", "state/events.jsonl", "state/marks.jsonl"} <= written
    assert any(name.startswith("state/scores/") for name in written)
    assert any(name.startswith("outbox.sqlite.corrupt-") for name in written)
    assert "outbox.sqlite-wal" in written
    assert any(name.endswith(".flac") and "snapshot" in name for name in written)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A node with a state folder, and clips and an outbox in folders that somebody else has made."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    source = SourceConfig(bundle=tmp_path / "pump1.auscult", files=FilesConfig(paths=(tmp_path,)))
    return Config(
        node="test",
        mqtt=MqttConfig(host="localhost"),
        sources={"pump1": source},
        clips=ClipsConfig(folder=tmp_path / "srv"),
        outbox=OutboxConfig(path=tmp_path / "var" / "outbox.sqlite"),
    )


def test_keep_private_narrows_what_an_earlier_version_left_and_says_so_once(
    config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours = ["state/events.jsonl", "state/scores/a.scores", "var/outbox.sqlite", "var/outbox.sqlite-wal", "var/outbox.sqlite.sources"]
    ours += ["var/outbox.sqlite.corrupt-20261120T100000Z", "srv/pump1-20261120T100000Z-01HF.flac", "srv/pump1-20261120T100000Z-01HF.json"]
    others = ["var/outbox.txt", "var/outbox.sqlite2", "srv/notes.txt"]
    for name in (*ours, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "state" / "link").symlink_to(tmp_path / "srv" / "notes.txt")
    keep_private(config)
    found = modes(tmp_path)
    assert {name: found[name] for name in ours} == dict.fromkeys(ours, 0o600)
    assert {name: found[name] for name in others} == dict.fromkeys(others, 0o666)
    assert [found[name] for name in ("state", "state/scores", "srv", "var")] == [0o700, 0o700, 0o777, 0o777]
    assert len(caplog.records) == 3
    assert "state: others could read 4 files or folders in it; only this user can now" in caplog.text
    assert os.umask(0) == 0o077
    keep_private(config)
    assert len(caplog.records) == 3


def test_keep_private_where_nothing_is_yet_says_nothing(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    keep_private(config)
    assert caplog.records == []
