"""JSON out and in."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response


async def not_found(_request: Request, _error: Exception | None) -> Response:
    """What there is not."""
    return reply({"error": "not found"}, 404)


async def failed(_request: Request, _error: Exception) -> Response:
    """A mistake of ours."""
    return reply({"error": "internal error"}, 500)


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
