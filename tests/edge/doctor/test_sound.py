from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge.config.credentials import SERVICE_FOLDER
from edge.config.schema import FilesConfig, MicrophoneConfig, SourceConfig, StdinConfig, UrlConfig
from edge.doctor import sound
from edge.doctor.sound import check_source, judge_sound
from edge.errors import DeviceError
from tests.pulse import MICROPHONE, PulseServer
from tests.stream_server import StreamServer

RATE_HZ = 16000
NOISE = (0.1 * np.random.default_rng(0).standard_normal(RATE_HZ)).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "verdict", "told"),
    [
        (NOISE, "OK", "-20.0 dBFS"),
        (1e-5 * NOISE, "WARN", "hardly any sound"),
        (np.clip(50 * NOISE, -1, 1), "WARN", "clipped"),
        (np.zeros(100, np.float32), "FAIL", "one value (0)"),
        (np.full(100, -1, np.float32), "FAIL", "one value (-1)"),
        (np.full(100, np.nan, np.float32), "FAIL", "not numbers"),
        (np.empty(0, np.float32), "FAIL", "gives no sound"),
    ],
)
def test_judge_sound_of_a_microphone(samples: NDArray[np.float32], verdict: str, told: str) -> None:
    finding = judge_sound("source s", "USB", samples.astype(np.float32), RATE_HZ, is_microphone=True)
    assert finding.verdict == verdict
    assert told in finding.found


def _files(*paths: Path, realtime: bool = False) -> SourceConfig:
    return SourceConfig(bundle=Path("b"), files=FilesConfig(paths=paths, realtime=realtime))


@pytest.mark.parametrize("realtime", [False, True])
def test_source_of_files_is_heard_and_measured(tmp_path: Path, realtime: bool) -> None:
    soundfile.write(tmp_path / "a.wav", NOISE, RATE_HZ)
    heard = check_source("pump1", _files(tmp_path, realtime=realtime))
    assert (heard.finding.check, heard.finding.verdict, heard.rate_hz) == ("source pump1", "OK", RATE_HZ)


def test_source_of_a_silent_file_is_a_warning_only(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE_HZ), RATE_HZ)
    assert check_source("s", _files(tmp_path / "a.wav")).finding.verdict == "WARN"


def test_source_of_a_file_that_is_no_audio_fails(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("not audio")
    heard = check_source("s", _files(tmp_path / "a.wav"))
    assert heard.finding.verdict == "FAIL"
    assert "a.wav" in heard.finding.found
    assert heard.rate_hz is None


def test_source_stdin_is_left_to_the_daemon() -> None:
    heard = check_source("s", SourceConfig(bundle=Path("b"), stdin=StdinConfig(rate_hz=RATE_HZ)))
    assert (heard.finding.verdict, heard.rate_hz) == ("OK", RATE_HZ)


MISSING = SourceConfig(bundle=Path("b"), microphone=MicrophoneConfig(device="no such microphone"))


def test_source_microphone_that_is_not_there_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.sources.microphone.list_inputs", list)
    heard = check_source("s", MISSING)
    assert heard.finding.verdict == "FAIL"
    assert 'device "no such microphone": no such input device' in heard.finding.found


@pytest.mark.parametrize(("active", "verdict"), [(True, "WARN"), (False, "FAIL")])
def test_source_microphone_in_use_is_all_right_when_it_is_the_services(monkeypatch: pytest.MonkeyPatch, active: bool, verdict: str) -> None:
    def in_use() -> None:
        raise DeviceError("USB", "in use by another program, or gone")

    monkeypatch.setattr("edge.sources.microphone.list_inputs", in_use)
    monkeypatch.setattr(sound, "service_is_active", lambda: active)
    assert check_source("s", MISSING).finding.verdict == verdict


def test_source_microphone_is_silent_first_and_well_when_there_is_sound(pulse: PulseServer) -> None:
    settings = SourceConfig(bundle=Path("b"), microphone=MicrophoneConfig(device=MICROPHONE))
    silent = check_source("s", settings).finding
    assert silent.verdict == "FAIL"
    assert "one value (0)" in silent.found
    player = pulse.play(np.tile(NOISE, 30), RATE_HZ)
    deadline_s = time.monotonic() + 20.0
    heard = check_source("s", settings)
    while heard.finding.verdict != "OK" and time.monotonic() < deadline_s and player.poll() is None:  # the player has to begin first
        heard = check_source("s", settings)
    assert heard.finding.verdict == "OK", heard.finding.found
    assert heard.rate_hz is not None


def _stream(address: str, login: Path | None = None) -> SourceConfig:
    return SourceConfig(bundle=Path("b"), url=UrlConfig(address=address, credentials_file=login))


def test_source_of_a_stream_is_heard_and_one_that_is_not_there_fails(stream_server: StreamServer) -> None:
    heard = check_source("camera", _stream(stream_server.address))
    assert (heard.finding.verdict, heard.rate_hz) == ("OK", 32000)
    assert f"{stream_server.address}, 32000 Hz" in heard.finding.found
    stream_server.status = 404
    gone = check_source("camera", _stream(stream_server.address)).finding
    assert (gone.verdict, gone.found) == ("FAIL", f"{stream_server.address}: Server returned 404 Not Found")
    assert "url.address" in gone.remedy


def test_source_of_a_stream_without_ffmpeg_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = check_source("camera", _stream("rtsp://camera/")).finding
    assert finding.verdict == "FAIL"
    assert "sudo apt install ffmpeg" in finding.found


def test_source_of_a_stream_whose_login_is_the_services_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    finding = check_source("camera", _stream("rtsp://camera/", SERVICE_FOLDER / "camera")).finding
    assert finding.verdict == "WARN"
    assert "credential camera" in finding.found
