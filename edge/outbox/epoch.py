"""A run of sequence numbers in which no message of a node can be counted twice or missed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

JUMP = 1_000_000_000  # where the clock says nothing of use: further than a source counts between two doubts


@dataclass(frozen=True, slots=True)
class Epoch:
    """Within one, `seq` of a source counts on without a gap but for what is counted as dropped; over all of them it only grows.

    A new one begins when nobody can say for certain which `seq` was the last: after a reboot (what was published in the last moments
    before it may not be on the card), when the file or the marks beside it are damaged, missing or old, and in a new installation. Its id
    is drawn at random, so that (`source`, `epoch`, `seq`) never stands for two messages, whatever a card or a clock has done.
    """

    id: str
    first_seq: int  # of every source
    reason: str  # why it has begun

    @classmethod
    def begin(cls, wall_s: float, known_seqs: Iterable[int], reason: str) -> Epoch:
        """Begin one that counts from the milliseconds since 1970: above everything that came at less than a thousand messages a second.

        `known_seqs` are those that are known to be taken; a clock that lags behind them counts for nothing.
        """
        highest, now_ms = max(known_seqs, default=0), int(wall_s * 1000.0)
        return cls(uuid.uuid4().hex, now_ms if now_ms > highest else highest + JUMP, reason)
