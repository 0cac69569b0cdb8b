from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.bundles.bundle import Bundle
from edge.config.load import load_config
from edge.config.schema import Config
from edge.errors import BrokerError, BundleError, ConfigError
from edge.learning.learning import store_folder
from edge.learning.starter import starter_path
from edge.learning.versions import Versions
from edge.mqtt.topics import Topics
from edge.node.known_sources import KnownSources
from edge.node.plan import Plan, check_live
from tests.bundles import CalibratedMachine, tampered

PASSWORD_FILE = {"username": "node1", "password_file": "password"}
TLS = {"tls": {"ca_file": "ca.pem"}}


def config_of(folder: Path, bundle: Path, **changes: Any) -> Config:
    path = folder / "config.yaml"
    source = {"bundle": str(bundle), "microphone": {"device": "usb"}}
    path.write_text(yaml.safe_dump({"node": "test", "mqtt": {"host": "localhost"}, "sources": {"pump1": source}, **changes}))
    return load_config(path)


def test_plan_takes_over_the_model_of_an_equal_bundle_and_loads_another_for_another_session(
    machine: CalibratedMachine, tmp_path: Path
) -> None:
    before = Plan.of(config_of(tmp_path, machine.bundle))
    copy = shutil.copy(machine.bundle, tmp_path / "copy.auscult")
    sources = {name: {"bundle": str(copy), "microphone": {"device": name}} for name in ("pump1", "pump2")}
    after = Plan.of(config_of(tmp_path, machine.bundle, sources=sources), before)
    assert after.models["pump1"] is after.models["pump2"] is before.models["pump1"]
    other = Plan.of(config_of(tmp_path, machine.bundle, inference={"threads": 2}), before)
    assert other.models["pump1"] is not before.models["pump1"]


@pytest.mark.parametrize(("mqtt", "name", "error"), [(PASSWORD_FILE, "password", ConfigError), (TLS, "ca.pem", BrokerError)])
def test_plan_of_a_password_or_a_certificate_that_cannot_be_used_is_refused(
    machine: CalibratedMachine, tmp_path: Path, mqtt: dict[str, Any], name: str, error: type[Exception]
) -> None:
    (tmp_path / name).write_text("")
    config = config_of(tmp_path, machine.bundle, mqtt={"host": "localhost", **mqtt})
    with pytest.raises(error, match=name):
        Plan.of(config)


def test_plan_that_learns_with_a_bundle_that_cannot_is_refused(machine: CalibratedMachine, tmp_path: Path) -> None:
    def without_steady(manifest: dict[str, Any], *_: object) -> None:
        del manifest["detector"]["parameters"]["steady"]

    bundle = tampered(machine.bundle, tmp_path / "old.auscult", without_steady)
    learning = {"pump1": {"bundle": str(bundle), "microphone": {"device": "usb"}, "learn": {"days": 2}}}
    with pytest.raises(BundleError, match=r"old.auscult: lacks heads .* calibrate again, .* or leave out sources.pump1.learn"):
        Plan.of(config_of(tmp_path, bundle, sources=learning))
    Plan.of(config_of(tmp_path, machine.bundle, sources={"pump1": {**learning["pump1"], "bundle": str(machine.bundle)}}))


def test_check_live_takes_sources_and_rules_and_refuses_what_needs_a_restart(machine: CalibratedMachine, tmp_path: Path) -> None:
    before = config_of(tmp_path, machine.bundle)
    live = {"events": {"cooldown_s": 1.0}, "health": {"interval_s": 1.0}, "log": {"level": "debug"}, "inference": {"threads": 2}}
    check_live(before, config_of(tmp_path, tmp_path / "other.auscult", **live), tmp_path)
    after = config_of(tmp_path, machine.bundle, mqtt={"host": "localhost", "tls": {}}, outbox={"keep_days": 1.0})
    with pytest.raises(ConfigError) as refused:
        check_live(before, after, tmp_path / "config.yaml")
    assert str(refused.value) == (
        f"{tmp_path}/config.yaml: mqtt.port (and 2 more) has changed, which needs a restart: sudo systemctl restart auscult"
    )


def test_known_sources_are_those_of_all_runs_of_the_node(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.sqlite"
    first = KnownSources(outbox, Topics("test"))
    assert first.gone(["pump1", "fan2"]) == []
    assert first.gone(["pump1"]) == ["fan2"]
    assert first.gone(["pump1"]) == []
    assert first.gone(["pump1", "fan2"]) == []
    assert KnownSources(outbox, Topics("test")).gone(["line3"]) == ["fan2", "pump1"]
    assert KnownSources(outbox, Topics("test2")).gone(["line3"]) == []  # not ours to clear
    (tmp_path / "outbox.sqlite.sources").write_text("damaged")
    assert KnownSources(outbox, Topics("test")).gone(["line3"]) == []
    assert KnownSources(tmp_path / "none" / "outbox.sqlite", Topics("test")).gone(["line3"]) == []  # cannot be written


def self_taught(machine: CalibratedMachine, folder: Path) -> tuple[Config, Path]:
    """A source without a bundle, and where its starter would be."""
    config = config_of(folder, machine.bundle, sources={"pump1": {"microphone": {"device": "usb"}, "learn": {"days": 2}}})
    starter = starter_path(store_folder(config.state_folder, "pump1"))
    starter.parent.mkdir(parents=True)
    return config, starter


def test_plan_of_a_source_without_a_bundle_judges_by_what_was_learned_and_never_by_the_starter(
    machine: CalibratedMachine, tmp_path: Path
) -> None:
    config, starter = self_taught(machine, tmp_path)
    nothing = Plan.of(config)
    assert (nothing.models, nothing.bases, nothing.bundle("pump1")) == ({}, {}, None)
    shutil.copy(machine.bundle, starter)
    listening = Plan.of(config, nothing)
    assert listening.bases["pump1"] == listening.models["pump1"].bundle.sha256 == machine.model.bundle.sha256
    assert listening.bundle("pump1") is None
    versions = Versions(starter.parent)
    versions.folder.mkdir()
    tampered(machine.bundle, versions.candidate, lambda manifest, *_: manifest.update(created_at="2026-11-29T00:00:00Z"))
    taken = versions.take(Bundle.read(versions.candidate).sha256, 1500.0, 1210.0, machine.model.bundle.sha256)
    watching = Plan.of(config, listening)
    bundle = watching.bundle("pump1")
    assert bundle is not None
    assert bundle.sha256 == taken.sha256
    assert watching.judges("pump1")


def test_plan_makes_a_damaged_starter_anew(machine: CalibratedMachine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config, starter = self_taught(machine, tmp_path)
    starter.write_text("no bundle")
    assert Plan.of(config).models == {}
    assert not starter.exists()
    assert "made anew" in caplog.text
