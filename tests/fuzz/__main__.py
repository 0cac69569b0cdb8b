"""Hand hostile bundles, configurations, audio files and commands to Auscult: `python -m tests.fuzz --minutes 10 --seed 1`.

Each case must end in success or in one line that names the file, within seconds and bounded memory. `--case` repeats one that did not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import edge.threads  # noqa: F401  # before anything imports numpy
from tests.fuzz.attempts import TARGETS, attempt
from tests.fuzz.runner import Summary, fuzz


def main() -> int:
    """Run, and print counts and peak memory; 1 when a case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0, metavar="N", help="how long (default: 1)")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="N", help="of all cases (default: the time)")
    parser.add_argument("--target", choices=TARGETS, nargs="+", default=list(TARGETS), help="what is attacked (default: all)")
    parser.add_argument("--case", type=int, metavar="N", help="only this one, of one --target and --seed, in this process")
    arguments = parser.parse_args()
    targets = tuple(arguments.target)
    if arguments.case is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(attempt(targets[0], arguments.seed, arguments.case, Path(folder)))
        return 0
    summary = fuzz(arguments.seed, 60.0 * arguments.minutes, targets)
    tell(summary, arguments.seed)
    return 1 if summary.failures else 0


def tell(summary: Summary, seed: int) -> None:
    """Print what it came to, failures first: each kind once."""
    told = set()
    for number, outcome in summary.failures:
        last = outcome.detail.strip().splitlines()[-1][:100]
        if (outcome.target, outcome.case, last) in told:
            continue
        told.add((outcome.target, outcome.case, last))
        print(f"--- python -m tests.fuzz --seed {seed} --target {outcome.target} --case {number}  ({outcome.case})\n{outcome.detail}")
    print(f"seed {seed}: {sum(summary.counts.values())} cases")
    for target in TARGETS:
        counts = {ending: summary.counts[target, ending] for ending in ("accepted", "refused", "failed")}
        print(f"{target:<8}" + "".join(f"{count:>9} {ending}" for ending, count in counts.items()))
    print(f"peak memory {summary.peak_mb:.0f} MB, of which {summary.base_mb:.0f} MB before the first case")


if __name__ == "__main__":
    sys.exit(main())
