"""The machine runs on whether anybody hears it or not: its track is played from the second at which it is by now."""

from __future__ import annotations

import contextlib
import subprocess
import threading

from tests.faults.pace import Pace
from tests.faults.scene import Track
from tests.pulse import SINK_RATE_HZ, PulseServer

LATENCY_MS = 500  # of real time
PIECE_BYTES = 1 << 16


class Player:
    """`pacat` on a null sink, which plays as fast as the pace says. Times are those of the pace."""

    def __init__(self, pulse: PulseServer, track: Track, pace: Pace) -> None:
        """The microphone is named after the source."""
        self.track = track
        self.zero_s: float | None = None  # at the track's beginning
        self.silent: list[tuple[float, float]] = []  # when nothing was played
        self._pulse = pulse
        self._pace = pace
        self._rate_hz = round(track.scene.rate_hz * pace.speed)
        # At the microphone's pace nothing has to be resampled; as in life, a sound card has its own rate.
        self._sink_hz = SINK_RATE_HZ if pace.speed == 1.0 else self._rate_hz
        self._process: subprocess.Popen[bytes] | None = None
        self._silent_since_s: float | None = None
        pulse.plug(track.source, self._sink_hz)

    def start(self) -> None:
        """Play on."""
        now_s = self._pace.now_s()
        self.zero_s = now_s if self.zero_s is None else self.zero_s
        options = ["--playback", "--raw", "--format=s16le", f"--rate={self._rate_hz}", "--channels=1", f"--device={self.track.source}"]
        server = f"--server={self._pulse.server_of(self.track.source)}"
        self._process = subprocess.Popen(
            ["pacat", server, *options, f"--latency-msec={LATENCY_MS}"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        threading.Thread(target=self._feed, args=(self._process, now_s - self.zero_s), daemon=True).start()
        if self._silent_since_s is not None:
            self.silent.append((self._silent_since_s, self._pace.now_s()))
            self._silent_since_s = None

    def remove_sink(self) -> None:
        """Pull out the sink; the player dies of it."""
        self._silent_since_s = self._pace.now_s()
        self._pulse.remove_sink(self.track.source)
        self.close()

    def restore_sink(self) -> None:
        """Put it back in, and play on."""
        self._pulse.restore_sink(self.track.source, self._sink_hz)
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

    def _feed(self, process: subprocess.Popen[bytes], from_s: float) -> None:
        """Write the track, from a second of it on to its end, into the player; it takes it as it plays.

        A player that was kept from playing for longer than it holds goes on where the machine is by now, and was silent meanwhile.
        """
        assert process.stdin is not None
        assert self.zero_s is not None
        second_bytes = 2 * self.track.scene.rate_hz
        held_s = LATENCY_MS / 1000.0 * self._pace.speed
        written_s = from_s
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe, self.track.scene.recording.open("rb") as file:
            file.seek(self.track.position(from_s))
            while written_s < self.track.seconds:
                now_s = self._pace.now_s() - self.zero_s
                if now_s > written_s + held_s:
                    self.silent.append((self.zero_s + written_s, self.zero_s + now_s + held_s))
                    written_s = now_s
                    file.seek(self.track.position(now_s))
                piece = file.read(min(PIECE_BYTES, 2 * round((self.track.seconds - written_s) * self.track.scene.rate_hz)))
                if not piece:
                    file.seek(0)
                pipe.write(piece)
                pipe.flush()
                written_s += max(len(piece) / second_bytes, 0.0 if piece else 1e-9)
