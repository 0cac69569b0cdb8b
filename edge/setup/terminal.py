"""Questions on a terminal, a line for each answer."""

from __future__ import annotations

import getpass
import os
import select
import sys
import warnings

from edge.errors import UserError


class Terminal:
    """Asks on standard error and reads standard input line by line, without a buffer of Python's: the meter looks for lines too."""

    def __init__(self) -> None:
        self._input = sys.stdin.fileno()
        self._read = b""

    def say(self, text: str = "") -> None:
        """A line to read."""
        print(text, file=sys.stderr, flush=True)

    def draw(self, text: str) -> None:
        """A line that is drawn again and again, as wide as the terminal at most."""
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except OSError:
            columns = 80
        print(f"\r{text[: columns - 1]}\x1b[K", end="", file=sys.stderr, flush=True)

    def ask(self, question: str, default: str = "") -> str:
        """The answer, or `default` for an empty line."""
        shown = f" [{default}]" if default else ""
        print(f"{question}{shown}: ", end="", file=sys.stderr, flush=True)
        return self._line().strip() or default

    def confirm(self, question: str, *, default: bool = False) -> bool:
        """Yes or no."""
        print(f"{question} [{'Y/n' if default else 'y/N'}] ", end="", file=sys.stderr, flush=True)
        answer = self._line().strip().lower()
        return answer in ("y", "yes") if answer else default

    def secret(self, question: str) -> str:
        """An answer that is not shown. Raises UserError on a terminal that would show it."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                return getpass.getpass(f"{question}: ", sys.stderr)
            except getpass.GetPassWarning:
                raise UserError("setup", "this terminal cannot hide a password; write it to a file and name that as an option") from None
            except EOFError:
                raise _ended() from None

    def has_line(self) -> bool:
        """Whether a whole line waits, or the end."""
        while b"\n" not in self._read and select.select([self._input], [], [], 0.0)[0]:
            more = os.read(self._input, 1024)
            if not more:
                raise _ended()
            self._read += more
        return b"\n" in self._read

    def take_line(self) -> str:
        """The line that waits."""
        line, _, self._read = self._read.partition(b"\n")
        return line.decode(errors="replace").strip()

    def _line(self) -> str:
        while not self.has_line():
            select.select([self._input], [], [])
        return self.take_line()


def _ended() -> UserError:
    return UserError("setup", "standard input has ended; nothing was written")
