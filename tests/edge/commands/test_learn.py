from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from edge.config.load import load_config
from edge.console.cli import run_command
from edge.learning.starter import starter_path
from edge.learning.store import Store
from tests.edge.learning.stores import filled


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two sources, of which one learns."""
    soundfile.write(tmp_path / "sound.wav", np.zeros(100), 16000)
    source = {"bundle": "pump.auscult", "files": {"paths": ["sound.wav"]}}
    sources = {"pump1": {**source, "learn": {"days": 3}}, "pump2": source}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"node": "test", "mqtt": {"host": "localhost"}, "sources": sources}))
    return path


def folder(config: Path, source: str = "pump1") -> Path:
    return load_config(config).state_folder / "learning" / source


def learn(config: Path, *arguments: str) -> int:
    return run_command("edge.commands.learn", "auscult learn", ["--config", str(config), *arguments])


def status(config: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert learn(config, "--status", "--format", "json") == 0
    told: list[dict[str, object]] = json.loads(capsys.readouterr().out)["sources"]
    return told


def test_learn_status_before_anything_was_learned(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = status(config, capsys)
    assert one == {"source": "pump1", "state": "nothing learned", "days": 3, "first_minutes": None, "store": str(folder(config))}


def test_learn_status_tells_how_far_it_has_come_and_where(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(folder(config), 12)
    (one,) = status(config, capsys)
    assert (one["state"], one["learned_hours"], one["store"]) == ("learning", 0.1, str(folder(config)))
    assert learn(config, "--status") == 0
    assert "learned hours  0.1" in capsys.readouterr().out


def test_learn_status_of_a_source_that_learns_no_more(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(folder(config, "pump2"), 1)
    assert [one["state"] for one in status(config, capsys)] == ["nothing learned", "off"]


def test_learn_freeze_and_resume(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(folder(config), 1)
    for change, state in (("--freeze", "frozen"), ("--resume", "learning")):
        assert learn(config, change) == 0
        assert [one["state"] for one in status(config, capsys)] == [state]


def test_learn_forget_deletes_what_was_learned(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = filled(folder(config), 3)
    assert learn(config, "--forget", "--source", "pump1") == 0
    assert not folder(config).exists()
    assert not store.is_there
    assert [one["state"] for one in status(config, capsys)] == ["nothing learned"]


def test_learn_forget_of_several_wants_to_know_which(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(folder(config), 1)
    filled(folder(config, "pump2"), 1)
    assert learn(config, "--forget") == 2
    assert "name one of pump1, pump2" in capsys.readouterr().err
    assert Store(folder(config)).count == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--forget"], "there is no store here"),
        (["--status", "--source", "pump2"], "pump2: does not learn and never did; add `learn: {days: 7}`"),
        (["--status", "--freeze"], "not allowed with"),
        ([], "required"),
    ],
)
def test_learn_asked_for_what_cannot_be_exits_2_with_one_line(
    config: Path, arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert learn(config, *arguments) == 2
    err = capsys.readouterr().err
    assert problem in err
    assert "Traceback" not in err


def test_learn_of_a_damaged_store_exits_2_and_forget_still_works(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(folder(config), 1)
    (folder(config) / "store.json").write_bytes(b"")
    assert learn(config, "--status") == 2
    assert "auscult learn --forget" in capsys.readouterr().err
    assert learn(config, "--forget") == 0
    assert not folder(config).exists()


def without_bundle(config: Path) -> None:
    told = yaml.safe_load(config.read_text())
    del told["sources"]["pump1"]["bundle"]
    config.write_text(yaml.safe_dump(told))


def test_learn_status_of_a_source_without_a_bundle_is_that_it_listens(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without_bundle(config)
    (one,) = status(config, capsys)
    assert (one["state"], one["first_minutes"]) == ("listening", 30.0)
    filled(folder(config), 12)
    (one,) = status(config, capsys)
    assert (one["state"], one["learned_hours"]) == ("listening", 0.1)
    assert learn(config, "--rollback") == 2
    assert "pump1: is still listening and has no bundle yet" in capsys.readouterr().err


def test_learn_forgets_what_a_source_listens_with_before_it_has_a_store(config: Path) -> None:
    without_bundle(config)
    starter = starter_path(folder(config))
    starter.parent.mkdir(parents=True)
    starter.write_text("of the first minutes")
    assert learn(config, "--forget") == 0
    assert not starter.parent.exists()
