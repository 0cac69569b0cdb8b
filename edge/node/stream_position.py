"""The position in a stream: every sample is scored or counted as lost, once."""

from __future__ import annotations

import time

from edge.audio.block import Block
from edge.node.suspension import Suspension

OUTAGE_S = 10.0  # while a device is away its outage is reported this often, so that events can end
KEPT_BACK_S = 1.0  # of an outage: the source will report more than this, and its samples must not overlap with those reported before


class StreamPosition:
    """Counts the samples of one stream at its native rate.

    A source reports the cost of an outage with the block that ends it. So as not to wait for it, parts of an outage are counted early, and
    subtracted from what the source reports then.
    """

    def __init__(self, name: str, rate_hz: int) -> None:
        """`name` is the source's."""
        self._rate_hz = rate_hz
        self._samples = 0
        self._ahead_samples = 0
        self._block_at_s = time.monotonic()  # when the last block came, or the outage was last reported
        self._suspension = Suspension(name)

    @property
    def seconds(self) -> float:
        """The whole stream so far, lost sound too."""
        return self._samples / self._rate_hz

    def take(self, block: Block, live: bool) -> int:
        """A block came; return how many samples before it were lost and not counted yet. A live source records nothing in suspension."""
        slept = round(self._suspension.seconds() * self._rate_hz) if live else 0
        lost = max(0, block.lost_samples - self._ahead_samples) + slept
        self._ahead_samples = 0
        self._samples += lost + len(block.samples)
        self._block_at_s = time.monotonic()
        return lost

    def skip(self, samples: int) -> None:
        """So many samples were left out."""
        self._samples += samples

    def outage(self) -> int:
        """How many samples of a continuing outage to count now; 0 until the next ten seconds have passed."""
        passed_s = time.monotonic() - self._block_at_s
        if passed_s <= OUTAGE_S:
            return 0
        self._block_at_s += passed_s
        samples = round((passed_s - KEPT_BACK_S) * self._rate_hz)
        self._ahead_samples += samples
        self._samples += samples
        return samples
