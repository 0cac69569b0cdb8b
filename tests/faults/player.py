"""The machine runs on whether anybody hears it or not: its recording is played from the second at which it is by now."""

from __future__ import annotations

import subprocess
from pathlib import Path

from edge import clock
from tests.faults.scene import RATE_HZ
from tests.pulse import PulseServer

LATENCY_MS = 500


class Player:
    """`pacat` on the null sink, which plays in real time."""

    def __init__(self, pulse: PulseServer, recording: Path) -> None:
        self.zero_s: float | None = None  # `edge.clock.now_s` at the recording's beginning
        self.silent: list[tuple[float, float]] = []  # when nothing was played
        self._pulse = pulse
        self._recording = recording
        self._process: subprocess.Popen[bytes] | None = None
        self._silent_since_s: float | None = None

    def start(self) -> None:
        """Play on."""
        now_s = clock.now_s()
        self.zero_s = now_s if self.zero_s is None else self.zero_s
        options = ["--playback", "--raw", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1", "--device=auscult"]
        with self._recording.open("rb") as file:
            file.seek(2 * round((now_s - self.zero_s) * RATE_HZ))
            self._process = subprocess.Popen(["pacat", *options, f"--latency-msec={LATENCY_MS}"], stdin=file, stderr=subprocess.DEVNULL)
        if self._silent_since_s is not None:
            self.silent.append((self._silent_since_s, clock.now_s()))
            self._silent_since_s = None

    def remove_sink(self) -> None:
        """Pull out the sink; the player dies of it."""
        self._silent_since_s = clock.now_s()
        self._pulse.remove_sink()
        self.close()

    def restore_sink(self) -> None:
        """Put it back in, and play on."""
        self._pulse.restore_sink()
        self.start()

    def check(self) -> None:
        """Raise RuntimeError when the player has ended with an error."""
        if self._process is not None and self._process.poll() not in (None, 0):
            raise RuntimeError(f"pacat has ended with exit code {self._process.returncode}")

    def close(self) -> None:
        """Stop."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
