"""Who is logged in: random cookies, of which only hashes are kept, and a token that every command must bring along."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from edge.dashboard.password import Password

LASTS_S = 14 * 86_400.0
MOST = 1000
ATTEMPTS = 5  # wrong passwords of one address within `LOCKED_S`
ATTEMPTS_IN_ALL = 60
LOCKED_S = 300.0


class TooManyAttemptsError(Exception):
    """So many wrong passwords came that none is checked for a while."""


class Sessions:
    """With a password, a cookie counts when it was given for it; without one every browser gets a cookie, for the token's sake.

    The token (against forged commands) is an HMAC of the cookie: who cannot read the page's answers does not know it. Sessions outlive
    a restart when `known` and `key` are kept; a new password ends all of them.
    """

    def __init__(
        self,
        password: Password | None,
        *,
        key: bytes | None = None,
        known: dict[str, float] | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`known` are hashes of cookies and until when they count, seconds since 1970; `key` signs tokens."""
        fingerprint = password.fingerprint if password is not None else ""
        self._key = hmac.digest(key or secrets.token_bytes(32), fingerprint.encode(), "sha256")
        self._password = password
        self._wall = wall
        self._clock = clock  # of wrong passwords: a wall clock that is set back would lock everybody out
        self._lock = threading.Lock()
        self._known: OrderedDict[str, float] = OrderedDict(known or {})
        self._failures: OrderedDict[str, list[float]] = OrderedDict()  # by address, when
        self._checking = threading.Lock()  # one password at a time: each takes 16 MB

    @property
    def wants_password(self) -> bool:
        """Whether one must log in."""
        return self._password is not None

    def is_known(self, cookie: str | None) -> bool:
        """Whether the bearer of a cookie may see the page."""
        if self._password is None:
            return True
        if not cookie:
            return False
        with self._lock:
            return self._known.get(self._digest(cookie), 0.0) > self._wall()

    def token(self, cookie: str) -> str:
        """What a command must bring along with this cookie."""
        return hmac.new(self._key, cookie.encode(), "sha256").hexdigest()

    def is_token(self, cookie: str | None, token: str | None) -> bool:
        """Whether a token belongs to a cookie."""
        return bool(cookie and token) and hmac.compare_digest(self.token(str(cookie)).encode(), str(token).encode())

    def log_in(self, password: str, address: str) -> str | None:
        """A new cookie for the right password, None for a wrong one; takes a while.

        Raises
        ------
        TooManyAttemptsError
            see `ATTEMPTS`
        """
        with self._checking:
            self._check_attempts(address)
            if self._password is None or not self._password.is_right(password):
                with self._lock:
                    self._failures.setdefault(address, []).append(self._clock())
                return None
        cookie = new_cookie()
        with self._lock:
            self._failures.pop(address, None)
            self._known[self._digest(cookie)] = self._wall() + LASTS_S
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        return cookie

    def log_out(self, cookie: str) -> None:
        """A cookie counts no longer."""
        with self._lock:
            self._known.pop(self._digest(cookie), None)

    def known(self) -> dict[str, float]:
        """What a restart needs: hashes of cookies and until when they count."""
        with self._lock:
            now_s = self._wall()
            return {digest: until_s for digest, until_s in self._known.items() if until_s > now_s}

    def _check_attempts(self, address: str) -> None:
        since_s = self._clock() - LOCKED_S
        with self._lock:
            for key in list(self._failures):
                self._failures[key] = [at_s for at_s in self._failures[key] if at_s > since_s]
                if not self._failures[key]:
                    del self._failures[key]
            mine = len(self._failures.get(address, ()))
            if mine >= ATTEMPTS or sum(map(len, self._failures.values())) >= ATTEMPTS_IN_ALL:
                raise TooManyAttemptsError

    def _digest(self, cookie: str) -> str:
        return hmac.new(self._key, b"session" + cookie.encode(), hashlib.sha256).hexdigest()


def new_cookie() -> str:
    """One that nobody guesses."""
    return secrets.token_urlsafe(32)
