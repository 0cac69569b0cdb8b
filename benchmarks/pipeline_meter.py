"""What the daemon's listener costs per second of sound, by stage, and what it says.

Also a program, which `auscult benchmark cost --against` runs with the code of either revision: it takes a bundle and a sound, reads the
first and last sample of a piece from each line of stdin, and answers with a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.judgement.window import Window
from edge.model import Model
from edge.pipeline import Listener

NATIVE_RATE_HZ = 48000  # of most USB microphones: resampling is part of the cost
PUSH_S = 0.1  # of sound at a time, as a microphone gives it


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of sound that was listened to. Milliseconds are of one core's time, per second of sound."""

    ms_per_s: float
    stages_ms_per_s: Mapping[str, float]  # their sum is the whole
    scores: list[float | None]  # of the windows that it completed
    anomalous: list[bool]


class PipelineMeter:
    """The daemon's listener on a microphone's sound, piece by piece; it continues where the last piece ended."""

    def __init__(self, model: Model) -> None:
        self._listener = Listener(model, NATIVE_RATE_HZ)

    def hear(self, samples: NDArray[np.float32]) -> Piece:
        """Listen to a piece, shape = (n,) float32 at 48 kHz."""
        seconds = len(samples) / NATIVE_RATE_HZ
        step = round(PUSH_S * NATIVE_RATE_HZ)
        before_s = self._listener.timings_s
        start_s = time.process_time()
        results = [result for first in range(0, len(samples), step) for result in self._listener.push(samples[first : first + step])]
        total_ms = 1000.0 * (time.process_time() - start_s) / seconds
        stages = {name: 1000.0 * (spent - before_s.get(name, 0.0)) / seconds for name, spent in self._listener.timings_s.items()}
        windows = [result for result in results if isinstance(result, Window)]
        return Piece(
            total_ms,
            {**stages, "rest": total_ms - sum(stages.values())},
            [window.score for window in windows],
            [window.anomalous for window in windows],
        )


def main(bundle: str, sound: str) -> None:
    """Answer to the pieces that stdin names."""
    meter, samples = PipelineMeter(Model.load(Path(bundle))), np.load(sound)
    for line in sys.stdin:
        first, last = map(int, line.split())
        print(json.dumps(asdict(meter.hear(samples[first:last]))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
