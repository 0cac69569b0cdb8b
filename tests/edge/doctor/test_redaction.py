from __future__ import annotations

from pathlib import Path

import pytest

from edge.doctor.redaction import WITHHELD, Redaction, public_config
from edge.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_public_config_withholds_users_files_of_secrets_and_what_it_should_not_have(tmp_path: Path) -> None:
    text = public_config(
        write(
            tmp_path,
            "node: w # comment-MARKER\nmqtt:\n  host: user-MARKER:pw@broker\n  port: 8883\n"
            "  username: MARKER-1\n  password_file: /MARKER-2\n"
            "  password: MARKER-3\n  tls: {enabled: true, key_file: /MARKER-4, cert_file: /MARKER-5, ca_file: /MARKER-6}\n"
            "pasword: MARKER-7\nsources:\n  password: {bundle: b.auscult, secret: [MARKER-8], files: {paths: [a.wav]}}\n"
            "  camera: {url: {address: 'rtsp://c/x?key=MARKER', credentials_file: MARKER}}\n",
        )
    )
    assert "MARKER" not in text
    for shown in ('"port": 8883', '"enabled": true', '"bundle": "b.auscult"', '"a.wav"', '"password": {', f'"key_file": "{WITHHELD}"'):
        assert shown in text


def test_public_config_that_is_no_yaml_raises(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        public_config(write(tmp_path, "mqtt: [password: x\n"))


def test_redaction_strikes_out_what_the_file_says_of_secrets_and_the_password_itself(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("correct horse\n", encoding="utf-8")
    config = write(
        tmp_path,
        "node: w\nmqtt: {host: localhost, username: 'bob smith', password_file: pw}\n# password: \"old one\"\n# token = t0ken\n"
        "sources: {pump1: {bundle: b, files: {paths: [a]}}}\n",
    )
    struck = Redaction.of(config).struck("bob smith logged in with correct horse, before with old one; t0ken, bob, bobsled")
    assert struck == f"{WITHHELD} logged in with {WITHHELD}, before with {WITHHELD}; {WITHHELD}, bob, bobsled"


def test_redaction_strikes_out_the_login_of_a_stream_and_both_its_parts(tmp_path: Path) -> None:
    (tmp_path / "cam").write_text("watcher:hush hush\n", encoding="utf-8")
    config = write(tmp_path, "sources: {camera: {url: {address: 'rtsp://c/x', credentials_file: cam}}}\n")
    assert Redaction.of(config).struck("rtsp://watcher:hush hush@c, watcher, hush hush") == f"rtsp://{WITHHELD}@c, {WITHHELD}, {WITHHELD}"


def test_redaction_of_a_broken_or_missing_file_strikes_out_what_it_finds(tmp_path: Path) -> None:
    assert Redaction.of(write(tmp_path, "mqtt: [username: alice\n")).struck("alice") == WITHHELD
    assert Redaction.of(tmp_path / "none.yaml").struck("alice") == "alice"


def test_redaction_leaves_the_user_of_our_examples(tmp_path: Path) -> None:
    assert Redaction.of(write(tmp_path, "mqtt: {username: auscult}")).struck("auscult/w/health") == "auscult/w/health"
