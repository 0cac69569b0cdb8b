"""The loop of one source: read -> push -> publish."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.audio.block import Block
from edge.bundles.bundle import Bundle
from edge.drift.source_drift import SourceDrift
from edge.errors import AudioError, BundleError, DeviceError, UserError
from edge.judgement.threshold import Moved
from edge.learning.source_learner import SourceLearner
from edge.node.availability import Availability
from edge.node.health import InferenceTimes
from edge.node.listener_like import ListenerLike
from edge.node.listening import Listening
from edge.node.losses import Losses
from edge.node.shared import SharedError, in_one_line
from edge.node.source_keeper import SourceKeeper
from edge.node.source_publisher import SourcePublisher
from edge.node.standby_listener import StandbyListener
from edge.node.stream import Stream
from edge.node.stream_clock import StreamClock
from edge.sources.source import Source

LOG = logging.getLogger("auscult.source")
MakeListener = Callable[[int], ListenerLike]  # of a rate in Hz; raises BundleError when it does not fit the bundle
REOPEN_AFTER_S = 10.0  # a device that has given nothing for this long is closed and opened again
REVIVE_AFTER_S = 60.0  # and so is one that gives silence or the like: some come to life by it


class SourceWorker:
    """Listens to one source with one bundle. What befalls the source interrupts or ends this worker, and never another one.

    A device that fails is opened again until it works; a file or stream that fails ends with `error` set. An error that nobody foresaw ends
    the stream of any of them, and a new one with a new listener begins after a wait that grows with each time.
    """

    def __init__(
        self,
        source: Source,
        bundle: Bundle | None,
        make_listener: MakeListener,
        publisher: SourcePublisher,
        inference: InferenceTimes,
        learner: SourceLearner | None = None,
        drift: SourceDrift | None = None,
    ) -> None:
        """`make_listener(rate_hz)` is called once the source's rate is known, and again should the rate change.

        Without a `bundle` it listens, and judges nothing. A `learner` learns from what is heard, and `drift` measures how it changes.
        """
        self.learner = learner
        self.drift = drift
        self.source = source
        self.bundle = bundle
        self.availability = Availability()
        self.losses = Losses(source.name)
        self.clock = StreamClock(source.live)
        self.rate_hz = 0  # until the source was first open
        self.finished = True  # until it is opened
        self.error: Exception | None = None  # what the source has ended with
        self._make_listener = make_listener
        self.publisher = publisher
        self._inference = inference
        self.keeper = SourceKeeper(source)
        self._stream: Stream | None = None  # until the source was first open, and after an unexpected error
        self.is_held = False  # a file waits while a standby catches up with it

    def open(self) -> None:
        """Open the source, make its listener, and begin. A device that is away, in use or out of order is no error: it is tried again.

        Raises
        ------
        UserError
            when there is no such file, or the bundle does not fit the source.
        """
        with self.contained(UserError):
            self.prepare()
        self.begin()

    def prepare(self) -> None:
        """Open the source and make its listener, but publish nothing yet; raises as `open` does. May take seconds."""
        if self.keeper.open():
            self._begin()

    def begin(self, *, opening: bool = False) -> None:
        """Start to listen and to publish. With `opening`, a device that is not prepared: it is opened meanwhile."""
        self.finished = False
        self._captured_at_s = time.monotonic()
        with self.contained():
            self.publisher.start(self.clock, self.bundle)
            if opening:
                self.keeper.open_later()
            self._tell_outage()

    def step(self) -> bool:
        """Take one block and deal with it; False when there was nothing to do. Never waits."""
        if self.finished or self.is_held or (self.learner is not None and self.learner.waits()):
            return False
        with self.contained():
            return self._step()
        return True

    def _step(self) -> bool:
        try:
            if not self.keeper.is_open:
                return self._poll()
            if self._stream is not None and self.source.ready:
                self._stream.shed()
                self._take(self.source.read(), self._stream)
                return True
        except DeviceError as error:
            self._give_up(str(error))
            return False
        except AudioError as error:
            LOG.error("%s: %s; this source has ended", self.source.name, error)
            self.error = error
            self.finish(str(error))
            return True
        self.availability.stalled(self.source.stalled_s)
        self.publisher.availability(self.availability.status, self.availability.reason)
        if self.source.stalled_s > REOPEN_AFTER_S:
            self._give_up(f"{self.source.device} has given no sound for {self.source.stalled_s:.0f} s")
        return False

    def finish(self, reason: str = "the daemon has stopped") -> None:
        """End the stream: score the rest, close events, publish `offline`. Harmless if it is already over."""
        if self.finished:
            return
        self.finished = True
        try:
            if self._stream is not None:
                self._stream.listening.finish()
        except SharedError:
            raise
        except Exception as error:
            LOG.exception("%s: could not be ended cleanly", self.source.name)
            self.error = error
        finally:
            self.availability.ended(reason)
            self.publisher.end(reason)
            self.keeper.close()

    def discard(self) -> None:
        """Close what `prepare` opened, when it is not to begin after all."""
        self.keeper.close()

    def change_bundle(self, bundle: Bundle | None, make_listener: MakeListener, standby: StandbyListener | None) -> None:
        """Go on with another bundle in the middle of the stream: an open event is closed, each hop has one score.

        `standby` follows the present stream, and has caught up but for a moment; None when there is no stream yet.
        """
        self.is_held = False
        with self.contained():
            if self._stream is not None:
                self._stream.listening.end_event()
        self.bundle = bundle
        self._make_listener = make_listener
        with self.contained():
            self.publisher.speak_for(bundle)
            if self._stream is not None and standby is not None:
                self._stream.listening.take_over(standby)

    def move_threshold(self, moved: Moved | None) -> None:
        """Judge by another threshold from now on, None for the bundle's own; an open event is closed."""
        with self.contained():
            if self._stream is not None:  # a device that is away has no listener yet, which will begin with it
                self._stream.listening.move_threshold(moved)

    def teach(self) -> None:
        """The verdicts on its events have changed: they hold from the next window on."""
        with self.contained():
            if self._stream is not None:
                self._stream.listening.teach()

    @contextmanager
    def contained(self, *expected: type[Exception]) -> Iterator[None]:
        """An unexpected error in here interrupts this source and no other; those `expected`, and SharedError, are raised."""
        try:
            yield
        except Exception as error:  # of whatever kind, MemoryError and those of ONNX Runtime too
            if isinstance(error, (SharedError, *expected)):
                raise
            self._interrupt(error)

    @property
    def listening(self) -> Listening | None:
        """What listens to the present stream; None while there is none."""
        return None if self._stream is None else self._stream.listening

    @property
    def silent_s(self) -> float:
        """How long an open live source has given no sound to the worker; 0 while it is known to be away."""
        return time.monotonic() - self._captured_at_s if self.is_listening else 0.0

    @property
    def is_listening(self) -> bool:
        """Whether sound is listened to as it happens."""
        return not self.finished and self.keeper.is_open and self.source.live

    def _begin(self) -> None:
        """The source has just been opened. One that has another rate than before begins a new stream."""
        self._captured_at_s = time.monotonic()
        if self._stream is not None and self.source.rate_hz == self.rate_hz:
            self.clock.restart()
            return
        listening = Listening(self._make_listener(self.source.rate_hz), self.bundle, self.source.rate_hz, self.publisher, self._inference)
        listening.overhear(*(one for one in (self.learner, self.drift) if one is not None))
        if self._stream is not None:
            LOG.warning("%s: records at %d Hz now, no longer at %d Hz", self.source.name, self.source.rate_hz, self.rate_hz)
            self._stream.listening.finish()
        if self.rate_hz:  # there was another stream before
            self.clock = StreamClock(self.source.live)
            self.publisher.start(self.clock, self.bundle)
        self.rate_hz = self.source.rate_hz
        self.publisher.hear(listening.recent, self.rate_hz)
        self._stream = Stream(self.source, listening, self.clock, self.losses, self.availability, self.publisher)

    def _poll(self) -> bool:
        if not self.keeper.poll():
            self._tell_outage()
            return False
        try:
            self._begin()
        except BundleError as error:  # another device answers to the name now
            self._give_up(str(error))
            return False
        LOG.info("%s: listening to %s", self.source.name, self.source.device)
        return True

    def _give_up(self, problem: str, error: Exception | None = None) -> None:
        self.keeper.give_up(problem, error)
        self._tell_outage()

    def _interrupt(self, error: Exception) -> None:
        """The state of the listener is unknown: the stream ends here, and its event at its last published time."""
        self._stream = None
        problem = f"failed unexpectedly ({in_one_line(error)}); the log has the details"
        self.publisher.end(problem)
        self._give_up(problem, error)

    def _tell_outage(self) -> None:
        if self.keeper.is_open:
            return
        if self.keeper.problem:
            self.availability.ended(self.keeper.problem)
            self.publisher.availability(self.availability.status, self.availability.reason)
        if self._stream is not None:
            self._stream.outage()

    def _take(self, block: Block | None, stream: Stream) -> None:
        if block is None:
            if self.source.finished:
                LOG.info("%s: end of the stream after %.1f s", self.source.name, stream.seconds)
                self.finish("the stream has ended")
            return
        stream.hear(block)
        self._captured_at_s = time.monotonic()
        if self.availability.status == "online":
            self.keeper.works()
        elif self.source.live and self.availability.implausible_s >= REVIVE_AFTER_S:
            self._give_up(self.availability.reason or "")
