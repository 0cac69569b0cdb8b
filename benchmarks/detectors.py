"""What each detector costs: to fit, to keep and to run. Fitting is a process of its own, as a user starts it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.memory import MEGA, peak_rss_mb
from benchmarks.promise import RATE_HZ, RECORDING_S, machine
from edge.errors import AuscultError
from edge.model import Model
from edge.pipeline import Listener

Float32 = NDArray[np.float32]

LOAD_HOLD_S = 60.0
BLOCK_SAMPLES = 4096
PROGRAM = """
import runpy, sys
try:
    runpy.run_module("auscult", run_name="__main__", alter_sys=True)
finally:
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""


@dataclass(frozen=True, slots=True)
class DetectorCost:
    """The figures of one detector."""

    fit_s: float  # wall time
    fit_peak_mb: float
    bundle_mb: float
    ms_per_s: float  # CPU time of one core for a second of audio, the whole pipeline
    run_peak_mb: float


def record(folder: Path, minutes: int, seed: int) -> tuple[list[Path], Path]:
    """Write so many minutes of a synthesised machine in files of one, and one more minute to score."""
    source = machine(seed, LOAD_HOLD_S)
    written = []
    for number in range(minutes + 1):
        written.append(folder / f"{number:03}.flac")
        soundfile.write(written[-1], source.render(RECORDING_S), RATE_HZ, subtype="PCM_16")
    return written[:-1], written[-1]


def measure_detector(name: str, recordings: Sequence[Path], heard: Path, options: Sequence[str] = ()) -> DetectorCost:
    """Fit a detector on recordings and run it over another.

    Parameters
    ----------
    options : more of `auscult calibrate`, such as a shorter training.

    Raises
    ------
    AuscultError
        When fitting fails; with the last line it wrote.
    """
    with tempfile.TemporaryDirectory(prefix="auscult-") as folder:
        bundle = Path(folder, "machine.auscult")
        files = [str(path) for path in recordings]
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            "calibrate",
            "--recordings",
            *files,
            "--output",
            str(bundle),
            "--detector",
            name,
            *options,
        ]
        start_s = time.monotonic()
        done = subprocess.run(command, cwd=Path(__file__).resolve().parents[1], capture_output=True, text=True, check=False)
        fit_s = time.monotonic() - start_s
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        peak_kib = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
        if done.returncode != 0 or not peak_kib:
            said = [line for line in lines if not line.startswith("VmHWM")]
            raise AuscultError(f"auscult calibrate --detector {name}", said[-1] if said else lines[-1])
        return DetectorCost(
            fit_s=fit_s,
            fit_peak_mb=peak_kib[0] * 1024 / MEGA,
            bundle_mb=bundle.stat().st_size / MEGA,
            ms_per_s=_ms_per_s(Model.load(bundle), heard),
            run_peak_mb=peak_rss_mb(bundle, heard, Path(folder)),
        )


def _ms_per_s(model: Model, heard: Path) -> float:
    samples: Float32 = soundfile.read(heard, dtype="float32")[0]
    listener = Listener(model, RATE_HZ)
    start_s = time.process_time()
    for first in range(0, len(samples), BLOCK_SAMPLES):
        listener.push(samples[first : first + BLOCK_SAMPLES])
    return 1000.0 * (time.process_time() - start_s) / (len(samples) / RATE_HZ)
