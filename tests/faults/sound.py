"""What became of every second of the sound.

A life of the daemon has a stream of each source, in cells, or several, when a source had to begin anew. Each window says which of its cells
were not heard. So each cell up to the last window is

    scored      heard, and in a window that has a score
    unjudged    heard, but all its windows lack too much to have one
    lost        told to the listener as lost (and counted in `health` as `lost_s`)
    silent      digital silence, which windows count in their `lost_s`, or the seam of a gap

and the time from one stream to the next is

    dead        nobody listened: the process was killed, or starts, or had not judged yet what it had heard.

All of it lies on one time axis, that of the pace, where windows say when they were heard. So the sum is the time that has passed,
unless a daemon loses sound without counting it: then its stream runs late, and windows are heard later than their place in it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.faults.scene import WINDOW_S
from tests.faults.watched import Life

# Of real time:
# How far a stream may be from its clock: a hop; and after each gap, whose length is measured by when blocks came, as much again.
LATE_S = 0.5
SEAM_S = 0.5  # of unheard cells beside a gap: the cell grid, the backbone's lag, a block
BEGIN_S = 1.5  # of a stream: the sound server gives zeros first
PLAYED_LATE_S = 2.5  # a player that is started plays, and one that has come to its end has been heard, so much later at most
# Of the daemon's time:
UNJUDGED_S = 7.0  # at a kill: what may wait before it is shed (5 s), a hop, blocks
OUTAGE_S = 40.0  # until the daemon tries again to open a device that is back (30 s), and told last of its absence (10 s)
LEAST_HEARD = 0.5  # of a window, for a score
SILENT, LOST, UNJUDGED, SCORED = range(4)


@dataclass(slots=True)
class Stream:
    """What one life of the daemon made of the sound of one source."""

    life: Life
    ended_s: float  # when the life has, or the next stream began
    cell_s: float
    zero_s: float  # the pace's time at its second 0
    state: NDArray[np.int8]  # (cell,)
    events: list[tuple[float, float]] = field(default_factory=list)  # what its messages speak of, on the clock

    @property
    def end_s(self) -> float:
        """Where it ends, on the clock."""
        return self.zero_s + len(self.state) * self.cell_s

    def is_scored(self, from_s: float, to_s: float) -> bool:
        """Whether all of a span of the clock was scored."""
        first, last = int((from_s - self.zero_s) / self.cell_s), int(np.ceil((to_s - self.zero_s) / self.cell_s))
        return first >= 0 and last <= len(self.state) and bool((self.state[first:last] == SCORED).all())


@dataclass(slots=True)
class Sound:
    """Seconds, and what is wrong with them."""

    passed_s: float = 0.0
    scored_s: float = 0.0
    unjudged_s: float = 0.0
    lost_s: float = 0.0
    silent_s: float = 0.0
    dead_s: float = 0.0
    cut_off_s: float = 0.0  # of it, heard and not judged yet when the daemon was killed
    windows: int = 0
    unscored: int = 0  # windows without a score
    latest_s: float = 0.0  # how far a stream was from its clock at most
    streams: list[Stream] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def check_sound(lives: Sequence[Life], silent: Sequence[tuple[float, float]], source: str = "machine1", speed: float = 1.0) -> Sound:
    """Account for all of it; `silent` is when nothing was played. What is measured in real time counts `speed` times."""
    sound = Sound()
    for life in lives:
        taps = [tap for tap in life.taps if tap["source"] == source]
        streams = list(_split(life, taps))
        problems = [*_count_problems(taps)] if streams else []
        for ours, ended_s in streams:
            windows = [tap for tap in ours if tap["kind"] == "window"]
            lost = [(tap["from_s"], tap["to_s"]) for tap in ours if tap["kind"] == "lost"]
            sound.windows += len(windows)
            sound.unscored += sum(window["score"] is None for window in windows)
            stream = _stream(life, ended_s, windows, lost)
            stream.events += [(stream.zero_s + tap["from_s"], stream.zero_s + tap["to_s"]) for tap in ours if tap["kind"] == "event"]
            sound.streams.append(stream)
            problems += [*_window_problems(windows), *_lateness(sound, windows, lost, speed), *_loss_problems(stream, lost, silent, speed)]
            problems += _silence_problems(stream, lost, silent, speed)
            seconds = np.bincount(stream.state, minlength=4) * stream.cell_s
            sound.silent_s += float(seconds[SILENT])
            sound.lost_s += float(seconds[LOST])
            sound.unjudged_s += float(seconds[UNJUDGED])
            sound.scored_s += float(seconds[SCORED])
        sound.problems += [f"life {life.number} of the daemon, {source}: {problem}" for problem in problems]
    for one, next_one in pairwise(sound.streams):
        dead_s = next_one.zero_s - one.end_s
        sound.dead_s += dead_s
        sound.cut_off_s += max(0.0, one.ended_s - one.end_s)
        if dead_s < -LATE_S * speed:
            sound.problems.append(f"life {next_one.life.number} begins {-dead_s:.2f} s before the end of the one before")
    sound.passed_s = sound.streams[-1].end_s - sound.streams[0].zero_s
    return sound


def total(sounds: Sequence[Sound]) -> Sound:
    """The sums over all sources."""
    added = ("passed_s", "scored_s", "unjudged_s", "lost_s", "silent_s", "dead_s", "cut_off_s", "windows", "unscored")
    sums = Sound(**{name: sum(getattr(sound, name) for sound in sounds) for name in added})
    sums.latest_s = max(sound.latest_s for sound in sounds)
    sums.problems = [problem for sound in sounds for problem in sound.problems]
    return sums


def _split(life: Life, taps: Sequence[dict[str, Any]]) -> Iterator[tuple[Sequence[dict[str, Any]], float]]:
    """What each stream that has told a window has told, and when it ended."""
    assert life.ended_s is not None
    begins = [place for place, tap in enumerate(taps) if tap["kind"] == "stream"] or [0]
    for first, last in zip(begins, [*begins[1:], len(taps)], strict=True):
        if any(tap["kind"] == "window" for tap in taps[first:last]):  # else killed before it had heard a window of sound
            yield taps[first:last], taps[last]["at_s"] if last < len(taps) else life.ended_s


def _stream(life: Life, ended_s: float, windows: Sequence[dict[str, Any]], lost: Sequence[tuple[float, float]]) -> Stream:
    cell_s = float(windows[0]["cell_s"])
    state = np.full(round(windows[-1]["to_s"] / cell_s), SILENT, np.int8)  # (cell,)
    for from_s, to_s in lost:
        state[round(from_s / cell_s) : round(to_s / cell_s)] = LOST
    for window in windows:
        first, last = round(window["from_s"] / cell_s), round(window["to_s"] / cell_s)
        heard = np.ones(last - first, np.bool_)  # (cell,)
        for start, stop in window["unheard"]:
            heard[start:stop] = False
        cells = state[first:last]
        cells[heard] = np.maximum(cells[heard], UNJUDGED if window["score"] is None else SCORED)
    return Stream(life, ended_s, cell_s, min(window["heard_at_s"] - window["to_s"] for window in windows), state)


def _window_problems(windows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for window in windows:
        unheard_s = sum(stop - start for start, stop in window["unheard"]) * window["cell_s"]
        if abs(unheard_s - window["lost_s"]) > 1e-6:
            yield f"the window at {window['to_s']:.1f} s says that {window['lost_s']:.2f} s were lost, and its map {unheard_s:.2f} s"
        if window["score"] is not None and unheard_s > (1.0 - LEAST_HEARD) * (window["to_s"] - window["from_s"]):
            yield f"the window at {window['to_s']:.1f} s has a score, and {unheard_s:.2f} s of it were not heard"


def _lateness(sound: Sound, windows: Sequence[dict[str, Any]], lost: Sequence[tuple[float, float]], speed: float) -> Iterator[str]:
    """A stream that runs late has lost sound that it did not count; one that runs early has counted too much."""
    zeros_s = [window["heard_at_s"] - window["to_s"] for window in windows]
    late_s = max(zeros_s) - min(zeros_s)
    sound.latest_s = max(sound.latest_s, late_s)
    if late_s > LATE_S * speed * (1 + len(lost)):
        yield f"its windows are up to {late_s:.2f} s from where the clock has them"


def _count_problems(taps: Sequence[dict[str, Any]]) -> Iterator[str]:
    lost_s = [tap["to_s"] - tap["from_s"] for tap in taps if tap["kind"] == "lost"]
    counted_s = max((tap["lost_s"] for tap in taps if tap["kind"] == "losses"), default=0.0)
    # Told and counted in two steps, of which a SIGKILL may fall between.
    if abs(sum(lost_s) - counted_s) > max(lost_s[-1:], default=0.0) + 1e-3:
        yield f"the listener was told of {sum(lost_s):.2f} s lost, and `lost_s` is {counted_s:.2f} s"


def _loss_problems(
    stream: Stream, lost: Sequence[tuple[float, float]], silent: Sequence[tuple[float, float]], speed: float
) -> Iterator[str]:
    for from_s, to_s in lost:
        cells = stream.state[round((from_s + stream.cell_s) / stream.cell_s) : round((to_s - stream.cell_s) / stream.cell_s)]
        if (cells >= UNJUDGED).any():
            yield f"what was lost from {from_s:.1f} to {to_s:.1f} s was scored"
    unjudged_s = stream.ended_s - stream.end_s
    # An outage is told in steps of ten seconds, and goes on until the device is tried again.
    is_outage = any(start_s < stream.ended_s and stop_s + OUTAGE_S > stream.end_s for start_s, stop_s in silent)
    if unjudged_s > UNJUDGED_S + 2.0 * LATE_S * (speed - 1.0) + (OUTAGE_S if is_outage else 0.0):
        yield f"{unjudged_s:.1f} s before its end were neither judged nor counted as lost"


def _silence_problems(
    stream: Stream, lost: Sequence[tuple[float, float]], silent: Sequence[tuple[float, float]], speed: float
) -> Iterator[str]:
    """Cells that were not heard although nobody was told of a loss: only where nothing was played, at the seams and at the beginning."""
    excused = np.zeros(len(stream.state), np.bool_)  # (cell,)
    seam_s, played_late_s = SEAM_S * speed, PLAYED_LATE_S * speed
    spans = [(from_s - seam_s, to_s + seam_s) for from_s, to_s in lost]
    spans += [(start_s - stream.zero_s - seam_s, stop_s - stream.zero_s + played_late_s) for start_s, stop_s in silent]
    for from_s, to_s in [(0.0, BEGIN_S * speed), *spans]:
        excused[max(0, int(from_s / stream.cell_s)) : max(0, int(np.ceil(to_s / stream.cell_s)))] = True
    missing_s = np.count_nonzero((stream.state == SILENT) & ~excused) * stream.cell_s
    if missing_s:
        yield f"{missing_s:.2f} s of what was played are neither scored nor counted as lost"
    for start_s, stop_s in silent:
        first, last = (round((at_s - stream.zero_s) / stream.cell_s) for at_s in (start_s + played_late_s, stop_s - seam_s))
        if last > first and (stream.state[max(0, first) : max(0, last)] >= UNJUDGED).any():
            yield f"something was scored between {start_s - stream.zero_s:.1f} and {stop_s - stream.zero_s:.1f} s, when nothing was played"


def heard_whole(streams: Sequence[Stream], from_s: float, to_s: float) -> Stream | None:
    """The stream in which a fault between two times of the clock was scored with a window before and after it; None without."""
    return next((stream for stream in streams if stream.is_scored(from_s - 1.0, to_s + WINDOW_S)), None)
