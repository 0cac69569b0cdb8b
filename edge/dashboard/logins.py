"""Logging in and out."""

from __future__ import annotations

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from edge.dashboard.complaints import Complaints
from edge.dashboard.database import Database
from edge.dashboard.replies import body, reply
from edge.dashboard.sessions import LASTS_S, Sessions, TooManyAttemptsError, new_cookie
from edge.version import VERSION


class Logins:
    """The page's requests about its session; sessions outlive a restart in the history."""

    def __init__(self, sessions: Sessions, cookie_name: str, database: Database, complaints: Complaints) -> None:
        self._sessions = sessions
        self._cookie_name = cookie_name
        self._database = database
        self._complaints = complaints

    async def session(self, request: Request) -> Response:
        """Whether the page must log in, and the token for its commands. Gives a cookie to a browser that has none."""
        cookie = request.scope["auscult.cookie"]
        fresh = new_cookie() if cookie is None else None
        told = {
            "wants_password": self._sessions.wants_password,
            "is_known": self._sessions.is_known(cookie),
            "token": self._sessions.token(cookie or fresh or ""),
            "version": VERSION,
        }
        response = reply(told)
        if fresh is not None:
            self._set_cookie(request, response, fresh)
        return response

    async def log_in(self, request: Request) -> Response:
        """Give a cookie for the right password."""
        given = await body(request)
        password = given.get("password")
        if not isinstance(password, str) or len(password) > 1000:
            return reply({"error": "expected a password"}, 400)
        address = request.client.host if request.client is not None else ""
        try:
            cookie = await run_in_threadpool(self._sessions.log_in, password, address)
        except TooManyAttemptsError:
            return reply({"error": "too many wrong passwords; wait five minutes"}, 429)
        if cookie is None:
            self._complaints.say(f"{address} log in", "refused a wrong password")
            return reply({"error": "wrong password"}, 403)
        await run_in_threadpool(self._keep_sessions)
        response = reply({"token": self._sessions.token(cookie)})
        self._set_cookie(request, response, cookie)
        return response

    async def log_out(self, request: Request) -> Response:
        """Forget a cookie."""
        self._sessions.log_out(request.scope["auscult.cookie"])
        await run_in_threadpool(self._keep_sessions)
        response = reply({})
        response.delete_cookie(self._cookie_name, path="/", httponly=True, samesite="strict")
        return response

    def _set_cookie(self, request: Request, response: Response, cookie: str) -> None:
        secure = request.url.scheme == "https"
        response.set_cookie(self._cookie_name, cookie, int(LASTS_S), path="/", secure=secure, httponly=True, samesite="strict")

    def _keep_sessions(self) -> None:
        self._database.put("sessions", msgspec.json.encode(self._sessions.known()).decode())
