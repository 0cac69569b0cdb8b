"""One source at work: read -> push -> publish."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from edge.audio.block import Block
from edge.audio.level_meter import LevelMeter
from edge.bundles.bundle import Bundle
from edge.errors import AudioError, BundleError, DeviceError
from edge.mqtt.payloads import SourceHealth, SourceInfo
from edge.node.availability import Availability
from edge.node.health import InferenceTimes
from edge.node.listening import ListenerLike, Listening
from edge.node.losses import Losses
from edge.node.source_keeper import SourceKeeper
from edge.node.source_publisher import SourcePublisher
from edge.node.source_report import source_health, source_info
from edge.node.stream_clock import StreamClock
from edge.node.stream_position import StreamPosition
from edge.node.successor import Successor
from edge.sources.source import Source

LOG = logging.getLogger("auscult.source")
MakeListener = Callable[[int], ListenerLike]  # of a rate in Hz; raises BundleError when it does not fit the bundle
REOPEN_AFTER_S = 10.0  # a device that has given nothing for this long is closed and opened again
REVIVE_AFTER_S = 60.0  # and so is one that gives silence or the like: some come to life by it
MOST_LAG_S = 5.0  # sound that waits for longer is left out, so that what is heard is of now


class SourceWorker:
    """Listens to one source with one bundle. What befalls the source interrupts or ends this worker, and never another one.

    A device that fails is opened again until it works; a file or stream that fails ends with `error` set.
    """

    def __init__(
        self, source: Source, bundle: Bundle, make_listener: MakeListener, publisher: SourcePublisher, inference: InferenceTimes
    ) -> None:
        """`make_listener(rate_hz)` is called once the source's rate is known, and again should the rate change."""
        self.source = source
        self.bundle = bundle
        self.availability = Availability()
        self.losses = Losses(source.name)
        self.clock = StreamClock(source.live)
        self.rate_hz = 0  # until the source was first open
        self.finished = True  # until it is opened
        self.error: AudioError | None = None  # what the source has ended with
        self._make_listener = make_listener
        self.voice = publisher
        self._inference = inference
        self._keeper = SourceKeeper(source)
        self.listening: Listening | None = None  # until the source was first open
        self._captured_at_s = time.monotonic()
        self.is_held = False  # a file waits while a successor catches up with it

    def open(self) -> None:
        """Open the source, make its listener, and begin. A device that is away, in use or out of order is no error: it is tried again.

        Raises
        ------
        UserError
            when there is no such file, or the bundle does not fit the source.
        """
        self.prepare()
        self.begin()

    def prepare(self) -> None:
        """Open the source and make its listener, but say nothing yet; raises as `open` does. May take seconds."""
        if self._keeper.open():
            self._begin()

    def begin(self, *, opening: bool = False) -> None:
        """Start to listen and to publish. With `opening`, a device that is not prepared: it is opened meanwhile."""
        if opening:
            self._keeper.open_later()
        self.voice.start(self.clock, self.bundle)
        self.finished = False
        self._captured_at_s = time.monotonic()
        self._tell_outage()

    def step(self) -> bool:
        """Take one block and deal with it; False when there was nothing to do. Never waits."""
        if self.finished or self.is_held:
            return False
        if not self._keeper.is_open:
            return self._poll()
        try:
            if self.source.ready:
                self._shed()
                self._take(self.source.read())
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
        self.voice.availability(self.availability.status, self.availability.reason)
        if self.source.stalled_s > REOPEN_AFTER_S:
            self._give_up(f"{self.source.device} has given no sound for {self.source.stalled_s:.0f} s")
        return False

    def finish(self, reason: str = "the daemon has stopped") -> None:
        """End the stream: score what is left, close events, publish `offline`. Harmless when it is over already."""
        if self.finished:
            return
        self.finished = True
        try:
            if self.listening is not None:
                self.listening.finish()
        finally:  # whatever befalls the listener
            self.availability.ended(reason)
            self.voice.end(reason)
            self._keeper.close()

    def discard(self) -> None:
        """Close what `prepare` opened, when it is not to begin after all."""
        self._keeper.close()

    def change_bundle(self, bundle: Bundle, make_listener: MakeListener, successor: Successor | None) -> None:
        """Go on with another bundle in the middle of the stream: an open event is closed, each hop has one score.

        `successor` follows the present stream, and has caught up but for a moment; None when there is no stream yet.
        """
        if self.listening is not None:
            self.listening.end_event()
        self.voice.speak_for(bundle)
        self.bundle = bundle
        self._make_listener = make_listener
        if self.listening is not None and successor is not None:
            self.listening.take_over(successor)
        self.is_held = False

    @property
    def silent_s(self) -> float:
        """How long an open live source has given no sound to the worker; 0 while it is known to be away."""
        return time.monotonic() - self._captured_at_s if self._is_listening else 0.0

    @property
    def lag_s(self) -> float | None:
        """How old the sound of the latest score was; None when nothing is listened to as it happens."""
        return self.voice.lag_s if self._is_listening else None

    @property
    def _is_listening(self) -> bool:
        return not self.finished and self._keeper.is_open and self.source.live

    @property
    def info(self) -> SourceInfo:
        """What `info` says of this source."""
        return source_info(self)

    @property
    def health(self) -> SourceHealth:
        """What `health` says of this source."""
        return source_health(self)

    def _begin(self) -> None:
        """The source has just been opened. One that has another rate than before begins a new stream."""
        self._captured_at_s = time.monotonic()
        if self.listening is not None and self.source.rate_hz == self.rate_hz:
            self.clock.restart()
            return
        listening = Listening(self._make_listener(self.source.rate_hz), self.bundle, self.source.rate_hz, self.voice, self._inference)
        if self.listening is not None:
            LOG.warning("%s: records at %d Hz now, no longer at %d Hz", self.source.name, self.source.rate_hz, self.rate_hz)
            self.listening.finish()
            self.clock = StreamClock(self.source.live)
            self.voice.start(self.clock, self.bundle)
        self.listening = listening
        self.rate_hz = self.source.rate_hz
        self.voice.hear(listening.recent, self.rate_hz)
        self._meter = LevelMeter(self.rate_hz)
        self._position = StreamPosition(self.source.name, self.rate_hz)

    def _poll(self) -> bool:
        if not self._keeper.poll():
            self._tell_outage()
            return False
        try:
            self._begin()
        except BundleError as error:  # another device answers to the name now
            self._give_up(str(error))
            return False
        LOG.info("%s: listening to %s", self.source.name, self.source.device)
        return True

    def _give_up(self, problem: str) -> None:
        self._keeper.give_up(problem)
        self._tell_outage()

    def _tell_outage(self) -> None:
        if self._keeper.is_open:
            return
        if self._keeper.problem:
            self.availability.ended(self._keeper.problem)
            self.voice.availability(self.availability.status, self.availability.reason)
        if self.listening is not None and (samples := self._position.outage()):
            self.listening.lose(samples)
            self.losses.away(samples / self.rate_hz)

    def _shed(self) -> None:
        """Leave out the oldest that waits, in whole hops, when inference cannot keep up: less than two hops are kept."""
        waiting_s = self.source.waiting_s
        if waiting_s <= MOST_LAG_S or self.listening is None:
            return
        hop_s = self.listening.hop_s
        skipped = self.source.skip(round((int(waiting_s / hop_s) - 1) * hop_s * self.rate_hz))
        self.losses.shed(skipped / self.rate_hz)
        self._position.skip(skipped)
        self.listening.lose(skipped)

    def _take(self, block: Block | None) -> None:
        if block is not None:
            self._hear(block)
        elif self.source.finished:
            LOG.info("%s: end of the stream after %.1f s", self.source.name, self._position.seconds)
            self.finish("the stream has ended")

    def _hear(self, block: Block) -> None:
        assert self.listening is not None
        lost = self._position.take(block, self.source.live)
        stream_s = self._position.seconds
        self.clock.arrived(stream_s, block.heard_at_s)
        if lost:
            self.losses.lost(lost / self.rate_hz)
            self.listening.lose(lost)
        if len(block.samples):
            self.listening.push(block.samples)
        self._captured_at_s = time.monotonic()
        for level in self._meter.push(block.samples):
            self.availability.heard(level)
            self.voice.level(level, stream_s)
        self.voice.availability(self.availability.status, self.availability.reason)
        if self.availability.status == "online":
            self._keeper.works()
            return
        self.listening.excuse()
        if self.source.live and self.availability.implausible_s >= REVIVE_AFTER_S:
            self._give_up(self.availability.reason or "")
