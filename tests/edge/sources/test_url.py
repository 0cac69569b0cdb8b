"""Streams from the network: a real ffmpeg, against servers of tests/stream_server.py and tests/rtsp_server.py."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge.errors import ConfigError, DeviceError
from edge.sources import url
from edge.sources.stream_address import Login
from edge.sources.url import UrlSource
from tests.certificates import Authority
from tests.rtsp_server import RtspServer
from tests.stream_server import RATE_HZ, StreamServer, encoded, require_ffmpeg

TIMEOUT_S = 30.0
TONE_HZ = 1000
LOGIN = Login("watcher", "s3cret p@ss'%word")


def tone(seconds: float, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    return (0.25 * np.sin(2 * np.pi * TONE_HZ * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


@pytest.fixture
def open_source() -> Iterator[Callable[..., UrlSource]]:
    require_ffmpeg()
    opened = []

    def make(address: str, **more: object) -> UrlSource:
        source = UrlSource("pump1", address, **{"rate_hz": RATE_HZ, **more})  # type: ignore[arg-type]
        opened.append(source)
        source.open()
        return source

    yield make
    for source in opened:
        source.close()


def hear(source: UrlSource, seconds: float) -> NDArray[np.float32]:
    parts: list[NDArray[np.float32]] = []
    deadline_s = time.monotonic() + TIMEOUT_S
    while sum(map(len, parts)) < seconds * source.rate_hz:
        assert time.monotonic() < deadline_s, "nothing was heard"
        if (block := source.read()) is not None:
            parts.append(block.samples)
    return np.concatenate(parts)


def frequency_hz(samples: NDArray[np.float32], rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * rate_hz / len(samples))


def problem_of(source: UrlSource) -> str:
    """Read until it fails; return how."""
    deadline_s = time.monotonic() + TIMEOUT_S
    with pytest.raises(DeviceError) as caught:  # noqa: PT012
        while time.monotonic() < deadline_s:
            source.read()
    return str(caught.value)


def children(of: int | None = None) -> dict[int, bytes]:
    """Every ffmpeg that a process (this one) has started, and its arguments."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            arguments = (folder / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == (of or os.getpid()) and b"ffconcat" not in arguments and b"concat" in arguments:
            found[int(folder.name)] = arguments
    return found


def wait_until(is_so: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_url_hears_what_the_server_sends_at_the_speed_of_the_clock(
    stream_server: StreamServer, open_source: Callable[..., UrlSource]
) -> None:
    stream_server.sound, stream_server.speed = tone(1.0), 1.0
    source = open_source(stream_server.address, rate_hz=32000)
    assert (source.device, source.rate_hz, source.live, source.finished) == (stream_server.address, 32000, True, False)
    samples = hear(source, 1.0)
    assert frequency_hz(samples, 32000) == pytest.approx(TONE_HZ, abs=2)
    assert np.sqrt(2 * np.mean(samples**2)) == pytest.approx(0.25, rel=0.02)
    hear(source, 4.0)  # what came while ffmpeg looked at the stream
    started_s = time.monotonic()
    heard_s = len(hear(source, 2.0)) / 32000
    assert heard_s / (time.monotonic() - started_s) == pytest.approx(1.1, abs=0.25)
    assert source.stalled_s < 1.5


@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg", "adts", "matroska"])
def test_url_hears_what_is_compressed(stream_server: StreamServer, open_source: Callable[..., UrlSource], kind: str) -> None:
    stream_server.bodies["/stream"] = encoded(tone(2.0), kind)
    assert frequency_hz(hear(open_source(stream_server.address), 1.5), RATE_HZ) == pytest.approx(TONE_HZ, abs=2)


def test_url_that_comes_all_at_once_is_taken_at_the_speed_of_the_clock_and_not_lost(
    stream_server: StreamServer, open_source: Callable[..., UrlSource]
) -> None:
    stream_server.bodies["/stream"] = encoded(tone(60.0), "flac")
    source = open_source(stream_server.address)
    time.sleep(3.0)
    assert 2.5 < source.waiting_s < 5.5
    lost = 0
    started_s = time.monotonic()
    while time.monotonic() - started_s < 2.0:
        if (block := source.read()) is not None:
            lost += block.lost_samples
    assert lost == 0


def test_url_channel_and_mix(stream_server: StreamServer, open_source: Callable[..., UrlSource], tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([tone(3.0), np.zeros(3 * RATE_HZ, np.float32)], axis=1), RATE_HZ)
    stream_server.bodies["/stream"] = (tmp_path / "a.wav").read_bytes()
    for settings, amplitude in (({}, 0.125), ({"channels": 2, "channel": 1}, 0.0), ({"channels": 2, "channel": "mix"}, 0.125)):
        samples = hear(open_source(stream_server.address, **settings), 1.0)
        assert np.sqrt(2 * np.mean(samples**2)) == pytest.approx(amplitude, abs=0.01)


def test_url_that_ends_says_why_and_what_is_lost_until_it_is_back_is_counted(
    stream_server: StreamServer, open_source: Callable[..., UrlSource]
) -> None:
    source = open_source(stream_server.address)
    hear(source, 0.5)
    stream_server.stop()
    assert problem_of(source).startswith(f"{stream_server.address}: ")
    source.close()
    gone_s = time.monotonic()
    with pytest.raises(DeviceError, match="Connection refused"):
        source.open()
    time.sleep(2.0)
    stream_server.start()
    source.open()
    away_s = time.monotonic() - gone_s
    block = None
    while block is None:
        block = source.read()
    # As long as nothing came, less the seconds of sound that ffmpeg has looked at before it gave any.
    assert 1.0 < block.lost_samples / RATE_HZ < away_s + 6.0
    wait_until(lambda: len(children()) == 1)


def test_url_that_gives_nothing_any_more_stalls(stream_server: StreamServer, open_source: Callable[..., UrlSource]) -> None:
    source = open_source(stream_server.address)
    stream_server.is_stalled = True
    wait_until(lambda: (source.read(), source.stalled_s > 1.0)[1])
    assert source.read() is None
    source.close()
    assert source.stalled_s == 0.0
    wait_until(lambda: not children())


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"status": 404}, "404 Not Found"),
        ({"login": ("user", "password")}, "401 Unauthorized"),
        ({"bodies": {"/stream": b"<html>no sound</html>" * 100}}, "Invalid data found"),
        ({"bodies": {"/stream": bytes(1000)}}, "Invalid data found"),
    ],
)
def test_url_that_cannot_be_heard_is_one_line(
    stream_server: StreamServer, open_source: Callable[..., UrlSource], settings: dict[str, object], problem: str
) -> None:
    for name, value in settings.items():
        setattr(stream_server, name, value)
    with pytest.raises(DeviceError, match=problem) as caught:
        open_source(stream_server.address + "?key=MARKER", read_login=lambda: LOGIN)
    assert str(caught.value).startswith(f"{stream_server.address}: ")
    assert not any(secret in str(caught.value) for secret in ("MARKER", "watcher", "s3cret"))
    wait_until(lambda: not children())


