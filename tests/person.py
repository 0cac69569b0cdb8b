"""Somebody at a terminal: a program on a pseudo-terminal of its own, read and typed to. No pytest in here."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TIMEOUT_S = 30.0
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\r")


class Person:
    """Starts `command` as the only program of a terminal, whose Ctrl-C it gets."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        self._controller, terminal = pty.openpty()
        # setsid makes the terminal the program's own: password prompts open it by name, and Ctrl-C goes to who owns it.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command], stdin=terminal, stdout=terminal, stderr=terminal, env=environment
        )
        os.close(terminal)
        self.screen = ""  # all that was ever shown
        self._seen = 0

    def read_until(self, text: str) -> str:
        """Wait until `text` is shown; return what was shown since the last time."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while (at := self.screen.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline_s, self.screen[-2000:]
            if not self._read():
                raise AssertionError(f"it has ended without {text!r}:\n{self.screen}")
        end = at + len(text)
        shown, self._seen = self.screen[self._seen : end], end
        return shown

    def type(self, text: str, end: str = "\n") -> None:
        """Type a line."""
        os.write(self._controller, (text + end).encode())

    def answer(self, question: str, text: str) -> str:
        """Wait for a question and answer it; return what was shown before."""
        shown = self.read_until(question)
        time.sleep(0.1)  # a password prompt forgets what was typed before it hides it
        self.type(text)
        return shown

    def leave(self) -> int:
        """Read to the end; return the exit code."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while self._read():
            assert time.monotonic() < deadline_s, self.screen[-2000:]
        return self.process.wait(TIMEOUT_S)

    def hang_up(self) -> None:
        """Close the terminal, and end what does not end by that."""
        if self._controller >= 0:
            os.close(self._controller)
            self._controller = -1
        try:
            self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _read(self) -> bool:
        if not select.select([self._controller], [], [], TIMEOUT_S)[0]:
            return True
        try:
            data = os.read(self._controller, 65536)
        except OSError:  # nobody has the other side any more
            return False
        self.screen += _CONTROL.sub("", data.decode(errors="replace"))
        return bool(data)
