"""One source at work: read -> push -> publish."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from edge import clock
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
from edge.sources.source import Source

LOG = logging.getLogger("auscult.source")
REOPEN_AFTER_S = 10.0  # a device that has given nothing for this long is closed and opened again
REVIVE_AFTER_S = 60.0  # and so is one that gives silence or the like: some come to life by it
OUTAGE_S = 10.0  # while a device is away the listener hears of it this often, so that events come to their end
MOST_LAG_S = 5.0  # sound that waits for longer is left out, so that what is heard is of now
SLEPT_S = 0.5  # a suspension of the machine that is shorter is none


class SourceWorker:
    """Listens to one source with one bundle. What befalls the source interrupts or ends this worker, and never another one.

    A device that fails is opened again until it works; a file or stream that fails ends with `error` set.
    """

    def __init__(
        self,
        source: Source,
        bundle: Bundle,
        make_listener: Callable[[int], ListenerLike],
        publisher: SourcePublisher,
        inference: InferenceTimes,
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
        self._publisher = publisher
        self._inference = inference
        self._keeper = SourceKeeper(source)
        self._hop_s = float(bundle.manifest.detector.parameters.get("hop_s", 0.5))
        self._listening: Listening | None = None
        self._samples = 0  # of the stream so far, lost ones too
        self._ahead_samples = 0  # of an outage, lost already when the source tells of it
        self._block_at_s = 0.0  # when the last block came, or the listener last heard of an outage
        self._suspended_s = clock.suspended_s()

    def open(self) -> None:
        """Open the source and make its listener. A device that is away, in use or out of order is no error: it is tried again.

        Raises
        ------
        UserError
            when there is no such file, or the bundle does not fit the source.
        """
        if self._keeper.open():
            self._begin()
        self._publisher.start(self.clock)
        self.finished = False
        self._tell_outage()

    def step(self) -> bool:
        """Take one block and deal with it; False when there was nothing to do. Never waits."""
        if self.finished:
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
            self._end(str(error))
            return True
        self.availability.stalled(self.source.stalled_s)
        self._publisher.availability(self.availability.status, self.availability.reason)
        if self.source.stalled_s > REOPEN_AFTER_S:
            self._give_up(f"{self.source.device} has given no sound for {self.source.stalled_s:.0f} s")
        return False

    def finish(self) -> None:
        """End the stream: score what is left, close events, publish `offline`. Harmless when it is over already."""
        self._end("the daemon has stopped")

    @property
    def lag_s(self) -> float | None:
        """How old the sound of the latest score was; None when nothing is listened to as it happens."""
        is_listening = not self.finished and self._keeper.is_open and self.source.live
        return self._publisher.lag_s if is_listening else None

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
        if self._listening is not None and self.source.rate_hz == self.rate_hz:
            self.clock.restart()
            return
        listening = Listening(self._make_listener(self.source.rate_hz), self._publisher, self._inference)
        if self._listening is not None:
            LOG.warning("%s: records at %d Hz now, no longer at %d Hz", self.source.name, self.source.rate_hz, self.rate_hz)
            self._listening.finish()
            self.clock = StreamClock(self.source.live)
            self._publisher.start(self.clock)
        self._listening = listening
        self.rate_hz = self.source.rate_hz
        self._meter = LevelMeter(self.rate_hz)
        self._samples = self._ahead_samples = 0
        self._block_at_s = time.monotonic()

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
            self._publisher.availability(self.availability.status, self.availability.reason)
        passed_s = time.monotonic() - self._block_at_s
        if self._listening is not None and passed_s > OUTAGE_S:
            self._block_at_s += passed_s
            samples = round((passed_s - 1.0) * self.rate_hz)  # less than the source will tell: its samples do not overlap with these
            self._ahead_samples += samples
            self._samples += samples
            self._listening.lose(samples)
            self.losses.away(samples / self.rate_hz)

    def _shed(self) -> None:
        """Leave out the oldest that waits, in whole hops, when inference cannot keep up: less than two hops are kept."""
        waiting_s = self.source.waiting_s
        if waiting_s <= MOST_LAG_S or self._listening is None:
            return
        hops = int(waiting_s / self._hop_s) - 1
        skipped = self.source.skip(round(hops * self._hop_s * self.rate_hz))
        self.losses.shed(skipped / self.rate_hz)
        self._samples += skipped
        self._listening.lose(skipped)

    def _take(self, block: Block | None) -> None:
        if block is not None:
            self._hear(block)
        elif self.source.finished:
            LOG.info("%s: end of the stream after %.1f s", self.source.name, self._stream_s)
            self._end("the stream has ended")

    @property
    def _stream_s(self) -> float:
        return self._samples / self.rate_hz

    def _hear(self, block: Block) -> None:
        assert self._listening is not None
        lost = max(0, block.lost_samples - self._ahead_samples) + self._slept_samples()
        self._ahead_samples = 0
        self._samples += lost + len(block.samples)
        self._block_at_s = time.monotonic()
        self.clock.arrived(self._stream_s, block.heard_at_s)
        if lost:
            self.losses.lost(lost / self.rate_hz)
            self._listening.lose(lost)
        if len(block.samples):
            self._listening.push(block.samples)
        for level in self._meter.push(block.samples):
            self.availability.heard(level)
            self._publisher.level(level, self._stream_s)
        self._publisher.availability(self.availability.status, self.availability.reason)
        if self.availability.status == "online":
            self._keeper.works()
        elif self.source.live and self.availability.implausible_s >= REVIVE_AFTER_S:
            self._give_up(self.availability.reason or "")

    def _slept_samples(self) -> int:
        """What was not heard of a live source because the machine was suspended."""
        slept_s = clock.suspended_s() - self._suspended_s
        if slept_s < SLEPT_S or not self.source.live:
            return 0
        self._suspended_s += slept_s
        LOG.info("%s: the machine was suspended for %.1f s", self.source.name, slept_s)
        return round(slept_s * self.rate_hz)

    def _end(self, reason: str) -> None:
        if self.finished:
            return
        self.finished = True
        if self._listening is not None:
            self._listening.finish()
        self.availability.ended(reason)
        self._publisher.end(reason)
        self._keeper.close()
