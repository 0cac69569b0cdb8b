"""The address of a stream: what it may say, what others may read of it, and how ffmpeg is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

WITHHELD = "(withheld)"
# What each kind of address may open. ffmpeg holds redirects and playlists to it too, so a server cannot have it read a file.
# rtsps:// and rtmps:// are left out: ffmpeg does not check their certificates, whatever it is told (5.1 and 7.0, tried).
PROTOCOLS = {
    "http": ("http", "https", "tcp", "tls", "crypto"),
    "https": ("http", "https", "tcp", "tls", "crypto"),
    "rtsp": ("rtp", "udp", "tcp"),
    "rtmp": ("rtmp", "tcp"),
    "rtp": ("rtp", "udp"),
    "srt": ("srt",),
    "tcp": ("tcp",),
    "udp": ("udp",),
}
_USER = re.compile(r"(\w+://)[^/\s'\"@]+@")
_QUERY = re.compile(r"(\w+://[^\s'\"?]+)\?[^\s'\"]*")
SHORTEST = 3  # characters of what is struck out: less stands in every other word


def address_problem(address: str) -> str | None:
    """What is wrong with an address, without quoting it; None when nothing is."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises
    except ValueError as error:
        return f"not an address ({error}); write one such as rtsp://camera.local/stream"
    if any(character.isspace() or not character.isprintable() for character in address):
        return "an address has no blanks; write %20 for each"
    if parts.scheme not in PROTOCOLS:
        advice = "; for files use `files:`" if parts.scheme in ("", "file") else ""
        return f"expected an address that begins with {', '.join(f'{scheme}://' for scheme in PROTOCOLS)}{advice}"
    if not parts.netloc:
        return "names no host; write an address such as rtsp://camera.local/stream"
    if "@" in parts.netloc:
        return "user and password must not stand in this file; write user:password to its own file and name that with credentials_file"
    return None


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the server."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """An address without a problem, and who we are there."""

    address: str
    login: Login | None = None
    ca_file: Path | None = None

    @property
    def scheme(self) -> str:
        """What it begins with."""
        return urlsplit(self.address).scheme

    @property
    def is_secure(self) -> bool:
        """Whether the server has a certificate, which is checked."""
        return self.scheme == "https"

    @property
    def public(self) -> str:
        """What others may read: no login, and no query, which often holds a key."""
        scheme, host, path, *_ = urlsplit(self.address)
        return urlunsplit((scheme, host.rpartition("@")[2], path, "", ""))

    @property
    def protocols(self) -> tuple[str, ...]:
        """What ffmpeg may open for it."""
        return PROTOCOLS[self.scheme]

    def script(self, *, with_options: bool) -> str:
        """A list of one stream, for ffmpeg's demuxer `concat`: read from a pipe, so that no other user sees it among the arguments.

        `with_options`: this ffmpeg (5.0 or newer) knows options in such a list.
        """
        options = self._options() if with_options else {}
        lines = (f"option {name} {_quoted(value)}" for name, value in options.items())
        return "\n".join(("ffconcat version 1.0", f"file {_quoted(self._with_login())}", *lines, ""))

    def _options(self) -> dict[str, str]:
        options = {"analyzeduration": "1000000"}  # microseconds of a look at the stream before any sound comes
        if self.is_secure:
            options["tls_verify"] = "1"
        if self.ca_file is not None:
            options["ca_file"] = str(self.ca_file.absolute())
        if self.scheme == "rtsp":
            options["allowed_media_types"] = "audio"  # a camera's picture is not even sent
            options["rtsp_flags"] = "prefer_tcp"  # UDP loses packets without a word
        return options

    def _with_login(self) -> str:
        scheme, host, path, query, _ = urlsplit(self.address)
        if self.login is not None:
            host = f"{quote(self.login.user, safe='')}:{quote(self.login.password, safe='')}@{host}"
        return urlunsplit((scheme, host, path, query, ""))

    def struck(self, text: str) -> str:
        """Return what ffmpeg says without logins and queries in it."""
        text = _QUERY.sub(r"\1", _USER.sub(r"\1", text))
        if self.login is not None:
            for secret in (self.login.password, self.login.user):
                for form in (secret, quote(secret, safe="")):
                    if len(form) >= SHORTEST:
                        text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", WITHHELD, text)
        return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
