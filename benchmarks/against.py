"""Whether this code costs less than another revision's: both listen to the same sound, in turns, in one run.

Each is a process of its own. A piece of sound goes to the one and then to the other, and the next one in the other order, so a machine
that slows down or is shared slows both; the ratio is taken piece by piece. The bundle is made by the older code, which both can read.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import soundfile

from benchmarks import pipeline_meter
from benchmarks.checkout import HERE, Tree, checked_out
from benchmarks.figure import Figure
from benchmarks.pipeline_meter import NATIVE_RATE_HZ, Piece
from edge.console.progress import progress
from edge.errors import AuscultError
from export.synthesis import RotatingMachine

RECORDINGS = 6
RECORDING_S = 15.0  # long enough for a coreset of 1000 patches per band
PIECE_S = 10.0  # of sound in a round
WARM_UP = 2  # pieces that do not count: caches, and the first windows
WHOLE = "pipeline"
# The meter of this code, and the rest of it from the tree.
PROGRAM = "import edge.threads, runpy, sys; sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"


@dataclass(frozen=True, slots=True)
class Compared:
    """Milliseconds of one core's time per second of sound."""

    before: Figure
    now: Figure
    ratio: Figure | None  # now / before, piece by piece; None where there was nothing before


@dataclass(frozen=True, slots=True)
class Against:
    """This code beside a revision's."""

    commit: str
    stages: Mapping[str, Compared]  # the whole pipeline first
    windows: int
    score_difference: float  # the largest
    alarms_before: int
    alarms_differ: int  # windows that one of them alone calls anomalous


def measure_against(revision: str, backbone: str | Path, *, coreset: int, repeats: int, seed: int) -> Against:
    """Measure the pipeline of this code and of a revision.

    Raises
    ------
    UserError
        When there is no such revision, or no checkout.
    AuscultError
        When one of the two fails; with the last line it wrote.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="auscult-")))
        other = stack.enter_context(checked_out(revision, folder))
        machine = RotatingMachine(seed, NATIVE_RATE_HZ)
        bundle = _bundle(other, folder, machine, backbone, coreset, seed)
        pieces = WARM_UP + repeats
        sound = folder / "sound.npy"
        np.save(sound, machine.render(PIECE_S * pieces))
        meters = {tree: stack.enter_context(_metered(tree, bundle, sound)) for tree in (other, HERE)}
        heard: dict[Tree, list[Piece]] = {other: [], HERE: []}
        for number in progress(range(pieces), label="measuring"):
            for tree in (other, HERE) if number % 2 else (HERE, other):
                heard[tree].append(meters[tree].hear(number))
    return compared(other.commit, heard[other][WARM_UP:], heard[HERE][WARM_UP:])


def _bundle(tree: Tree, folder: Path, machine: RotatingMachine, backbone: str | Path, coreset: int, seed: int) -> Path:
    recordings, bundle = folder / "normal", folder / "machine.auscult"
    recordings.mkdir()
    for number in range(RECORDINGS):
        soundfile.write(recordings / f"{number}.wav", machine.render(RECORDING_S), NATIVE_RATE_HZ, subtype="PCM_16")
    command = [sys.executable, "-m", "auscult", "calibrate", "--recordings", str(recordings), "--output", str(bundle)]
    command += ["--backbone", str(backbone), "--coreset", str(coreset), "--seed", str(seed)]
    done = subprocess.run(command, cwd=tree.root, env=tree.environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AuscultError(f"auscult calibrate at {tree}", _last_line(done.stderr))
    return bundle


class _Meter:
    """A process that listens to pieces of a sound with the code of a tree."""

    def __init__(self, tree: Tree, bundle: Path, sound: Path, errors: IO[str]) -> None:
        self._tree = tree
        self._errors = errors
        command = [sys.executable, "-c", PROGRAM, pipeline_meter.__file__, str(bundle), str(sound)]
        self.process = subprocess.Popen(
            command, cwd=tree.root, env=tree.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )

    def hear(self, number: int) -> Piece:
        """Listen to a piece."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        step = round(PIECE_S * NATIVE_RATE_HZ)
        try:
            print(number * step, (number + 1) * step, file=self.process.stdin, flush=True)
            return Piece(**json.loads(self.process.stdout.readline()))
        except (BrokenPipeError, json.JSONDecodeError) as error:
            self.process.wait()
            self._errors.seek(0)
            raise AuscultError(f"the pipeline of {self._tree}", f"cannot be measured: {_last_line(self._errors.read())}") from error


@contextmanager
def _metered(tree: Tree, bundle: Path, sound: Path) -> Iterator[_Meter]:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        meter = _Meter(tree, bundle, sound, errors)
        with meter.process as process:
            try:
                yield meter
            finally:
                process.kill()


def _last_line(said: str) -> str:
    return (said.strip().splitlines() or ["it said nothing"])[-1]


def compared(commit: str, before: Sequence[Piece], now: Sequence[Piece]) -> Against:
    """Compare what two revisions made of the same pieces of sound."""
    pairs = list(zip(before, now, strict=True))
    stages = {WHOLE: _stage([(old.ms_per_s, new.ms_per_s) for old, new in pairs])}
    for name in dict.fromkeys(name for piece in (*before, *now) for name in piece.stages_ms_per_s):
        stages[name] = _stage([(old.stages_ms_per_s.get(name, 0.0), new.stages_ms_per_s.get(name, 0.0)) for old, new in pairs])
    scores = [(old, new) for one, other in pairs for old, new in zip(one.scores, other.scores, strict=True)]
    alarms = [(old, new) for one, other in pairs for old, new in zip(one.anomalous, other.anomalous, strict=True)]
    return Against(
        commit,
        stages,
        windows=len(scores),
        score_difference=max((_apart(old, new) for old, new in scores), default=0.0),
        alarms_before=sum(old for old, _ in alarms),
        alarms_differ=sum(old != new for old, new in alarms),
    )


def _stage(pairs: Sequence[tuple[float, float]]) -> Compared:
    before, now = ([pair[side] for pair in pairs] for side in (0, 1))
    ratio = Figure.of([new / old for old, new in pairs]) if min(before) > 0.0 else None
    return Compared(Figure.of(before), Figure.of(now), ratio)


def _apart(one: float | None, other: float | None) -> float:
    """How far two scores are from each other; infinitely, where only one of them is known."""
    if one is None or other is None:
        return 0.0 if one is other else math.inf
    return abs(one - other)
