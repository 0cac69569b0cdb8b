"""`password_file: credential:NAME`, in the service and outside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.credentials import SERVICE_FOLDER, is_out_of_reach
from edge.config.load import load_config
from edge.config.schema import Config
from edge.errors import ConfigError

TEXT = """\
node: workshop
mqtt: {{host: localhost, username: u, password_file: "{written}"}}
sources: {{pump1: {{bundle: b, microphone: {{device: USB}}}}}}
"""


def _load(folder: Path, written: str) -> Config:
    path = folder / "config.yaml"
    path.write_text(TEXT.format(written=written), encoding="utf-8")
    return load_config(path)


def test_credential_in_the_service_is_read_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "mqtt-password").write_text("correct horse\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    config = _load(tmp_path, "credential:mqtt-password")
    assert config.password() == "correct horse"
    assert config.mqtt.password_file is not None
    assert not is_out_of_reach(config.mqtt.password_file)


def test_credential_that_is_not_there_names_the_setting_that_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError, match="LoadCredential=mqtt-password:/etc/auscult/mqtt-password"):
        _load(tmp_path, "credential:mqtt-password").password()


def test_credential_outside_the_service_is_the_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    path = _load(tmp_path, "credential:mqtt-password").mqtt.password_file
    assert path == SERVICE_FOLDER / "mqtt-password"
    assert is_out_of_reach(path)


@pytest.mark.parametrize("name", ["", "..", ".", "../x", "a/b", "a b"])
def test_credential_with_a_bad_name_is_an_error_of_its_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"config.yaml:2: mqtt.password_file: expected the name of a credential"):
        _load(tmp_path, f"credential:{name}")


def test_password_file_of_another_form_is_a_path_as_ever(tmp_path: Path) -> None:
    assert _load(tmp_path, "secrets/credential:x").mqtt.password_file == tmp_path / "secrets" / "credential:x"
