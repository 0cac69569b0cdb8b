from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from edge.config.load import load_config
from edge.config.schema import FilesConfig, LearnConfig, MicrophoneConfig, MqttConfig, SourceConfig, TlsConfig, UrlConfig
from edge.setup.answers import Answers


@pytest.mark.parametrize(
    ("sound", "written"),
    [
        (
            {"microphone": MicrophoneConfig(device='USB: "Mic" #1 \u00e9, - yes', channel="mix")},
            {"device": 'USB: "Mic" #1 \u00e9, - yes', "channel": "mix"},
        ),
        ({"microphone": MicrophoneConfig(device="on", host_api="ALSA")}, {"device": "on", "host_api": "ALSA"}),
        (
            {"url": UrlConfig(address="rtsp://[::1]/a?b=c#d", credentials_file=Path("/x y/z"))},
            {"address": "rtsp://[::1]/a?b=c#d", "credentials_file": "/x y/z"},
        ),
        ({"files": FilesConfig(paths=(Path("/a: b.wav"),))}, {"paths": ["/a: b.wav"]}),
    ],
)
def test_answers_whatever_they_are_make_a_configuration_that_says_the_same(
    tmp_path: Path, sound: dict[str, MicrophoneConfig], written: dict[str, object]
) -> None:
    (tmp_path / "a: b.wav").write_bytes(b"")
    broker = MqttConfig(host="::1", port=1, username="null", password_file=tmp_path / "p", tls=TlsConfig())
    source = SourceConfig(bundle=tmp_path / "b.auscult", **sound)  # type: ignore[arg-type]
    text = Answers("123", broker, "yes", source, tmp_path, False).text()
    assert next(iter(yaml.safe_load(text)["sources"]["yes"].items())) == ("bundle", str(tmp_path / "b.auscult"))
    assert yaml.safe_load(text)["sources"]["yes"][next(iter(sound))] == written
    path = tmp_path / "config.yaml"
    path.write_text(text.replace("/a: b.wav", str(tmp_path / "a: b.wav")))
    config = load_config(path)
    assert (config.node, config.mqtt.host, config.mqtt.username, config.mqtt.uses_tls) == ("123", "::1", "null", True)
    assert config.outbox_path == tmp_path / "outbox.sqlite"


def test_answers_without_a_bundle_say_for_how_long_the_source_learns(tmp_path: Path) -> None:
    source = SourceConfig(learn=LearnConfig(), microphone=MicrophoneConfig(device="usb"))
    text = Answers("n", MqttConfig(host="h"), "pump1", source, tmp_path, True).text()
    assert yaml.safe_load(text)["sources"]["pump1"] == {"microphone": {"device": "usb"}, "learn": {"days": 7.0}}
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert load_config(path).sources["pump1"] == source
