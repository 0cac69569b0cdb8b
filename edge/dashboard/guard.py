"""What every request must pass before anything looks at it: the name it was sent to, where it comes from, how large it is, who sent it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.dashboard.complaints import Complaints
from edge.dashboard.sessions import Sessions

LARGEST_BODY: Final = 16 * 1024
BODY_S: Final = 10.0
READING: Final = ("GET", "HEAD")
OPEN: Final = ("/api/session", "/api/login")  # without being logged in; and what is no secret: the page itself
TOKEN_HEADER: Final = "x-auscult-token"
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """The outermost layer. What it refuses is one line in the log, and a short answer.

    * `Host` must be a name of this page: a foreign name that leads here is DNS rebinding. An IP address cannot be rebound.
    * Nothing is told or taken that another page has asked for: `Origin`, `Sec-Fetch-Site`.
    * What changes anything must bring along the token that only the page can read.
    * No body has more than `LARGEST_BODY`, and none takes longer than `BODY_S` to arrive.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, cookie_name: str, hosts: Iterable[str], complaints: Complaints) -> None:
        self._app = app
        self._sessions = sessions
        self._cookie_name = cookie_name
        self._hosts = {name.lower() for name in hosts} | own_names()
        self._complaints = complaints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        scope["auscult.cookie"] = cookie = cookie_of(headers, self._cookie_name)

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in given),
                ]
            await send(message)

        refused = self._refusal(scope, headers, cookie)
        if refused is None:
            try:
                receive = await self._with_body(scope, headers, receive)
            except _RefusedError as error:
                refused = error.status, error.problem, error.told
        if refused is None:
            await self._app(scope, receive, guarded_send)
            return
        status, problem, told = refused
        if told:
            address = scope["client"][0] if scope.get("client") else "somebody"
            self._complaints.say(f"{address} {problem}", told)
        # The rest of a body that nobody reads must not be taken for the next request.
        response = JSONResponse({"error": problem}, status, headers={"connection": "close", "cache-control": "no-store"})
        await response(scope, receive, guarded_send)

    def _refusal(self, scope: Scope, headers: Headers, cookie: str | None) -> tuple[int, str, str] | None:
        """Status, what the sender is told, and what the log is told ("" for nothing)."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 421, "this page has another name", f"refused a request for the host {host!r}; dashboard.hosts names those that are taken"
        method, path = scope["method"], scope["path"]
        is_change = method not in READING
        if is_change and method != "POST":
            return 405, "no such method", ""
        is_secret = path.startswith(("/api/", "/clips/"))
        origin = headers.get("origin")
        is_own = not is_change if origin is None else _is_same(origin, host, scope["scheme"])
        # "none" is an address that somebody typed.
        if (is_change or is_secret) and not (is_own and headers.get("sec-fetch-site", "none") in ("same-origin", "none")):
            return 403, "this came from another page", f"refused a request from the origin {origin!r}"
        if is_change:
            if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
                return 415, "expected JSON", ""
            if not self._sessions.is_token(cookie, headers.get(TOKEN_HEADER)):
                return 403, "the page is out of date; load it again", f"refused {path[:60]} without the page's token"
        if is_secret and path not in OPEN and not self._sessions.is_known(cookie):
            return 401, "log in first", ""
        return None

    def _is_ours(self, host: str) -> bool:
        if set(host) & set("/@?#\\ "):
            return False
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:  # brackets that do not fit
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.rstrip(".") in self._hosts
        return True

    async def _with_body(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """Read the body now, within its bounds."""
        if scope["method"] in READING:
            return receive
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            raise _RefusedError(400, "no such length", "") from None
        too_large = _RefusedError(413, "too much", f"refused a body of more than {LARGEST_BODY // 1024} KB")
        if length > LARGEST_BODY:
            raise too_large
        body = bytearray()

        async def read() -> None:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _RefusedError(400, "incomplete", "")
                body.extend(message.get("body", b""))
                if len(body) > LARGEST_BODY:
                    raise too_large
                if not message.get("more_body", False):
                    return

        try:
            await asyncio.wait_for(read(), BODY_S)
        except asyncio.TimeoutError:
            raise _RefusedError(408, "too slow", "refused a body that took too long") from None
        is_given = False

        async def replay() -> Message:
            nonlocal is_given
            if is_given:
                return await receive()
            is_given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return replay


class _RefusedError(Exception):
    def __init__(self, status: int, problem: str, told: str) -> None:
        super().__init__(problem)
        self.status, self.problem, self.told = status, problem, told


def own_names() -> set[str]:
    """Names that mean this computer wherever they are looked up."""
    name = socket.gethostname().lower()
    return {"localhost", name, f"{name.partition('.')[0]}.local"}


def cookie_of(headers: Headers, name: str) -> str | None:
    """The value of a cookie that a request brings along."""
    # Other programs on this host may have given odd cookies, at which the standard library stops.
    value = cookie_parser(headers.get("cookie", "")).get(name, "")
    return value if 20 <= len(value) <= 100 else None


def _is_same(origin: str, host: str, scheme: str) -> bool:
    """Whether an origin is the page's own. A proxy may speak TLS in front of us, so only HTTPS itself insists on HTTPS."""
    try:
        given, own = urlsplit(origin), urlsplit(f"//{host}")
        if given.scheme not in ("https", scheme) or given.hostname is None or own.hostname is None:
            return False
        standard = 443 if given.scheme == "https" else 80
        return given.hostname == own.hostname and (given.port or standard) == (own.port or standard)
    except ValueError:  # a port that is no number
        return False
