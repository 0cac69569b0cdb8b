"""ffmpeg as a child process that turns a stream from the network into raw PCM on a pipe.

It dies with this process, whatever ends that, may take so much memory and no more (edge/sources/leashed.py), and reads its address from
a pipe.
"""

from __future__ import annotations

import functools
import os
import re
import select
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from edge.audio.pcm import SAMPLE_BYTES, SampleFormat
from edge.errors import DeviceError
from edge.sources import leashed
from edge.sources.stream_address import StreamAddress

SAMPLE_FORMAT: SampleFormat = "s32le"  # of the pipe: as fine as any stream, and every value is a number
CATCH_UP = 1.2  # times the speed of the clock at which a backlog is taken: what the server sends at first, or a whole file at once
BURST_S = 0.5  # of sound that may be taken in one go
LEAST_S = 0.02
LOOK_S = 0.2  # how often it is seen that we are to stop
STOP_S = 1.0  # for a goodbye to the server; then it is killed
MEMORY_BYTES = 512 << 20  # a stream that needs more is hostile
LINES, LONGEST_LINE = 20, 400  # of what ffmpeg says last
LATELY_S = 30.0  # what it said before has nothing to do with its end; a connection that fails may take so long
_PASSED_ON = ("PATH", "LANG", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
_OPTIONS_SINCE = 59  # the libavformat of ffmpeg 5.0: the first whose lists may hold options
_TOLD_BY = re.compile(r"^(\[[^\]]* @ 0x[0-9a-f]+\]\s*)+|^pipe:0: |^Error opening input: ")
_SAYS_NOTHING = re.compile(
    "^Impossible to open|^Error opening (in|out)put file|^Error parsing options|^Failed to set value|^To ignore this|Last message repeated"
)

Hear = Callable[[bytes, bool], None]  # raw PCM, and whether nothing newer waits


def find_ffmpeg() -> str:
    """Where it is. Raises DeviceError when it is not installed."""
    path = shutil.which("ffmpeg")
    if path is None:
        raise DeviceError("ffmpeg", "is not installed, and a source with `url` needs it; run: sudo apt install ffmpeg")
    return path


@functools.lru_cache(maxsize=4)
def _libavformat(ffmpeg: str, _changed_ns: int) -> int | None:
    """The major version of ffmpeg's library for formats; None when it does not say."""
    try:
        said = subprocess.run([ffmpeg, "-version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20.0).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeviceError(ffmpeg, f"cannot be run: {error}") from error
    found = re.search(rb"^libavformat\s+(\d+)", said, re.MULTILINE)
    return int(found[1]) if found else None


def script_for(address: StreamAddress, ffmpeg: str) -> str:
    """What ffmpeg is to read. Raises DeviceError when it is too old for this address."""
    version = _libavformat(ffmpeg, Path(ffmpeg).stat().st_mtime_ns)
    knows_options = version is None or version >= _OPTIONS_SINCE
    if address.is_secure and not knows_options:
        raise DeviceError(ffmpeg, f"is older than 5.0 and cannot check certificates for {address.scheme}://; install a newer one")
    return address.script(with_options=knows_options)


class FfmpegChild:
    """One run of ffmpeg, from its start to its end, in a thread of its own: the kernel ends the child when this thread ends."""

    def __init__(self, address: StreamAddress, rate_hz: int, channels: int, hear: Hear) -> None:
        """`hear` is called in the child's thread. Raises DeviceError when a program is missing or too old."""
        ffmpeg = find_ffmpeg()
        self.problem: str | None = None  # why it has ended
        self._address = address
        self._script = script_for(address, ffmpeg)
        self._hear = hear
        self._bytes_per_s = rate_hz * channels * SAMPLE_BYTES[SAMPLE_FORMAT]
        self._command = [
            *(sys.executable, "-I", "-S", leashed.__file__, str(os.getpid()), str(MEMORY_BYTES)),
            *(ffmpeg, "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"),
            *("-protocol_whitelist", ",".join(("pipe", *address.protocols)), "-f", "concat", "-safe", "0", "-i", "pipe:0"),
            *("-map", "0:a:0", "-vn", "-sn", "-dn", "-ac", str(channels), "-ar", str(rate_hz)),
            *("-f", SAMPLE_FORMAT, "-flush_packets", "1", "pipe:1"),
        ]
        self._lines: deque[tuple[float, str]] = deque(maxlen=LINES)  # (when, what) ffmpeg said
        self._unfinished_line = ""
        self._stopping = threading.Event()
        self._settled = threading.Event()  # sound has come, or it has ended
        self._thread = threading.Thread(target=self._run, name="ffmpeg", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until sound has come or ffmpeg has ended; return whether one of both has happened."""
        return self._settled.wait(timeout_s)

    def stop(self) -> None:
        """End it. Does not wait for that."""
        self._stopping.set()

    def _run(self) -> None:
        try:
            with subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                start_new_session=True,  # Ctrl-C is for us
            ) as child:
                try:
                    self._tell(child)
                    self._relay(child)
                finally:
                    self._end(child)
        except OSError as error:
            self.problem = f"ffmpeg cannot be run: {error.strerror or error}"
        finally:
            self._settled.set()

    def _tell(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin
        try:
            child.stdin.write(self._script.encode())
            child.stdin.close()
        except BrokenPipeError:  # it has ended, and says why
            pass

    def _relay(self, child: subprocess.Popen[bytes]) -> None:
        """Hand on what comes until it ends or we are to stop, never faster than `CATCH_UP`: the server waits."""
        assert child.stdout
        assert child.stderr
        sound, words = child.stdout.fileno(), child.stderr.fileno()
        open_words = [words]
        least, most = (max(1, round(seconds * self._bytes_per_s)) for seconds in (LEAST_S, BURST_S))
        allowed, at_s = float(most), time.monotonic()
        while not self._stopping.is_set():
            now_s = time.monotonic()
            allowed, at_s = min(most, allowed + (now_s - at_s) * CATCH_UP * self._bytes_per_s), now_s
            is_allowed = allowed >= least
            readable, _, _ = select.select([*open_words, *([sound] if is_allowed else [])], [], [], LOOK_S if is_allowed else LEAST_S)
            if words in readable and not self._note(words):
                open_words.clear()
            if sound in readable:
                data = os.read(sound, int(allowed))
                if not data:
                    return
                allowed -= len(data)
                self._hear(data, not select.select([sound], [], [], 0.0)[0])
                self._settled.set()

    def _note(self, words: int) -> bool:
        """Keep the last of what ffmpeg says; return whether it may say more."""
        said = os.read(words, 4096).decode(errors="replace")
        *lines, rest = (self._unfinished_line + said).split("\n")
        self._unfinished_line = rest[:LONGEST_LINE]
        self._lines.extend((time.monotonic(), line[:LONGEST_LINE]) for line in lines)
        return bool(said)

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout
        assert child.stderr
        child.stdout.close()
        if self._stopping.is_set():
            child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
        os.set_blocking(child.stderr.fileno(), False)
        try:
            while self._note(child.stderr.fileno()):
                pass
        except BlockingIOError:
            pass
        self.problem = self._reason(child.wait())

    def _reason(self, code: int) -> str:
        lately_s = time.monotonic() - LATELY_S
        lines = [line for said_at_s, line in self._lines if said_at_s > lately_s]
        said = [_TOLD_BY.sub("", line).strip() for line in (*lines, self._unfinished_line)]
        told = list(dict.fromkeys(line for line in said if line and not _SAYS_NOTHING.search(line)))
        if len(told) > 1 and told[-1].endswith("Input/output error"):  # the line before says which
            told.pop()
        if not told:
            return "the stream has ended" if code == 0 else f"ffmpeg has ended with code {code}"
        if "Stream ends prematurely" in told[-1]:  # before a length that nobody knows
            return "the server has ended the stream"
        if any("matches no streams" in line for line in told):
            return "has no sound"
        before = [line for line in told[-2:-1] if told[-1] not in line and line not in told[-1]]
        return self._address.struck("; ".join((*before, told[-1])))
