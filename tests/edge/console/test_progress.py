"""A bar for people, nothing for pipes."""

from __future__ import annotations

import contextlib
import io

import pytest

import edge.console.progress
from edge.console.progress import Progress, progress, stages


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


class _Clock:
    """Stands for `time` in the module under test."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


def _left_s(line: str) -> float | None:
    """The remaining time that a line promises."""
    _, _, rest = line.rpartition("about ")
    if not rest.endswith(" left"):
        return None
    minutes, seconds = rest.removesuffix(" left").split(":")
    return 60.0 * int(minutes) + int(seconds)


@pytest.mark.parametrize("speeds", [(1.0, 1.0, 1.0), (3.0, 3.0, 3.0), (0.85, 1.1, 1.2)], ids=["as weighed", "a slow computer", "others"])
def test_stages_are_one_bar_whose_remaining_time_is_honest(speeds: tuple[float, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    clock, weights = _Clock(), {"checking": 10.0, "listening": 60.0, "judging": 30.0}
    monkeypatch.setattr(edge.console.progress, "time", clock)
    total_s = sum(weight * speed for weight, speed in zip(weights.values(), speeds, strict=True))
    shares = []
    with stages(weights):
        for (label, weight), speed in zip(weights.items(), speeds, strict=True):
            terminal = _Terminal()
            with Progress(label, 20, file=terminal) as bar:
                for _ in range(20):
                    clock.now_s += weight * speed / 20
                    bar.update()
                    line = terminal.getvalue().rpartition("\r")[2].removesuffix("\x1b[K")
                    assert line.startswith(f"{label} [")
                    shares.append(float(line.partition("]")[2].partition("%")[0]))
                    left_s, true_s = _left_s(line), total_s - (clock.now_s - 100.0)
                    if clock.now_s - 100.0 < 3.0:
                        assert left_s is None
                    else:
                        assert left_s == pytest.approx(true_s, abs=0.35 * true_s + 3.0)
    assert shares == sorted(shares)
    assert shares[-1] == 100.0


def test_stages_that_do_not_come_are_over_and_other_bars_stay_their_own() -> None:
    terminal = _Terminal()
    with stages({"checking": 1.0, "training": 1.0, "judging": 2.0}):
        with Progress("checking", 1, file=terminal) as bar:
            bar.update()
        assert "checking [######..................]  25 %" in terminal.getvalue()
        with Progress("asking", 2, file=terminal) as bar:
            bar.update()
        assert "asking [############............]  50 %" in terminal.getvalue()
        with Progress("judging", 2, file=terminal) as bar:
            bar.update()
        assert "judging [##################......]  75 %" in terminal.getvalue()
    with Progress("judging", 2, file=terminal) as bar:
        bar.update()
    assert terminal.getvalue().count("judging [############............]  50 %") == 1
