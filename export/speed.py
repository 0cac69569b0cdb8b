"""Which precision is faster on this board: measured, because it depends on the CPU's instructions."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from edge.features.backbone import Backbone, BackboneStream
from edge.features.frontend import BLOCK_FRAMES
from export.sound import Clip

RUNS = 7
BLOCKS_PER_RUN = 12


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds of one core per second of audio, streamed as the daemon does it."""

    fp32_ms_per_s: float
    int8_ms_per_s: float

    @property
    def faster(self) -> str:
        """The precision to prefer here."""
        return "int8" if self.int8_ms_per_s < self.fp32_ms_per_s else "fp32"

    @property
    def ratio(self) -> float:
        """How many times cheaper int8 is than fp32."""
        return self.fp32_ms_per_s / self.int8_ms_per_s


def measure_speed(fp32: Backbone, int8: Backbone, clip: Clip) -> Speed:
    """Median over several runs, taken in turns so that a busy moment hits both."""
    streams: list[tuple[BackboneStream, list[float]]] = [(backbone.stream(), []) for backbone in (fp32, int8)]
    seconds_of_audio = BLOCKS_PER_RUN * BLOCK_FRAMES * fp32.front_end.frame_s
    blocks = len(clip.log_mel) // BLOCK_FRAMES
    for run in range(RUNS + 1):
        for stream, costs_ms in streams:
            start_s = time.perf_counter()
            for index in range(BLOCKS_PER_RUN):
                first = index % blocks * BLOCK_FRAMES
                stream.push(clip.log_mel[first : first + BLOCK_FRAMES])
            if run:  # the first one warms up
                costs_ms.append((time.perf_counter() - start_s) * 1000.0 / seconds_of_audio)
    return Speed(*(median(costs_ms) for _, costs_ms in streams))
