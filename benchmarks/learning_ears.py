"""A source that learns in place, as the daemon has it, but as fast as it can be computed.

Learner, store, fitting, versions and the takeover in mid-stream are those of `auscult run`; the bundles are made by its own command in a
process of its own. Two things differ. While a bundle is made no sound comes, so that it is in force as soon as it was due: the time that it
took is told beside it. And nobody publishes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.alarms import Opened, Promises
from edge.bundles.bundle import Bundle
from edge.config.schema import FilesConfig, LearnConfig, SourceConfig
from edge.judgement.event import Event
from edge.judgement.taught import EventSound
from edge.judgement.window import Window
from edge.learning.learning import Learning, store_folder
from edge.learning.learning_report import LearningReport
from edge.learning.versions import Version, Versions
from edge.model import Model
from edge.node.health import InferenceTimes
from edge.node.listening import Listening
from edge.node.source_publisher import SourcePublisher
from edge.node.standby_listener import StandbyListener
from edge.pipeline import Listener

SOURCE = "machine"
WAIT_S = 0.1


@dataclass(frozen=True, slots=True)
class Learned:
    """A version that came into force."""

    number: int
    heard_s: float  # of the stream by then
    learned_s: float  # in the store
    fit_s: float  # of real time that making it took
    supported_per_week: float


class LearningEars:
    """One stream, whose bundle is made anew from time to time."""

    def __init__(
        self,
        bundle: Path,
        rate_hz: int,
        promises: Sequence[float],
        state_folder: Path,
        days: float,
        fit_command: tuple[str, ...] = (),
        *,
        has_person: bool = False,
    ) -> None:
        """Begin with a bundle, and keep what is learned in a state folder; `fit_command` as for `Learning`.

        A person says at once that what lasts is normal, when it is asked, and what events were, when `mark` is called.
        """
        self.model = Model.load(bundle)
        self.windows = self.anomalous = 0
        self.heard_s = 0.0
        self.versions: list[Learned] = []
        self.failures: list[str] = []  # why bundles could not be made
        self.accepted_s: list[float] = []  # of the stream, when the person has said that what lasts is normal
        self.sounds: list[EventSound] = []  # of the events that ended since the last scene began
        self.taught: tuple[list[EventSound], list[EventSound]] = ([], [])
        self._has_person = has_person
        self.listener_s = self.learning_s = 0.0  # CPU of this thread
        self._base = self.model.bundle.sha256
        self._rate_hz = rate_hz
        self._promises = Promises(promises)
        self._opened: list[Opened] = []
        self._waited_s = 0.0
        self._versions = Versions(store_folder(state_folder, SOURCE))
        self._asked: list[Callable[[str | None], None]] = []  # who wait for a bundle to be taken over
        self.learning = Learning(state_folder, fit_command, clock=lambda: self.heard_s + self._waited_s)
        self.learning.reload = self._ask
        self._config = SourceConfig(bundle=bundle, files=FilesConfig(paths=(bundle,)), learn=LearnConfig(days=days))
        self._adopt()
        self._listener = Listener(self.model, rate_hz)
        nobody = cast(SourcePublisher, _Nobody(self))
        self._listening = Listening(self._listener, self.model.bundle, rate_hz, nobody, InferenceTimes())
        self._listening.overhear(self.learning.learner(SOURCE))

    @property
    def report(self) -> LearningReport:
        """How learning fares."""
        report = self.learning.learner(SOURCE).report
        assert report is not None
        return report

    def is_open(self, promise: float) -> bool:
        """Whether an event is going on under a promise."""
        return self._promises.is_open(promise)

    def push(self, samples: NDArray[np.float32]) -> list[Opened]:
        """Hear mono audio, shape = (n,) float32, at most some seconds; return the events that it opened."""
        self.heard_s += len(samples) / self._rate_hz
        begun_s = time.thread_time()
        self._listening.push(samples)
        self.learning.poll()
        self.listener_s += time.thread_time() - begun_s
        if self._has_person and self.learning.learner(SOURCE).guard.asks and self.learning.accept(SOURCE) is None:
            self.accepted_s.append(self.heard_s)
        self._wait_for_bundle()
        opened, self._opened = self._opened, []
        return opened

    def mark(self, sounds: Sequence[EventSound]) -> None:
        """The events that these are of were false alarms."""
        self.taught[0].extend(sounds)
        self._listening.teach()

    def close(self) -> None:
        """Write what waits."""
        self.learning_s += self._listener.timings_s.get("learning", 0.0)
        self.learning.close()

    def window(self, window: Window) -> None:
        """A window was judged."""
        self.windows += 1
        self.anomalous += window.anomalous
        self._opened += [Opened(promise, self.heard_s) for promise in self._promises.hear(window, self.model)]

    def _ask(self, on_done: Callable[[str | None], None]) -> None:
        self._asked.append(on_done)

    def _adopt(self) -> None:
        self.learning.adopt({SOURCE: self._config}, {SOURCE: self._base}, {SOURCE: self.model.bundle.sha256})

    def _wait_for_bundle(self) -> None:
        """If one is being made, wait until it is in force, or it has failed and is to be tried again later."""
        begun_s, waited_s = time.monotonic(), self._waited_s
        was_making = self.learning.is_making(SOURCE)
        while self.learning.is_making(SOURCE):
            time.sleep(WAIT_S)
            self._waited_s = waited_s + time.monotonic() - begun_s
            self.learning.poll()
        if was_making and (problem := self.learning.problem(SOURCE)) is not None:
            self.failures.append(problem)
        asked, self._asked = self._asked, []
        if asked:
            self._take_over(self._waited_s - waited_s)
        for on_done in asked:
            on_done(None)

    def _chosen(self) -> Version | None:
        return self._versions.chosen(self._base)

    def _take_over(self, fit_s: float) -> None:
        chosen = self._chosen()
        assert chosen is not None
        bundle = Bundle.read(self._versions.path(chosen))
        self.model = Model(bundle)
        standby = StandbyListener(Listener(self.model, self._rate_hz), bundle, self._rate_hz, self._listening.recent)
        self._listening.end_event()
        self._promises.interrupt()
        self.learning_s += self._listener.timings_s.get("learning", 0.0)
        self._listener = cast(Listener, standby.listener)
        self._listening.take_over(standby)
        self._adopt()
        supported = chosen.supported_false_alarms_per_week
        self.versions.append(Learned(chosen.number, self.heard_s, chosen.learned_s, fit_s, supported))


class _Nobody:
    """Stands for a source's publisher."""

    is_watched = False
    remembered_s = 0.0

    def __init__(self, ears: LearningEars) -> None:
        self._ears = ears

    def window(self, window: Window) -> None:
        """Count it."""
        self._ears.window(window)

    def event(self, event: Event) -> None:
        """Events are counted under several promises."""

    def sound(self, sound: EventSound) -> None:
        """What stood out in an event that is over."""
        self._ears.sounds.append(sound)

    @property
    def taught(self) -> tuple[list[EventSound], list[EventSound]]:
        """What the person has marked."""
        return self._ears.taught

    def heard(self) -> None:
        """Nobody waits."""
