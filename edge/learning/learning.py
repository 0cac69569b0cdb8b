"""Learning in place on one node: for each source a learner and what makes bundles of its store; and the thread that writes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.config.schema import SourceConfig
from edge.errors import StoreError
from edge.learning.fitting import FIRST_AFTER_S, Fitting, due_s
from edge.learning.gathering import Gathering
from edge.learning.guard import LASTS_S
from edge.learning.source_learner import SourceLearner
from edge.learning.starter import MAKING_S, first_due_s, starter_path
from edge.learning.starting_sound import StartingSound
from edge.learning.versions import Version, Versions
from edge.model import BACKBONE_MEMBER
from edge.private_files import make_folder
from edge.remote.background_writer import BackgroundWriter, Problem

FOLDER = "learning"
LOOK_EVERY_S, LOOK_PLAYING_S = 2.0, 0.2  # the latter where a file is played as fast as can be
ASK_AGAIN_S = 60.0  # after a reload that was refused
LAST_WORTH_S = 600.0  # when learning is over, so much more than the last bundle knows is worth another

QUESTION = "question"  # a file in the store while somebody is asked; whoever deletes it says yes
ANSWER = "`auscult learn --accept`, or the command accept"
LOG = logging.getLogger("auscult.learning")

Reload = Callable[[Callable[[str | None], None]], object]  # hears when it is over, and why not


def store_folder(state_folder: Path, source: str) -> Path:
    """Where a source's store lies."""
    return state_folder / FOLDER / source


@dataclass(slots=True)
class _Source:
    """What is known of a source that may learn."""

    learner: SourceLearner
    fitting: Fitting
    versions: Versions
    starter: Path
    config: SourceConfig | None = None
    base: str | None = None  # SHA-256 of the bundle that the configuration names, or of the starter; None while there is neither
    in_force: str | None = None  # SHA-256 of what listens
    sound: StartingSound | None = None  # for the starter
    asked: str | None = None  # for what a reload was asked
    is_asking: bool = False  # and it is not over
    ask_at_s: float = 0.0

    @property
    def is_self_taught(self) -> bool:
        """Whether it has no bundle but what it makes."""
        return self.config is not None and self.config.bundle is None

    @property
    def is_player(self) -> bool:
        """Whether its sound comes as fast as it is taken."""
        return self.config is not None and self.config.files is not None and not self.config.files.realtime

    @property
    def waits(self) -> bool:
        """Whether its sound should come when the bundle that is being made is in force."""
        is_to_begin = self.base is None and self.sound is not None and self.sound.is_full and self.fitting.problem is None
        return self.is_player and (self.fitting.is_busy or self.is_asking or is_to_begin)

    @property
    def first_s(self) -> float:
        """At how many seconds of learned sound the first bundle is made."""
        learn = None if self.config is None else self.config.learn
        return first_due_s(learn.first_minutes) if learn is not None and self.is_self_taught else FIRST_AFTER_S

    @property
    def is_listening(self) -> bool:
        """Whether nothing is judged yet."""
        return self.is_self_taught and self.in_force in (None, self.base)

    @property
    def wanted(self) -> str | None:
        """What a reload is needed for: the bundle that should listen, or a word for none; None when all is well."""
        if self.is_self_taught and self.starter.exists() != (self.base is not None):
            return "a starter" if self.base is None else "none"
        chosen = None if self.base is None else self.versions.chosen(self.base)
        wanted = self.base if chosen is None else chosen.sha256
        return None if wanted == self.in_force else wanted

    def drop_sound(self) -> None:
        """The first minutes are not needed any more."""
        if self.sound is not None:
            self.sound.close()
            self.sound = None


