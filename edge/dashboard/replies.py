"""JSON out and in."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response


async def not_found(_request: Request, error: Exception | None) -> Response:
    """What there is not; and a mistake of ours, when `error` is one."""
    return reply({"error": "not found"}, 404) if getattr(error, "status_code", 404) == 404 else reply({"error": "internal error"}, 500)


def reply(data: Any, status: int = 200) -> Response:
    """JSON that no cache keeps."""
    return Response(msgspec.json.encode(data), status, media_type="application/json", headers={"cache-control": "no-store"})


async def body(request: Request) -> dict[str, Any]:
    """The body's object; anything else is an empty one."""
    try:
        given = msgspec.json.decode(await request.body())
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}
