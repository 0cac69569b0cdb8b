"""What a second of audio costs one core: the trunk naively, streamed and in int8, the whole pipeline by stage, and memory.

CPU time, one thread. The measurements of a repeat follow each other directly, and repeats follow repeats, so that a machine that slows down
or is shared slows all of them; the figures are medians over the repeats, with their intervals beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import soundfile

from benchmarks.ceiling import Gemm, trunk_gflop_per_s
from benchmarks.figure import Figure
from benchmarks.memory import peak_rss_mb
from benchmarks.pipeline_meter import NATIVE_RATE_HZ, PipelineMeter
from benchmarks.trunk import NaiveTrunk, StreamedTrunk, machine_log_mel
from calibrate.calibration import calibrate
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.settings import CalibrationSettings
from edge.console.progress import progress
from edge.features.backbone import DEFAULT_BACKBONE, Backbone
from edge.model import Model
from export.synthesis import RotatingMachine

RECORDINGS = 6
RECORDING_S = 15.0  # long enough for a coreset of 1000 patches per band
PIECE_S = 10.0  # of sound in one repeat
MEMORY_S = 60.0
WARM_UP = 1  # repeats that do not count: caches, and the first windows of the listener


@dataclass(frozen=True, slots=True)
class Cost:
    """What was measured. Milliseconds are of one core's time, per second of audio."""

    naive_ms_per_s: Figure
    streamed_fp32_ms_per_s: Figure
    streamed_int8_ms_per_s: Figure
    pipeline_ms_per_s: Figure
    stages_ms_per_s: Mapping[str, Figure]
    gemm_gflops: Figure
    peak_rss_mb: float
    trunk_gflop_per_s: float  # of arithmetic in one second of audio


def measure_cost(
    fp32: Backbone,
    int8: Backbone,
    folder: Path,
    *,
    backbone: str | Path = DEFAULT_BACKBONE,
    coreset: int = 1000,
    repeats: int = 7,
    seed: int = 0,
) -> Cost:
    """Measure everything; `folder` takes the recordings and the bundle that are made for it.

    Parameters
    ----------
    fp32, int8 : the same trunk in both precisions.
    backbone : where `int8` was loaded from, for the bundle.
    coreset : patches per band of the detector.
    """
    bundle = make_bundle(folder, backbone, coreset, seed)
    log_mel = machine_log_mel(fp32, PIECE_S + 1.0, seed)
    naive, streamed_fp32, streamed_int8 = NaiveTrunk(fp32), StreamedTrunk(fp32), StreamedTrunk(int8)
    pipeline = RunningMachine(Model.load(bundle), seed)
    measures: dict[str, Callable[[], float]] = {
        "naive": lambda: naive.ms_per_s(log_mel),
        "fp32": lambda: streamed_fp32.ms_per_s(log_mel),
        "int8": lambda: streamed_int8.ms_per_s(log_mel),
        "pipeline": pipeline.ms_per_s,
        "gemm": Gemm(seed=seed).gflops,
    }
    found: dict[str, list[float]] = {name: [] for name in measures}
    for repeat in progress(range(WARM_UP + repeats), label="measuring"):
        for name, measure in measures.items():
            value = measure()
            if repeat >= WARM_UP:
                found[name].append(value)
    return Cost(
        naive_ms_per_s=Figure.of(found["naive"]),
        streamed_fp32_ms_per_s=Figure.of(found["fp32"]),
        streamed_int8_ms_per_s=Figure.of(found["int8"]),
        pipeline_ms_per_s=Figure.of(found["pipeline"]),
        stages_ms_per_s={name: Figure.of(values[WARM_UP:]) for name, values in pipeline.stages_ms_per_s.items()},
        gemm_gflops=Figure.of(found["gemm"]),
        peak_rss_mb=peak_rss_mb(bundle, _recorded(folder / "stream.wav", RotatingMachine(seed, NATIVE_RATE_HZ), MEMORY_S), folder),
        trunk_gflop_per_s=trunk_gflop_per_s(fp32.session, 1.0 / fp32.front_end.frame_s),
    )


class RunningMachine:
    """A synthesised machine that is listened to without a break, and how its cost falls on the stages."""

    def __init__(self, model: Model, seed: int) -> None:
        self._meter = PipelineMeter(model)
        self._machine = RotatingMachine(seed, NATIVE_RATE_HZ)
        self.stages_ms_per_s: dict[str, list[float]] = {}
        self._meter.hear(self._machine.render(PIECE_S))  # the first window is due only now

    def ms_per_s(self) -> float:
        """Listen to the next piece; return the milliseconds of CPU time that a second of it took, and note how they fall on the stages."""
        piece = self._meter.hear(self._machine.render(PIECE_S))
        for name, milliseconds in piece.stages_ms_per_s.items():
            self.stages_ms_per_s.setdefault(name, []).append(milliseconds)
        return piece.ms_per_s


def make_bundle(folder: Path, backbone: str | Path, coreset: int, seed: int) -> Path:
    """Calibrate on a synthesised machine with Auscult's defaults, but for the size of the coreset."""
    machine = RotatingMachine(seed, NATIVE_RATE_HZ)
    recordings = [_recorded(folder / f"normal{number}.wav", machine, RECORDING_S) for number in range(RECORDINGS)]
    settings = CalibrationSettings(backbone=backbone, fitting=PatchCoreSettings(coreset=coreset, seed=seed))
    return calibrate(recordings, folder / "machine.auscult", settings).bundle


def _recorded(path: Path, machine: RotatingMachine, seconds: float) -> Path:
    soundfile.write(path, machine.render(seconds), NATIVE_RATE_HZ, subtype="PCM_16")
    return path
