"""One stream of sound of a source, from its first sample on: each sample is scored or counted as lost, once."""

from __future__ import annotations

from edge.audio.block import Block
from edge.audio.level_meter import LevelMeter
from edge.node.availability import Availability
from edge.node.listening import Listening
from edge.node.losses import Losses
from edge.node.source_publisher import SourcePublisher
from edge.node.stream_clock import StreamClock
from edge.node.stream_position import StreamPosition
from edge.sources.source import Source

MOST_LAG_S = 5.0  # sound that waits for longer is left out, so that scores are up to date


class Stream:
    """Passes the blocks of an open source to its listener, and keeps track of time, lost sound and loudness."""

    def __init__(
        self,
        source: Source,
        listening: Listening,
        clock: StreamClock,
        losses: Losses,
        availability: Availability,
        publisher: SourcePublisher,
    ) -> None:
        self.listening = listening
        self.position = StreamPosition(source.name, source.rate_hz)
        self._source = source
        self._rate_hz = source.rate_hz
        self._clock = clock
        self._losses = losses
        self._availability = availability
        self._publisher = publisher
        self._meter = LevelMeter(source.rate_hz)

    @property
    def seconds(self) -> float:
        """The whole stream so far, lost sound too."""
        return self.position.seconds

    def hear(self, block: Block) -> None:
        """Count what was lost before a block, pass the block on, and return its loudness and whether it is plausible."""
        lost = self.position.take(block, self._source.live)
        self._clock.arrived(self.seconds, block.heard_at_s)
        if lost:
            self._losses.lost(lost / self._rate_hz)
            self.listening.lose(lost)
        if len(block.samples):
            self.listening.push(block.samples)
        for level in self._meter.push(block.samples):
            self._availability.heard(level)
            self._publisher.level(level, self.seconds)
        self._publisher.availability(self._availability.status, self._availability.reason)
        if self._availability.status != "online":
            self.listening.excuse()

    def shed(self) -> None:
        """Leave out the oldest that waits, in whole hops, when inference cannot keep up: less than two hops are kept."""
        waiting_s = self._source.waiting_s
        if waiting_s <= MOST_LAG_S:
            return
        hop_s = self.listening.hop_s
        skipped = self._source.skip(round((int(waiting_s / hop_s) - 1) * hop_s * self._rate_hz))
        if not skipped:
            return
        self._losses.shed(skipped / self._rate_hz)
        self.position.skip(skipped)
        self.listening.lose(skipped)

    def outage(self) -> None:
        """The device is away: now and then count what is lost meanwhile, so that events come to their end."""
        if self._source.live and (samples := self.position.outage()):
            self.listening.lose(samples)
            self._losses.away(samples / self._rate_hz)
