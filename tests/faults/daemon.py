"""The daemon in a process of its own, with things added that change nothing of what it does:

    python -m tests.faults.daemon CONFIG CONTROLS SPEED ZERO_S DESCRIPTOR

* Its clocks, waits and microphones run at a pace; see tests/faults/pace.py.
* Its clock, disk and memory obey a file; see tests/faults/controls.py.
* What the listeners are told and what they say goes down a pipe; see tests/faults/tap.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.faults.controls import Controls
from tests.faults.pace import Pace


def main(config: str, controls: str, speed: str, zero_s: str, descriptor: str) -> int:
    """Run the daemon; its exit code."""
    Pace(float(speed), float(zero_s)).impose()
    ours = Controls(Path(controls))
    ours.impose()
    import auscult  # only now: parts of the daemon take their clocks when they are imported
    from tests.faults.tap import starve, tap

    tap(int(descriptor))
    starve(ours)
    return auscult.main(["run", "--config", config])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
