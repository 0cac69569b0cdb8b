"""A bar for people, nothing for pipes."""

from __future__ import annotations

import contextlib
import io

import pytest

from edge.console.progress import Progress, progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_in_a_pipe_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress([1, 2, 3], label="fitting")) == [1, 2, 3]
    assert capsys.readouterr() == ("", "")


def test_progress_passes_a_generator_through() -> None:
    assert list(progress((n for n in range(3)), None, "fitting")) == [0, 1, 2]


def test_progress_on_a_terminal_draws_and_cleans_up() -> None:
    terminal = _Terminal()
    with Progress("fitting", 4, file=terminal) as bar:
        bar.update()
    assert "fitting [######..................]  25 %" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_progress_redraws_rarely() -> None:
    terminal = _Terminal()
    with Progress("fitting", 100_000, file=terminal) as bar:
        for _ in range(100_000):
            bar.update()
    assert terminal.getvalue().count("fitting") < 50


def test_progress_without_a_total_counts() -> None:
    terminal = _Terminal()
    with Progress("reading", file=terminal) as bar:
        bar.update(7)
    assert "reading 7 0:00" in terminal.getvalue()


def test_progress_beyond_its_total_stays_full() -> None:
    terminal = _Terminal()
    with Progress("reading", 2, file=terminal) as bar:
        bar.update(5)
    assert "100 %" in terminal.getvalue()


def test_progress_is_cleaned_up_after_an_error() -> None:
    terminal = _Terminal()
    with contextlib.suppress(KeyboardInterrupt), Progress("reading", 2, file=terminal) as bar:
        bar.update()
        raise KeyboardInterrupt
    assert terminal.getvalue().endswith("\x1b[K")
