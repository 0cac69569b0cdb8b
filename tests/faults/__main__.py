"""Everything goes wrong at random while a machine breaks down again and again: `python -m tests.faults --seed 1`.

Real daemon, PulseAudio, Mosquitto. The broker and the daemon are killed ten times each, the daemon every other time in the very instant in
which its log says that an event was opened; the network is cut, the sound device pulled out and put back in, the disk full, the clock set.
Meanwhile 40 faults are played. Then it prints counts, and fails unless every event that the daemon's log says was opened has reached a
subscriber once, in order (tests/faults/delivery.py), and every second of sound was scored or counted as lost (tests/faults/sound.py).

With `--long` four machines are heard for a day, at ten times their speed, and more goes wrong: the disk is slow or read-only, and memory
runs short.

Two things are left out, for nobody promises them. A broker is not killed while the subscriber is away, and nothing reaches it for a moment
before: Mosquitto acknowledges what it has not saved yet. And the daemon is not killed while its disk fails: it says then that events are
in memory only.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import edge.threads  # noqa: F401  # before anything imports numpy
from tests.faults.site import FULL, SHORT, long_plan, missing_programs, run_drill
from tests.faults.verdict import Verdict, judge

LIMIT_S = 1200  # it ends by itself, and so much later at most


def main() -> int:
    """Run, and print the counts; 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), metavar="N", help="of the machine and of what goes wrong (default: the time)"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="a minute of it")
    length.add_argument("--long", action="store_true", help="a day of four sources at ten times their speed, so 2.4 hours")
    parser.add_argument("--hours", type=float, default=24.0, metavar="H", help="of the day, with --long (default: %(default)g)")
    parser.add_argument("--keep", action="store_true", help="keep the logs when all is well, too")
    arguments = parser.parse_args()
    if missing := missing_programs():
        print(f"not installed: {', '.join(missing)}; `make test-faults` installs them", file=sys.stderr)
        return 2
    signal.signal(signal.SIGALRM, _too_long)
    plan = long_plan(arguments.hours) if arguments.long else SHORT if arguments.short else FULL
    limit_s = round(LIMIT_S + 3600.0 * (plan.hours or 0.0) / plan.speed)
    signal.alarm(limit_s)
    folder = Path(tempfile.mkdtemp(prefix="auscult-faults-"))
    try:
        verdict = judge(run_drill(folder, arguments.seed, plan, lambda line: print(line, flush=True)))
    except Exception:
        traceback.print_exc()
        print(f"FAILED, seed {arguments.seed}; see {folder}")
        return 1
    tell(verdict, arguments.seed)
    if verdict.problems or arguments.keep:
        print(f"logs: {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if verdict.problems else 0


def tell(verdict: Verdict, seed: int) -> None:
    """Print the table, then what is wrong."""
    print()
    for name, value in verdict.table():
        print(f"{name:<30} {value}")
    for problem in verdict.problems:
        print(f"FAILED: {problem}")
    print(f"seed {seed}: {'FAILED' if verdict.problems else 'passed'}")


def _too_long(*_: object) -> None:
    raise TimeoutError("still busy long after its end")


if __name__ == "__main__":
    sys.exit(main())
