"""The files of the page itself: all of them read once, so that no path of a request ever reaches the disk."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from edge.dashboard.replies import not_found

TYPES: Final = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}


class StaticFiles:
    """Content, type and tag of each file, by its name."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[bytes, str, str]] = {}
        for file in files("edge.dashboard").joinpath("static").iterdir():
            kind = TYPES.get(file.name.rpartition(".")[2])
            if kind is not None:
                content = file.read_bytes()
                self._found[file.name] = (content, kind, f'"{hashlib.sha256(content).hexdigest()[:16]}"')

    async def serve(self, request: Request) -> Response:
        """The file that a request names; the page itself when it names none."""
        found = self._found.get(request.path_params.get("name", "index.html"))
        if found is None:
            return await not_found(request, None)
        content, kind, tag = found
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)