@pytest.mark.parametrize("how", ["redirect", "playlist", "list", "data"])
def test_url_of_a_hostile_server_opens_no_file(
    stream_server: StreamServer, open_source: Callable[..., UrlSource], tmp_path: Path, how: str
) -> None:
    soundfile.write(tmp_path / "private.wav", tone(3.0), RATE_HZ)
    target = f"file://{tmp_path}/private.wav"
    if how == "redirect":
        stream_server.redirect = target
    elif how == "data":
        stream_server.redirect = f"concat:{tmp_path}/private.wav"
    else:
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n"
        stream_server.bodies["/stream"] = (playlist if how == "playlist" else f"ffconcat version 1.0\nfile '{target}'\n").encode()
    with pytest.raises(DeviceError):
        open_source(stream_server.address)


def test_url_of_a_picture_alone_says_that_there_is_no_sound(stream_server: StreamServer, open_source: Callable[..., UrlSource]) -> None:
    command = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=duration=1:size=64x64", "-f", "matroska", "pipe:1"]
    stream_server.bodies["/stream"] = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    with pytest.raises(DeviceError, match="stream: has no sound"):
        open_source(stream_server.address)


def test_url_whose_answer_never_ends_or_never_begins_is_given_up(
    stream_server: StreamServer, open_source: Callable[..., UrlSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(url, "OPEN_WAIT_S", 2.0)
    stream_server.is_stalled = True
    with pytest.raises(DeviceError, match="gives no sound within 2 s"):
        open_source(stream_server.address)
    wait_until(lambda: not children())


def test_url_login_is_sent_and_stands_nowhere(stream_server: StreamServer, open_source: Callable[..., UrlSource]) -> None:
    stream_server.login = (LOGIN.user, LOGIN.password)
    source = open_source(stream_server.address + "?key=MARKER", read_login=lambda: LOGIN)
    hear(source, 0.5)
    assert source.device == stream_server.address
    ((pid, arguments),) = children().items()
    for secret in (b"MARKER", b"watcher", b"s3cret", b"127.0.0.1"):
        assert secret not in arguments
        assert secret not in Path(f"/proc/{pid}/environ").read_bytes()
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert "Max data size             536870912            536870912" in limits


def test_url_login_that_cannot_be_read_is_a_device_that_is_away(open_source: Callable[..., UrlSource]) -> None:
    def fail() -> Login:
        raise ConfigError("/etc/auscult/camera", "cannot be read")

    with pytest.raises(DeviceError, match="/etc/auscult/camera: cannot be read"):
        open_source("http://127.0.0.1:1/", read_login=fail)


def test_url_certificate_is_checked(open_source: Callable[..., UrlSource], tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = StreamServer(authority.issue("camera"))
    server.start()
    try:
        with pytest.raises(DeviceError, match="Peer certificate failed verification"):
            open_source(server.address)
        assert len(hear(open_source(server.address, ca_file=authority.ca_file), 0.5))
    finally:
        server.stop()


@pytest.mark.parametrize("login", [None, LOGIN])
def test_url_rtsp_camera_sends_its_sound_and_not_its_picture(open_source: Callable[..., UrlSource], login: Login | None) -> None:
    server = RtspServer(None if login is None else (login.user, login.password))
    try:
        source = open_source(server.address, rate_hz=8000, read_login=lambda: login)
        started_s = time.monotonic()
        heard_s = len(hear(source, 2.0)) / 8000
        assert heard_s / (time.monotonic() - started_s) == pytest.approx(1.0, abs=0.25)
        assert server.asked_for == ["sound"]
    finally:
        server.stop()
    assert problem_of(source).startswith(server.address)


def test_url_rtsp_wrong_password_is_one_line_without_it(open_source: Callable[..., UrlSource]) -> None:
    server = RtspServer(("watcher", "right"))
    try:
        with pytest.raises(DeviceError, match="401 Unauthorized") as caught:
            open_source(server.address, read_login=lambda: Login("watcher", "wrongest"))
    finally:
        server.stop()
    assert "wrongest" not in str(caught.value)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_url_child_dies_with_its_parent_however_that_dies(stream_server: StreamServer, number: signal.Signals) -> None:
    program = f"""
from edge.sources.url import UrlSource
source = UrlSource("pump1", "{stream_server.address}", rate_hz=16000)
source.open()
print("open", flush=True)
while True: source.read()
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        (child,) = children(process.pid)
        stream_server.is_stalled = True  # so that it has nothing to write to a pipe that is gone
        process.send_signal(number)
        process.wait(TIMEOUT_S)
        wait_until(lambda: not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text())
    finally:
        process.kill()
        process.communicate()


def test_url_without_ffmpeg_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="ffmpeg: is not installed, and a source with `url` needs it; run: sudo apt install ffmpeg"):
        UrlSource("pump1", "http://127.0.0.1/", rate_hz=RATE_HZ).open()


def test_url_with_an_old_ffmpeg_goes_without_options_and_refuses_what_needs_them(
    stream_server: StreamServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "ffmpeg"
    says = "libavformat    58. 76.100 / 58. 76.100"  # as Ubuntu 22.04's does
    old.write_text(f'#!/bin/sh\n[ "$1" = -version ] && echo \'{says}\' && exit\nexec {shutil.which("ffmpeg")} "$@"\n')
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    source = UrlSource("pump1", stream_server.address, rate_hz=RATE_HZ)
    source.open()
    assert len(hear(source, 0.2))
    source.close()
    with pytest.raises(DeviceError, match=r"is older than 5\.0 and cannot check certificates for https://"):
        UrlSource("pump1", "https://127.0.0.1/", rate_hz=RATE_HZ).open()


def fake_ffmpeg(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Stands for a version of ffmpeg that we do not have, or for one that has gone mad."""
    program = folder / "ffmpeg"
    program.write_text(f'#!/bin/sh\n[ "$1" = -version ] && exit\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_url_child_that_says_much_is_heard_and_its_last_words_are_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_ffmpeg(
        tmp_path,
        monkeypatch,
        "cat >/dev/null; yes a line of no interest | head -n 100000 >&2; head -c 64000 /dev/zero\n"
        "echo '[rtsp @ 0x55] lost http://watcher:s3cret@h/x?key=MARKER of watcher' >&2; head -c 100000 /dev/zero | tr '\\0' x >&2; exit 3",
    )
    source = UrlSource("pump1", "http://h/x", rate_hz=RATE_HZ, read_login=lambda: Login("watcher", "s3cret"))
    source.open()
    assert len(hear(source, 1.0)) == RATE_HZ
    problem = problem_of(source)
    source.close()
    assert problem.startswith("http://h/x: lost http://h/x of (withheld); xxx")
    assert len(problem) < 600


def test_url_child_that_does_not_end_when_asked_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_ffmpeg(tmp_path, monkeypatch, f"trap '' TERM; echo $$ >{tmp_path}/pid; head -c 64000 /dev/zero; while :; do sleep 0.05; done")
    source = UrlSource("pump1", "http://h/x", rate_hz=RATE_HZ)
    source.open()
    pid = (tmp_path / "pid").read_text().strip()
    started_s = time.monotonic()
    source.close()
    assert time.monotonic() - started_s < 0.5  # nobody waits for it
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
