"""The page's requests, one function each. What may be asked at all, and by whom, is the guard's to say."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from edge.dashboard.cells import Cells, unpack
from edge.dashboard.clip_files import clip_path
from edge.dashboard.commander import Commander, NoAnswerError
from edge.dashboard.complaints import Complaints
from edge.dashboard.event_store import EventFilter
from edge.dashboard.event_table import PAGE, csv_lines, parse_filter
from edge.dashboard.fleet import Fleet
from edge.dashboard.history import History
from edge.dashboard.hub import CrowdedError, Hub, encoded
from edge.dashboard.intake import Intake, as_told
from edge.dashboard.live import LiveResponse
from edge.dashboard.logins import Logins
from edge.dashboard.messages import is_name
from edge.dashboard.replies import body, failed, not_found, reply
from edge.dashboard.score_buckets import DAY_S, STEPS_S
from edge.dashboard.sessions import Sessions
from edge.dashboard.settings import DashboardSettings
from edge.dashboard.static_files import StaticFiles
from edge.errors import AudioError
from edge.remote.requests import CommandError
from edge.version import VERSION

SPANS_S: Final = {"day": (STEPS_S[0], DAY_S), "week": (STEPS_S[1], 7 * DAY_S), "month": (STEPS_S[2], 31 * DAY_S)}
SPARK_STEP_S: Final = STEPS_S[1]
MOST_MARKS: Final = 1000  # of events on one chart
LONGEST_NOTE: Final = 500


class Web:
    """The application without its guard."""

    def __init__(
        self,
        settings: DashboardSettings,
        sessions: Sessions,
        cookie_name: str,
        fleet: Fleet,
        history: History,
        hub: Hub,
        intake: Intake,
        commander: Commander,
        broker: Callable[[], dict[str, Any]],
        complaints: Complaints,
    ) -> None:
        """`broker` says how the connection is."""
        self._settings = settings
        self._sessions = sessions
        self._fleet = fleet
        self._history = history
        self._hub = hub
        self._intake = intake
        self._commander = commander
        self._broker = broker
        self._complaints = complaints
        self._started_s = time.time()
        static, logins = StaticFiles(), Logins(sessions, cookie_name, history.database, complaints)
        routes = [
            Route("/", static.serve),
            Route("/static/{name}", static.serve),
            Route("/api/session", logins.session),
            Route("/api/login", logins.log_in, methods=["POST"]),
            Route("/api/logout", logins.log_out, methods=["POST"]),
            Route("/api/fleet", self._fleet_page),
            Route("/api/live", self._live),
            Route("/api/source/{node}/{source}", self._source),
            Route("/api/source/{node}/{source}/scores", self._scores),
            Route("/api/events", self._events),
            Route("/api/events.csv", self._events_csv),
            Route("/api/event/{node}/{source}/{event}", self._event),
            Route("/api/event/{node}/{source}/{event}/picture", self._picture),
            Route("/api/command/{node}/{verb}", self._command, methods=["POST"]),
            Route("/clips/{node}/{name:path}", self._clip),
        ]
        self.app = Starlette(routes=routes, exception_handlers={404: not_found, 500: failed, sqlite3.Error: self._unreadable})

    async def _fleet_page(self, request: Request) -> Response:
        return reply(await run_in_threadpool(self._fleet_now))

    def _fleet_now(self) -> dict[str, Any]:
        now_s = time.time()
        sparks = self._history.highest(SPARK_STEP_S, now_s - DAY_S)
        return {
            "now": now_s,
            "started": self._started_s,
            "broker": self._broker(),
            "sources": self._fleet.snapshots(),
            "scores": self._fleet.scores(),
            "nodes": self._fleet.nodes(),
            "spark_step_s": SPARK_STEP_S,
            "sparks": {f"{node}/{source}": rows for (node, source), rows in sparks.items()},
        }

    async def _live(self, request: Request) -> Response:
        names = [request.query_params.get(name, "") for name in ("node", "source")]
        key = "/".join(names) if all(is_name(name) for name in names) else None
        cookie = request.scope["auscult.cookie"]
        try:
            mailbox = self._hub.open(key)
        except CrowdedError:
            return reply({"error": "too many pages are open; close some"}, 503)
        first = [encoded("hello", {"now": time.time(), "started": self._started_s, "version": VERSION, "broker": self._broker()})]
        if key is not None:
            first += [encoded("cells", {"key": key, **cells}) for cells in self._intake.recent_cells(key)]
        return LiveResponse(self._hub, mailbox, first, lambda: self._sessions.is_known(cookie))  # type: ignore[return-value]  # an ASGI application

    async def _source(self, request: Request) -> Response:
        node, source = request.path_params["node"], request.path_params["source"]
        with self._fleet.lock:
            found, machine, of_node = self._fleet.snapshot(node, source), self._fleet.known(node, source), self._fleet.known_node(node)
            if found is None or machine is None:
                return reply({"error": "no such source"}, 404)
            info = of_node.info.sources.get(source) if of_node is not None and of_node.info is not None else None
            health = of_node.health if of_node is not None else None
            told = {
                "source": found,
                "version": of_node.info.version if of_node is not None and of_node.info is not None else None,
                "info": msgspec.to_builtins(info),
                "health": msgspec.to_builtins(health.sources.get(source)) if health is not None else None,
                "node": {name: value for name, value in msgspec.to_builtins(health).items() if name != "sources"} if health else None,
                "level": msgspec.to_builtins(machine.level),
                "learning": msgspec.to_builtins(machine.learning),
                "recent": [[heard.at_s, heard.score] for heard in machine.recent],
                "heads": machine.recent[-1].heads if machine.recent else {},
                "scores": self._fleet.scores().get(machine.key),
            }
        return reply(told)

    async def _scores(self, request: Request) -> Response:
        node, source = request.path_params["node"], request.path_params["source"]
        span = request.query_params.get("span", "day")
        if span not in SPANS_S:
            return reply({"error": "span is day, week or month"}, 400)
        return reply(await run_in_threadpool(self._scores_of, node, source, span))

    def _scores_of(self, node: str, source: str, span: str) -> dict[str, Any]:
        step, length_s = SPANS_S[span]
        now_s = time.time()
        chosen = parse_filter({"node": node, "source": source, "since": str(now_s - length_s)})
        events = self._history.events.find(chosen, MOST_MARKS)
        return {
            "now": now_s,
            "since": now_s - length_s,
            "step_s": step,
            "rows": self._history.scores(node, source, step, now_s - length_s),
            "gaps": self._history.gaps(now_s - length_s),
            "events": [{name: event[name] for name in ("id", "t_start", "t_end", "peak", "verdict")} for event in events],
        }

    async def _events(self, request: Request) -> Response:
        query = request.query_params
        try:
            chosen = parse_filter(query)
            before = (float(query["before"]), query.get("before_id", "")) if "before" in query else None
        except ValueError as error:
            return reply({"error": str(error)}, 400)
        found = await run_in_threadpool(self._history.events.find, chosen, PAGE + 1, before)
        return reply({"events": [self._with_state(event) for event in found[:PAGE]], "more": len(found) > PAGE})

    async def _events_csv(self, request: Request) -> Response:
        try:
            chosen = parse_filter(request.query_params)
        except ValueError as error:
            return reply({"error": str(error)}, 400)
        name = time.strftime("auscult-events-%Y%m%d-%H%M%S.csv", time.gmtime())
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return StreamingResponse(self._csv(chosen), media_type="text/csv", headers=headers)

    def _csv(self, chosen: EventFilter) -> Iterator[str]:
        try:
            yield from csv_lines(self._history.events, chosen)
        except sqlite3.Error as error:  # the answer has begun
            self._complaints.say("history", f"cannot be read ({error})")
            yield "incomplete: the history cannot be read\r\n"

    async def _unreadable(self, _request: Request, error: Exception) -> Response:
        self._complaints.say("history", f"cannot be read ({error})")
        return reply({"error": "the history cannot be read; the log says why"}, 503)

    async def _event(self, request: Request) -> Response:
        found = await run_in_threadpool(self._event_of, *_names(request))
        return reply(found) if found is not None else reply({"error": "no such event; it may be too old"}, 404)

    def _event_of(self, node: str, source: str, event_id: str) -> dict[str, Any] | None:
        event = self._history.events.get(node, source, event_id)
        if event is None:
            return None
        near = self._history.events.neighbours(node, source, event["t_start"], event_id)
        clip = event["clip"]
        is_here = node == self._settings.node and clip is not None and clip_path(self._settings.clips, clip) is not None
        return {**self._with_state(event), **near, "clip_is_here": is_here, "snapshot": self._fleet.snapshot(node, source)}

    async def _picture(self, request: Request) -> Response:
        found = await run_in_threadpool(self._picture_of, *_names(request))
        if found is None:
            return reply({"picture": None, "from": None})
        cells, origin = found
        return reply({"picture": as_told(cells), "from": origin})

    def _picture_of(self, node: str, source: str, event_id: str) -> tuple[Cells, str] | None:
        """Cells that were kept, because somebody watched; else the spectrogram of the clip."""
        kept = self._history.events.picture(node, source, event_id) or self._intake.picture_so_far(f"{node}/{source}", event_id)
        if kept is not None:
            return unpack(kept), "cells"
        event = self._history.events.get(node, source, event_id)
        if event is None or event["clip"] is None or node != self._settings.node:
            return None
        from edge.dashboard.event_sound import clip_picture  # late: what it takes to hear a clip costs 40 MB

        path = clip_path(self._settings.clips, event["clip"])
        try:
            drawn = clip_picture(path) if path is not None else None
        except AudioError as error:
            self._complaints.say(str(path), error.problem)
            return None
        return None if drawn is None else (drawn, "clip")

    async def _command(self, request: Request) -> Response:
        node, verb = request.path_params["node"], request.path_params["verb"]
        fields = await body(request)
        if self._fleet.known_node(node) is None:
            return reply({"error": "no such node"}, 404)
        try:
            answer = await self._commander.ask(node, verb, fields)
        except CommandError as error:
            return reply({"error": str(error)}, 400)
        except NoAnswerError as error:
            return reply({"error": str(error)}, 504)
        if verb == "mark" and answer.get("status") == "ok":
            await run_in_threadpool(self._keep_note, node, fields, answer)
        return reply(answer)

    def _keep_note(self, node: str, fields: dict[str, Any], answer: dict[str, Any]) -> None:
        """The node's answer tells everybody the verdict; the note only we know."""
        note = str(fields.get("note", ""))[:LONGEST_NOTE]
        self._history.events.mark(node, str(answer.get("source")), fields["event"], fields["verdict"], note, time.time())
        self._intake.count_unmarked()

    async def _clip(self, request: Request) -> Response:
        node, name = request.path_params["node"], request.path_params["name"]
        path = await run_in_threadpool(clip_path, self._settings.clips, name) if node == self._settings.node else None
        if path is None:
            return await not_found(request, None)
        return FileResponse(path, media_type="audio/flac", headers={"cache-control": "private, max-age=3600"})

    def _with_state(self, event: dict[str, Any]) -> dict[str, Any]:
        """Whether it goes on: the last message about it may have been lost, which the source's state shows."""
        machine = self._fleet.known(event["node"], event["source"])
        is_last = machine is not None and machine.event is not None and machine.event.id == event["id"]
        is_open = event["type"] != "closed" and is_last and machine is not None and machine.state == "ON"
        return {**event, "is_open": is_open}


def _names(request: Request) -> tuple[str, str, str]:
    return request.path_params["node"], request.path_params["source"], request.path_params["event"]
