"""The state of the connection to the broker, and how long to wait after each way of losing it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge.mqtt.backoff import Backoff
from edge.mqtt.payloads import BrokerState
from edge.mqtt.refusal import ConnectError, ContestedError, PostponedError, RefusedError, SilentError

SETTLED_S = 30.0  # a connection that lasted this long restarts the backoff
SHORT_S = 60.0  # lost sooner than this without a word
SHORT_LIVES = 3  # ... so often in a row: MQTT 3.1.1 cannot say that another client has our id, and Mosquitto does not say it either
PEACE_S = 3600.0  # a connection that stood this long is contested no more; longer than the longest wait of the other client
LONGEST_REFUSED_S = 300.0
LONGEST_CONTESTED_S = 900.0


@dataclass(frozen=True, slots=True)
class LinkReport:
    """The part of `health` about the broker; times are seconds since 1970."""

    state: BrokerState
    reason: str | None  # why there is no connection, or why the last one ended
    attempts: int  # failed ones since the last connection that settled
    connections: int  # since the start
    since_s: float


class Link:
    """A state machine without a socket: it gets what happens and returns how long to wait.

        connecting -> connected -> away       nobody there, silence, a lost connection: up to `Backoff`'s longest (60 s)
             ^            |     -> refused    somebody has to change something: 60 s, doubling up to 5 minutes
             |            v     -> contested  another client has our id: 60 s, doubling up to 15 minutes, for both kick each other out
             +--- wait <--+

    Every wait has jitter, and no way leads back to the broker without one. Used by the network thread alone but for `report`.
    """

    def __init__(
        self,
        backoff: Backoff | None = None,
        refusal_wait_s: float = 60.0,
        *,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`refusal_wait_s` is the first wait after a refusal, and after a contest."""
        self._backoff = backoff or Backoff()
        self._refusal_wait_s = refusal_wait_s
        self._rng = rng or random.Random()
        self._clock = clock
        self._wall = wall
        self._state: BrokerState = "connecting"
        self._since_s = clock()
        self._reason: str | None = None
        self._attempts = 0
        self._connections = 0
        self._refusals = 0  # in a row
        self._contests = 0  # without an hour of peace
        self._short_lives = 0  # in a row
        self._told = ""

    def connected(self) -> bool:
        """The broker has taken us; return whether that is worth a line in the log, which it is not in the middle of a contest."""
        self._enter("connected")
        self._connections += 1
        self._refusals = 0
        if self._contests == 0:
            self._told = ""
        return self._contests <= 1

    def failed(self, failure: ConnectError, client_id: str) -> tuple[ConnectError, float]:
        """An attempt has failed or a connection is lost; return what that means, given what happened before, and the seconds to wait."""
        if self._state == "connected":
            failure = self._judge_life(failure, client_id, self._clock() - self._since_s)
        else:
            self._short_lives = 0  # it cannot be reached: so the broker was away, and there is no other client with our id
        self._attempts += 1
        self._reason = str(failure)
        if isinstance(failure, ContestedError):
            self._enter("contested")
            self._contests += 1
            return failure, self._slowly_s(self._contests, LONGEST_CONTESTED_S)
        if isinstance(failure, RefusedError | PostponedError):
            self._enter("refused")
            self._refusals += 1
            return failure, self._slowly_s(self._refusals, LONGEST_REFUSED_S)
        self._refusals = 0
        self._enter("away")
        return failure, self._backoff.next_s()

    def is_news(self, failure: ConnectError) -> bool:
        """Whether a failure has not been logged yet: a broker that is away for a week should not fill the journal."""
        is_news, self._told = str(failure) != self._told, str(failure)
        return is_news

    def report(self) -> LinkReport:
        """The state of this moment."""
        now_s = self._clock()
        return LinkReport(self._state, self._reason, self._attempts, self._connections, self._wall() - (now_s - self._since_s))

    def _judge_life(self, failure: ConnectError, client_id: str, stood_s: float) -> ConnectError:
        if stood_s >= PEACE_S:
            self._contests = 0
        if stood_s >= SETTLED_S:
            self._backoff.reset()
            self._attempts = 0
        if not isinstance(failure, SilentError) or stood_s >= SHORT_S:
            self._short_lives = 0
            return failure
        self._short_lives += 1
        if self._short_lives < SHORT_LIVES:
            return failure
        return ContestedError(
            f"the connection is lost again and again right after it was made: another client may have our client id '{client_id}'; "
            "give each node its own `node` name or mqtt.client_id. Or the broker refuses packets as large as ours: see its max_packet_size"
        )

    def _slowly_s(self, times: int, longest_s: float) -> float:
        bound_s = min(max(longest_s, self._refusal_wait_s), self._refusal_wait_s * 2.0 ** min(times - 1, 30))
        return bound_s * self._rng.uniform(0.5, 1.0)

    def _enter(self, state: BrokerState) -> None:
        if state != self._state or state == "connected":
            self._state = state
            self._since_s = self._clock()
