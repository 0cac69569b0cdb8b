"""A private PulseAudio server whose null sink is a microphone for PortAudio. A pytest plugin: see the fixture `pulse`.

Debian's PortAudio speaks ALSA only, so an ALSA configuration names a device that reads the monitor of the null sink.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

MICROPHONE = "auscult_microphone"  # what PortAudio calls the device; "auscult" is enough to find it
SPARE_MICROPHONE = "spare_microphone"  # always silent; "microphone" fits both
SINK_RATE_HZ = 48000
# As ALSA counts the channels of eight: PulseAudio mixes channels by their names when both ends do not agree on them.
_CHANNEL_MAPS = {
    1: "mono",
    2: "front-left,front-right",
    8: "front-left,front-right,rear-left,rear-right,front-center,lfe,side-left,side-right",
}
_SYSTEM_ALSA_CONFIG = "/usr/share/alsa/alsa.conf"
_INSTALL = "sudo apt install pulseaudio pulseaudio-utils libportaudio2 libasound2-plugins"
_TIMEOUT_S = 30.0


class PulseServer:
    """A PulseAudio daemon of one test: what is played on its null sink is heard by `MICROPHONE`."""

    def __init__(self, folder: Path) -> None:
        """`folder` must be short: it holds a Unix socket."""
        self._folder = folder
        self._socket = folder / "native"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._plugged: dict[str, subprocess.Popen[bytes]] = {}  # microphones with a server of their own, by name
        self._players: list[subprocess.Popen[bytes]] = []
        self._alsa = alsa = folder / "asound.conf"
        self._written = 0
        self._list_devices()
        self.variables = {  # what a process needs to hear this server; `pulse` has put them into os.environ
            "ALSA_CONFIG_PATH": f"{_SYSTEM_ALSA_CONFIG}:{alsa}",
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_COOKIE": str(folder / "cookie"),
            "PULSE_RUNTIME_PATH": str(folder / "runtime"),
        }

    def _list_devices(self) -> None:
        """What was plugged in last comes first: all other devices get another index."""
        plugged = [self._device(name, name, self._folder / name) for name in reversed(self._plugged)]
        own = [self._device(MICROPHONE, "auscult", self._socket), self._device(SPARE_MICROPHONE, "spare", self._socket)]
        self._alsa.write_text("".join(plugged + own))
        self._written += 1
        os.utime(self._alsa, (self._written, self._written))  # ALSA reads it again when it has another time, in whole seconds

    def plug(self, name: str, rate_hz: int = SINK_RATE_HZ, channels: int = 2) -> None:
        """One more microphone, which hears what is played on the sink of its name, with a server of its own."""
        self._plugged[name] = self._launch(self._folder / name, name, rate_hz=rate_hz, channels=channels)
        self._list_devices()

    def unplug(self, name: str) -> None:
        """Pull it out again."""
        _end(self._plugged.pop(name))
        self._list_devices()

    @staticmethod
    def _device(name: str, sink: str, socket: Path) -> str:
        return f'pcm.{name} {{ type pulse server "unix:{socket}" device "{sink}.monitor" hint {{ show on description "{name}" }} }}\n'

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        self._daemon = self._launch(self._socket, "auscult", "spare")

    def _launch(self, socket: Path, *sinks: str, rate_hz: int = SINK_RATE_HZ, channels: int = 2) -> subprocess.Popen[bytes]:
        socket.unlink(missing_ok=True)
        with (self._folder / "log").open("ab") as log:
            daemon = subprocess.Popen(
                [
                    *("pulseaudio", "-n", "--system=false", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"),
                    *("--disable-shm=yes", "--realtime=no", "--high-priority=no"),
                    f"--load=module-native-protocol-unix auth-anonymous=1 socket={socket}",
                    *(f"--load=module-null-sink sink_name={name} {_sink_options(rate_hz, channels)}" for name in sinks),
                ],
                # As root too; and nothing of the user's own sound server.
                env={**os.environ, **self.variables, "HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder)},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _TIMEOUT_S
        while self._ask(socket, "info").returncode:
            if daemon.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"pulseaudio did not start:\n{(self._folder / 'log').read_text()}")
            time.sleep(0.02)
        return daemon

    def remove_sink(self, sink: str = "auscult") -> None:
        """The sink and its monitor are gone, and with them everybody's streams; the server stays."""
        socket = self._socket_of(sink)
        listing = self._ask(socket, "list", "short", "modules").stdout.decode()
        for number, _, arguments in (line.split("\t")[:3] for line in listing.splitlines()):
            if f"sink_name={sink} " in arguments:
                self._ask(socket, "unload-module", number)

    def restore_sink(self, sink: str = "auscult", rate_hz: int = SINK_RATE_HZ) -> None:
        """It is back, and silent until somebody plays."""
        self._ask(self._socket_of(sink), "load-module", "module-null-sink", f"sink_name={sink}", *_sink_options(rate_hz).split())

    def streams(self, sink: str = "auscult") -> int:
        """How many streams record the sink's monitor."""
        return len(self._ask(self._socket_of(sink), "list", "short", "source-outputs").stdout.splitlines())

    def server_of(self, sink: str) -> str:
        """What PulseAudio's programs want as `--server`."""
        return f"unix:{self._socket_of(sink)}"

    def _socket_of(self, sink: str) -> Path:
        return self._folder / sink if sink in self._plugged else self._socket

    def _ask(self, socket: Path, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["pactl", *command], env=self._environment(socket), capture_output=True, timeout=_TIMEOUT_S)

    def _environment(self, socket: Path) -> dict[str, str]:
        return {**os.environ, **self.variables, "PULSE_SERVER": f"unix:{socket}"}

    def play(self, sound: Path | NDArray[np.float32], rate_hz: int = SINK_RATE_HZ, sink: str = "auscult") -> subprocess.Popen[bytes]:
        """Play a file, or samples (samples,) or (samples, channels); returns the player at once: `.wait()` until it ends."""
        if not isinstance(sound, Path):
            path = self._folder / f"{len(self._players)}.wav"
            soundfile.write(path, sound, rate_hz, subtype="FLOAT")
            sound = path
        channel_map = _CHANNEL_MAPS[soundfile.info(sound).channels]
        player = subprocess.Popen(
            ["paplay", f"--device={sink}", f"--channel-map={channel_map}", sound], env=self._environment(self._socket_of(sink))
        )
        self._players.append(player)
        return player

    def freeze(self) -> None:
        """The server stops answering, as a wedged driver does."""
        assert self._daemon
        self._daemon.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        assert self._daemon
        self._daemon.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill the server, as if the microphone were pulled out; `start` plugs it in again."""
        for process in (*self._players, *self._plugged.values(), self._daemon):
            if process is not None:
                _end(process)


def _sink_options(rate_hz: int, channels: int = 2) -> str:
    # Without "norewinds" a null sink has two seconds of latency, and its monitor starts that late.
    return f"rate={rate_hz} channels={channels} channel_map={_CHANNEL_MAPS[channels]} format=float32le norewinds=1"


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


@pytest.fixture
def pulse(monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    """A running `PulseServer`. This process and its children find `MICROPHONE` through PortAudio while the test runs.

    auscult's own listing starts PortAudio afresh, so it sees the devices of this test although PortAudio was loaded before.
    """
    if shutil.which("pulseaudio") is None:
        pytest.skip(f"pulseaudio is not installed; {_INSTALL}")
    for program in ("paplay", "pactl"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is not installed; {_INSTALL}")
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        pytest.fail(f"ALSA's PulseAudio plugin is not installed; {_INSTALL}")
    with tempfile.TemporaryDirectory(prefix="auscult-pulse-") as folder:
        server = PulseServer(Path(folder))
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        try:
            server.start()
            yield server
        finally:
            server.stop()
