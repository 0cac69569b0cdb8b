"""Calibrating a working day of sound on a small board: DESIGN section 5 promises less than 1 GB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from export.synthesis import RotatingMachine

ROOT = Path(__file__).parents[2]
RATE_HZ = 16000
HOURS = 8
PIECE_S = 60
LIMIT_BYTES = 1_000_000_000
PROGRAM = """
import json, resource, sys, time
import edge.threads
from pathlib import Path
from calibrate.calibration import CalibrationSettings, calibrate
started_s = time.monotonic()
result = calibrate([Path(path) for path in sys.argv[2:]], Path(sys.argv[1]), CalibrationSettings())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": result.seconds, "peak_bytes": peak, "wall_s": time.monotonic() - started_s}))
"""


def write_hours(folder: Path, hours: int) -> list[Path]:
    """One minute of a machine again and again, each time a little louder or softer and with noise of its own: no two are the same."""
    minute = RotatingMachine(1, RATE_HZ).render(PIECE_S)
    rng = np.random.default_rng(0)
    paths = []
    for hour in range(hours):
        paths.append(folder / f"{hour}.flac")
        with soundfile.SoundFile(paths[-1], "w", RATE_HZ, 1, "PCM_16", format="FLAC", compression_level=0.0) as file:
            for _ in range(3600 // PIECE_S):
                noise = rng.standard_normal(len(minute), dtype=np.float32) * np.float32(0.003)
                file.write(np.clip(np.roll(minute, rng.integers(len(minute))) * np.float32(rng.uniform(0.8, 1.0)) + noise, -1, 1))
    return paths


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_calibrate_eight_hours_stays_below_one_gigabyte(tmp_path: Path) -> None:
    paths = write_hours(tmp_path, HOURS)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "b.auscult"), *map(str, paths)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    print(measured)
    assert measured["seconds"] == HOURS * 3600
    assert measured["peak_bytes"] < LIMIT_BYTES
