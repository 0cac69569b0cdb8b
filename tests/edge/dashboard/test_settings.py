from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.config.load import load_dashboard_config
from edge.dashboard.password import hash_password
from edge.dashboard.settings import Address, DashboardSettings, parse_address
from edge.errors import UserError


def load(folder: Path, listen: str | None = None, *, node: bool = False, in_file: str | None = None, **dashboard: Any) -> DashboardSettings:
    path = folder / "config.yaml"
    if in_file is not None:
        dashboard["listen"] = in_file
    config: dict[str, Any] = {"mqtt": {"host": "localhost"}, "dashboard": dashboard}
    if node:
        (folder / "pump1.auscult").touch()
        config |= {"node": "hall", "sources": {"pump1": {"bundle": "pump1.auscult", "microphone": {"device": "USB"}}}}
    path.write_text(yaml.safe_dump(config))
    return DashboardSettings.of(load_dashboard_config(path), path, listen)


@pytest.mark.parametrize(
    ("text", "host", "port"), [("127.0.0.1:8642", "127.0.0.1", 8642), ("[::1]:80", "::1", 80), ("hall.local:0", "hall.local", 0)]
)
def test_address_is_read(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize("text", ["8642", "127.0.0.1", ":8642", "::1:80", "http://hall:80", "hall:99999", "hall:80/x", "hall:80\n"])
def test_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an address and a port"):
        parse_address(text)


def test_configuration_of_a_node_brings_its_clips(tmp_path: Path) -> None:
    found = load(tmp_path, node=True)
    assert (found.node, found.address) == ("hall", Address("127.0.0.1", 8642))
    assert found.clips is not None
    assert found.history.name == "dashboard.sqlite"


def test_configuration_without_a_node_is_enough(tmp_path: Path) -> None:
    found = load(tmp_path, history="h.sqlite")
    assert (found.node, found.clips, found.history) == (None, None, tmp_path / "h.sqlite")


def test_other_address_needs_password_and_encryption(tmp_path: Path) -> None:
    (tmp_path / "hash").write_text(hash_password("correct horse") + "\n")
    with pytest.raises(UserError, match=r"config.yaml: dashboard.listen: others reach the page .* needs dashboard.password_file"):
        load(tmp_path, in_file="0.0.0.0:8642")
    with pytest.raises(UserError, match=r"--listen 0.0.0.0:80: the page's password would travel in plain text"):
        load(tmp_path, listen="0.0.0.0:80", password_file="hash")
    assert load(tmp_path, listen="0.0.0.0:80", password_file="hash", allow_plaintext=True).password is not None
    with pytest.raises(UserError, match=r"page.crt: no such file \(dashboard.tls\)"):
        load(tmp_path, listen="0.0.0.0:80", password_file="hash", tls={"cert_file": "page.crt", "key_file": "page.key"})


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "is empty"), ("correct horse", "not the hash of a password; write one with: auscult dashboard --hash-password")],
)
def test_password_file_that_holds_no_hash_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "hash").write_text(content)
    with pytest.raises(UserError, match=said):
        load(tmp_path, password_file="hash")


def test_password_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="environment variable PAGE: is not set"):
        load(tmp_path, password_env="PAGE")
    monkeypatch.setenv("PAGE", hash_password("correct horse"))
    assert load(tmp_path, password_env="PAGE").password is not None


@pytest.mark.parametrize(
    ("dashboard", "said"),
    [
        ({"lisen": "x"}, "dashboard.lisen: unknown key; did you mean 'listen'?"),
        ({"password": "x"}, "a password must not stand in this file"),
        ({"hosts": ["http://hall"]}, r"dashboard.hosts\[0\]: expected a host name alone"),
        ({"keep_days": 0}, "dashboard.keep_days: expected days, from 1 to 3650"),
        ({"password_file": "a", "password_env": "b"}, "keep one of them"),
    ],
)
def test_mistake_in_the_configuration_is_one_line(tmp_path: Path, dashboard: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        load(tmp_path, **dashboard)
