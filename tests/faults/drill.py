"""One run: machines are played, a real daemon listens, a real broker carries, and one thing after another goes wrong."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.evidence import Evidence, PlayedTrack
from tests.faults.fault_injector import FaultInjector
from tests.faults.plant import Plant
from tests.faults.schedule import Kind, Trouble

START_S = 60.0  # of real time
LAST_WORDS_S = 180.0  # longer than the longest backoff


class _NotInTimeError(RuntimeError):
    """Waited for something that did not happen."""


@dataclass(slots=True)
class _Task:
    """Something to be done at a time, or as soon after it as it may be."""

    at_s: float
    act: Callable[[], bool]  # False: not yet


class Drill:
    """What happens to a plant."""

    def __init__(self, plant: Plant, say: Callable[[str], None]) -> None:
        self._plant = plant
        self._pace = plant.pace
        self._say = say
        self._seconds = plant.players[0].track.seconds
        self._injector = FaultInjector(plant, self._seconds)
        self._tasks: list[_Task] = []
        self._done: Counter[Kind] = Counter()

    def run(self, troubles: tuple[Trouble, ...]) -> Evidence:
        """Play the tracks to their end, through all troubles, and wait until everything has been told.

        Raises
        ------
        RuntimeError
            when the daemon does not start, or ends by itself.
        """
        plant, begun_s = self._plant, time.monotonic()
        plant.broker.signal(signal.SIGUSR1)  # Mosquitto saves the recorder's session at once
        plant.daemon.start()
        self._wait_for(lambda: plant.daemon.is_up, START_S * self._pace.speed, "the daemon does not start")
        for player in plant.players:
            player.start()
        now_s = self._pace.now_s() - plant.track_s
        self._tasks = [_Task(now_s + trouble.at_s, self._starter(trouble)) for trouble in troubles]
        while self._tasks or plant.track_s < self._seconds:
            self._step()
        with contextlib.suppress(_NotInTimeError):  # then the verdict says what is missing
            self._wait_for(self._is_told, LAST_WORDS_S * self._pace.speed, "not every event of the log has arrived")
        played = []
        for player in plant.players:
            assert player.zero_s is not None
            player.silent.append((player.zero_s + self._seconds, self._pace.now_s()))
            played.append(PlayedTrack(player.track, player.zero_s, tuple(player.silent)))
        code = plant.daemon.stop()
        time.sleep(1.0)  # for the recorder to write down the last words
        return Evidence(
            self._pace.speed,
            tuple(played),
            tuple(plant.daemon.lives),
            tuple(plant.recorder.events()),
            sum(arrival.topic.endswith("/score") for arrival in plant.recorder.arrivals),
            plant.recorder.sessions_lost,
            self._done,
            plant.disk.description,
            code,
            time.monotonic() - begun_s,
        )

    def _step(self) -> None:
        self._plant.daemon.check()
        for player in self._plant.players:
            player.check()
        for task in [task for task in self._tasks if task.at_s <= self._pace.now_s()]:
            if task.act():
                self._tasks.remove(task)
        time.sleep(0.02)

    def _wait_for(self, is_so: Callable[[], object], timeout_s: float, problem: str) -> None:
        deadline_s = self._pace.now_s() + timeout_s
        while not is_so():
            self._plant.daemon.check()
            if self._pace.now_s() > deadline_s:
                raise _NotInTimeError(f"{problem} within {timeout_s:.0f} s")
            time.sleep(0.05)

    def _is_told(self) -> bool:
        """Everything that the log says has arrived, and the daemon is connected."""
        daemon, recorder = self._plant.daemon, self._plant.recorder
        logged = {line.split("event ")[1].split()[0] for life in daemon.lives for line in list(life.lines) if " opened from " in line}
        heard_s = recorder.heard_s("/level")  # not retained, so never of an earlier connection
        is_heard = heard_s is not None and time.monotonic() - heard_s < 1.5
        return daemon.is_up and is_heard and logged <= recorder.opened()

    def _starter(self, trouble: Trouble) -> Callable[[], bool]:
        def act() -> bool:
            if not self._injector.begin(trouble):
                return False
            self._done[trouble.kind] += 1
            detail = f" by {trouble.shift_s:+.0f} s" if trouble.kind == "clock set" else f" for {trouble.lasts_s:.1f} s"
            self._say(f"{self._plant.track_s:6.1f} s  {trouble.kind}{detail}")
            self._tasks.append(_Task(self._pace.now_s() + trouble.lasts_s, lambda: self._injector.repair(trouble)))
            return True

        return act
