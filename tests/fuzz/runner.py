"""Many cases in a process of their own, with bounded memory, under the eyes of a watcher that survives it."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.attempts import LONGEST_S, TARGETS, Outcome, Target, attempt, peak_mb, warm_up

ROOT = Path(__file__).resolve().parents[2]
ADDRESS_MB = 1024  # beyond what the libraries have reserved once everything was used


@dataclass(slots=True)
class Summary:
    """What a run came to."""

    counts: Counter[tuple[Target, str]] = field(default_factory=Counter)  # (target, ending)
    failures: list[tuple[int, Outcome]] = field(default_factory=list)  # (number of the case, how it ended)
    peak_mb: float = 0.0
    base_mb: float = 0.0

    def add(self, number: int, outcome: Outcome) -> None:
        """Count one case."""
        self.counts[outcome.target, outcome.ending] += 1
        self.peak_mb = max(self.peak_mb, outcome.peak_mb)
        if outcome.ending == "failed":
            self.failures.append((number, outcome))


def fuzz(seed: int, seconds: float, targets: tuple[Target, ...] = TARGETS, cases: int = 1 << 60) -> Summary:
    """Run cases of each target in turn until the time or the number of cases is up; a process that dies costs one case."""
    summary = Summary()
    end_s = time.monotonic() + seconds
    first = 0
    while time.monotonic() < end_s and first < cases:
        first = _watch(seed, first, cases, targets, end_s, summary)
    return summary


def _watch(seed: int, first: int, cases: int, targets: tuple[Target, ...], end_s: float, summary: Summary) -> int:
    """Follow one process; return the case that the next one begins with."""
    command = [sys.executable, "-m", "tests.fuzz.runner", json.dumps([seed, first, cases, targets])]
    number, target = first, targets[first % len(targets)]
    errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed below, after the process
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert process.stdout is not None
    try:
        for line in _lines(process.stdout.fileno(), end_s):
            if line is None:
                process.kill()
                summary.add(number, Outcome(target, "?", "failed", f"hangs: no answer after {3 * LONGEST_S:g} s", 0.0))
                return number + 1
            told = _told(line)
            if told is None:
                summary.add(number, Outcome(target, "?", "failed", f"printed on stdout: {line[:200]!r}", 0.0))
                continue
            if "base_mb" in told:
                summary.base_mb = max(summary.base_mb, told["base_mb"])
                continue
            summary.add(told.pop("number"), Outcome(**told))
            number += 1
            target = targets[number % len(targets)]
        if time.monotonic() >= end_s:
            process.send_signal(signal.SIGKILL)
            return number
        if code := process.wait(timeout=LONGEST_S):
            errors.seek(0)
            reason = errors.read()[-2000:].decode(errors="replace")
            if not summary.base_mb:
                raise RuntimeError(f"the cases cannot begin: {reason}")
            summary.add(number, Outcome(target, "?", "failed", f"the process died ({code}): {reason}", 0.0))
            return number + 1
        return number
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        errors.close()


def _told(line: bytes) -> dict[str, Any] | None:
    """What the process says of a case; None for something that a case itself has printed."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _lines(descriptor: int, end_s: float) -> Iterator[bytes | None]:
    """Lines as they come, until the stream or the time ends; None when there is none for too long."""
    waiting = b""
    while time.monotonic() < end_s:
        heard_s = time.monotonic()
        while b"\n" not in waiting:
            ready, _, _ = select.select([descriptor], [], [], 0.5)
            if ready:
                piece = os.read(descriptor, 1 << 16)
                if not piece:
                    return
                waiting += piece
            elif time.monotonic() - heard_s > 3 * LONGEST_S:
                yield None
                return
            elif time.monotonic() >= end_s:
                return
        line, _, waiting = waiting.partition(b"\n")
        yield line


def work(seed: int, first: int, cases: int, targets: tuple[Target, ...]) -> None:
    """In the process: run cases and tell of each on stdout."""
    os.environ.pop("AUSCULT_DEBUG", None)
    with tempfile.TemporaryDirectory(prefix="auscult-fuzz-") as name:
        folder = Path(name)
        warm_up(folder)
        _bound_memory()
        print(json.dumps({"base_mb": peak_mb()}), flush=True)
        for number in range(first, cases):
            outcome = attempt(targets[number % len(targets)], seed, number, folder)
            print(json.dumps({"number": number, **asdict(outcome)}), flush=True)


def _bound_memory() -> None:
    """Let a case that wants gigabytes fail, here and not in the machine."""
    reserved = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    limit = reserved + ADDRESS_MB * 1024**2
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    work(*json.loads(sys.argv[1]))