class Learning:
    """Used by the worker's thread. What is kept lies in `learning` in the state folder."""

    def __init__(self, state_folder: Path, fit_command: tuple[str, ...] = (), clock: Callable[[], float] = time.monotonic) -> None:
        """`fit_command` runs `calibrate`; this Python's own if it is empty."""
        self.reload: Reload = lambda _on_done: None
        self._state_folder = state_folder
        self._fit_command = fit_command
        self._clock = clock
        self._writer = BackgroundWriter()
        self._sources: dict[str, _Source] = {}
        self._questions: dict[str, bool] = {}  # the sources of which somebody is asked, and whether that is on disk
        self._look_at_s = 0.0

    def learner(self, source: str) -> SourceLearner:
        """A source's, the same one each time; it learns nothing until `adopt` says so."""
        return self._source(source).learner

    def gathering(self, source: str, rate_hz: int) -> Gathering:
        """What listens to a source while there is not even a starter."""
        own = self._source(source)
        if own.sound is None or own.sound.from_hz != rate_hz:
            own.drop_sound()
            own.sound = StartingSound(rate_hz)
        return Gathering(own.sound)

    def adopt(self, sources: Mapping[str, SourceConfig], bases: Mapping[str, str], in_force: Mapping[str, str]) -> None:
        """From now on learn from these sources as they say.

        Parameters
        ----------
        bases : the SHA-256 of the bundles that the configuration names, or of the starters, by source.
        in_force : of those that listen.
        """
        for name in {*self._sources, *sources}:
            own = self._source(name)
            own.config, own.base, own.in_force = sources.get(name), bases.get(name), in_force.get(name)
            learn = None if own.config is None else own.config.learn
            own.learner.days = None if learn is None else learn.days
            own.learner.is_listening = own.is_listening
            if own.in_force is None:
                own.learner.end()
            if learn is None:
                own.fitting.stop()

    def versions(self, source: str) -> tuple[Version, ...]:
        """Those of a source that are kept, the oldest first."""
        own = self._source(source)
        return own.versions.kept(own.base or "")

    def next_due_s(self, source: str) -> float:
        """At how many seconds of learned sound the next version is made."""
        return due_s(max((one.learned_s for one in self.versions(source)), default=0.0), self._source(source).first_s)

    def first_in_s(self, source: str) -> float | None:
        """About how many seconds of sound are wanting for the first bundle, and with it the first alarms; None when it is there."""
        own = self._source(source)
        if not own.is_listening or own.config is None or own.config.learn is None:
            return None
        if own.base is None:
            return 60.0 * own.config.learn.first_minutes - (0.0 if own.sound is None else own.sound.seconds)
        return max(0.0, self.next_due_s(source) - own.learner.learned_s) + MAKING_S / 2.0

    def problem(self, source: str) -> str | None:
        """Why the last bundle could not be made; None when it could."""
        return self._source(source).fitting.problem

    def is_making(self, source: str) -> bool:
        """Whether a bundle is being made."""
        return self._source(source).fitting.is_busy

    def roll_back(self, source: str, on_done: Callable[[int | None, str | None], None]) -> None:
        """Choose the version before the one in force; `on_done` hears its number (None for the bundle that is no version), or a problem."""
        own = self._source(source)
        if own.learner.days is None:
            on_done(None, f"{source} does not learn; add `learn: {{days: 7}}` to sources.{source} in the configuration")
            return
        found: list[Version | None] = []

        def job() -> Problem:
            try:
                found.append(own.versions.roll_back(own.base or ""))
            except (StoreError, OSError) as error:
                return str(error)
            return None

        def then(problem: Problem) -> None:
            self._look_at_s = self._clock()
            on_done(found[0].number if found and found[0] is not None else None, problem)

        self._writer.write(job, then)

    def accept(self, source: str) -> str | None:
        """What lasts is the new normal of a source; why that cannot be said, in one line, or None."""
        learner = self.learner(source)
        if learner.days is None:
            return f"{source} does not learn; add `learn: {{days: 7}}` to sources.{source} in the configuration"
        if not learner.guard.accept():
            return f"{source} has not alarmed for {LASTS_S / 60.0:.0f} minutes without an end: there is nothing to accept"
        LOG.info("%s: what lasts is its new normal, and is learned", source)
        return None

    def poll(self) -> None:
        """Do what follows from what is written, make bundles when it is time, and have a bundle taken over when another is chosen."""
        self._writer.poll()
        if self._clock() < self._look_at_s:
            return
        is_playing = any(own.is_player for own in self._sources.values())
        self._look_at_s = self._clock() + (LOOK_PLAYING_S if is_playing else LOOK_EVERY_S)
        for name, own in self._sources.items():
            if own.learner.days is not None:
                self._look(name, own)

    def close(self) -> None:
        """Write what waits; not for long. Bundles that are being made are given up."""
        for own in self._sources.values():
            own.fitting.stop()
            own.drop_sound()
        self._writer.close()

    def _look(self, name: str, own: _Source) -> None:
        self._ask(name, own)
        was_busy = own.fitting.is_busy
        is_made = own.fitting.poll()
        if own.sound is not None and own.starter.exists():
            own.drop_sound()
        elif own.sound is not None and was_busy and not own.fitting.is_busy and not is_made:
            own.sound.begin_anew()  # there is nothing in it that a second try would find
        if not own.fitting.is_busy:
            self._make(own)
        self._take_over(own)

    def _make(self, own: _Source) -> None:
        """Begin to make a bundle, if one is due."""
        if own.base is None:
            if own.sound is not None and own.sound.is_full and not own.starter.exists():
                own.fitting.begin_starter(own.sound.path)
        elif own.learner.model is not None and self._is_due(own):
            own.fitting.begin(own.learner.learned_s, own.base, own.learner.model.bundle.manifest)
            own.learner.guard.accepted_s = 0.0

    def _take_over(self, own: _Source) -> None:
        """Have another bundle taken over, if another should listen; once, but again a minute after that was refused."""
        wanted = own.wanted
        if wanted is None:
            own.asked = None
        elif wanted != own.asked and self._clock() >= own.ask_at_s:
            own.asked, own.is_asking = wanted, True

            def done(problem: str | None) -> None:
                own.is_asking = False
                if problem is not None:
                    own.asked, own.ask_at_s = None, self._clock() + ASK_AGAIN_S

            self.reload(done)

    def _ask(self, name: str, own: _Source) -> None:
        """Ask whether what lasts is the new normal, and hear the answer of `auscult learn --accept`."""
        guard, question = own.learner.guard, store_folder(self._state_folder, name) / QUESTION
        if guard.asks and name not in self._questions:
            LOG.warning("%s: has alarmed for %.0f min without an end; if this is its new normal: %s", name, LASTS_S / 60.0, ANSWER)
            self._questions[name] = False
            self._writer.write(lambda: _put(question), lambda problem: self._questions.update({name: problem is None}))
        elif not guard.asks and name in self._questions:
            del self._questions[name]
            self._writer.write(lambda: _take_away(question))
        elif self._questions.get(name) and not question.exists():
            self.accept(name)

    def _is_due(self, own: _Source) -> bool:
        report, model = own.learner.report, own.learner.model
        if report is None or report.state not in ("learning", "over"):
            return False
        if model is None or BACKBONE_MEMBER in model.bundle.manifest.members:
            return False  # whoever has the backbone's file makes the bundles
        last_s = max((one.learned_s for one in own.versions.kept(own.base or "")), default=0.0)
        is_last = report.state == "over" and report.learned_s >= max(LAST_WORTH_S, last_s + LAST_WORTH_S)
        return report.learned_s >= due_s(last_s, own.first_s) or is_last or own.learner.guard.is_due

    def _source(self, name: str) -> _Source:
        if name not in self._sources:
            folder = store_folder(self._state_folder, name)
            learner = SourceLearner(name, folder, None, self._writer.write)
            fitting = Fitting(name, folder, self._fit_command, self._clock)
            own = self._sources[name] = _Source(learner, fitting, Versions(folder), starter_path(folder))
            learner.waits = lambda: own.waits
        return self._sources[name]


def _put(question: Path) -> Problem:
    try:
        make_folder(question.parent)
        question.touch()
    except OSError as error:
        return str(error)
    return None


def _take_away(question: Path) -> Problem:
    try:
        question.unlink(missing_ok=True)
    except OSError as error:
        return str(error)
    return None
