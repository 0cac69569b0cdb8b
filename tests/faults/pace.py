"""How fast time passes for the daemon and the drill: at ten times its speed a day takes two hours and a half."""

from __future__ import annotations

import select
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from edge import clock

# They keep the real clock: what they wait for is other programs.
_REAL_CLOCKS = (subprocess,)


@dataclass(frozen=True, slots=True)
class Pace:
    """Both clocks agree at `zero_s`. Other programs (the broker, the sound servers) live in real time."""

    speed: float = 1.0
    zero_s: float = field(default_factory=clock.now_s)

    def now_s(self) -> float:
        """Return `edge.clock.now_s` as the daemon has it."""
        return self.of(clock.now_s())

    def of(self, real_s: float) -> float:
        """Return a time of a clock of this machine as the daemon has it."""
        return self.zero_s + (real_s - self.zero_s) * self.speed

    def sleep(self, seconds: float) -> None:
        """Wait for so many of the daemon's seconds."""
        time.sleep(seconds / self.speed)

    def impose(self) -> None:
        """Have this process live at this pace; before anything of the daemon is imported, for some parts take their clocks then.

        Clocks run faster and waits are shorter, in Python; what C libraries wait for by themselves is as it was. A microphone gives as many
        more samples per second.
        """
        if self.speed == 1.0:
            return
        wall, wall_ns, boot_less_wall_s = time.time, time.time_ns, clock.now_s() - time.time()
        zero_s = self.zero_s - boot_less_wall_s  # of the wall clock

        def wall_s() -> float:
            return zero_s + (wall() - zero_s) * self.speed

        patch.multiple(
            time,
            time=wall_s,
            time_ns=lambda: round(1e9 * zero_s) + round((wall_ns() - 1e9 * zero_s) * self.speed),
            monotonic=_faster(time.monotonic, self.of),
            sleep=_shorter(time.sleep, 0, self.speed),
        ).start()
        patch.object(clock, "now_s", _faster(clock.now_s, self.of)).start()
        patch.object(threading, "_time", time.monotonic).start()  # of `Condition.wait_for`
        patch.object(threading.Condition, "wait", _shorter(threading.Condition.wait, 1, self.speed)).start()
        patch.object(select, "select", _shorter(select.select, 3, self.speed)).start()
        self._hurry_microphones()

    def _hurry_microphones(self) -> None:
        from edge.sources import portaudio

        opened = portaudio._opened

        def faster(sounddevice: Any, device: Any, rate_hz: int, *others: Any) -> Any:
            return opened(sounddevice, device, round(rate_hz * self.speed), *others)

        patch.object(portaudio, "_opened", faster).start()


def _faster(read: Callable[[], float], of: Callable[[float], float]) -> Callable[[], float]:
    return lambda: of(read())


def _shorter(wait: Callable[..., Any], place: int, speed: float) -> Callable[..., Any]:
    """Return `wait` with its argument at `place`, a time in seconds or None, divided by the speed."""

    def waits(*arguments: Any, timeout: float | None = None) -> Any:
        values = [*arguments] if len(arguments) > place else [*arguments, timeout]
        if values[place] is not None:
            values[place] /= speed
        return wait(*values)

    return waits
