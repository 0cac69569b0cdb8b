"""Sound that is none: digital silence, and numbers that no microphone gives. It counts as lost, neither as normal nor as a fault.

Microphones and sound servers begin with zeros, and a device that is muted or unplugged gives nothing else. Against any
machine that is a huge change, but not one of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

DEAD_S = 0.1  # of zeros in the middle of sound; fewer may be a very quiet room
LOUDEST = 1e6  # far beyond any scaling of samples; NaN and infinity are not below it either


class Gaps:
    """Splits audio into sound and gaps, at the same places for any sizes of the pushes."""

    def __init__(self, rate_hz: int) -> None:
        self._dead_samples = max(1, round(DEAD_S * rate_hz))
        self._zeros = 0  # held back: the latest samples, until it is known whether more follow
        self._in_gap = True  # a stream begins with a gap of no length, so leading zeros are one

    def push(self, samples: Float32) -> Iterator[Float32 | int]:
        """Take audio, shape = (n,) float32; yield sound, each shape = (m,) float32, and lengths of gaps in samples, in order."""
        samples = np.concatenate([self.flush(), samples])
        if not len(samples):
            return
        is_bad = ~(np.abs(samples) < LOUDEST)  # (sample,)
        kind = np.where(is_bad, 2, samples == 0.0)  # (sample,) 0 sound, 1 zero, 2 not a number
        edges = np.flatnonzero(np.diff(kind)) + 1
        starts, stops = np.append(0, edges), np.append(edges, len(samples))  # (run,)
        kinds = kind[starts]
        after_gap = np.append(self._in_gap, kinds[:-1] == 2)
        is_gap = (kinds == 2) | ((kinds == 1) & (after_gap | (stops - starts >= self._dead_samples)))
        self._in_gap = bool(is_gap[-1])
        end = len(samples)
        if kinds[-1] == 1 and not is_gap[-1]:
            end = int(starts[-1])
            self._zeros = len(samples) - end
        heard = 0
        for start, stop in zip(starts[is_gap].tolist(), stops[is_gap].tolist(), strict=True):
            if start > heard:
                yield samples[heard:start]
            yield stop - start
            heard = stop
        if end > heard:
            yield samples[heard:end]

    def flush(self) -> Float32:
        """The zeros that were held back, shape = (n,) float32: sound after all."""
        zeros = np.zeros(self._zeros, np.float32)
        self._zeros = 0
        return zeros

    def interrupt(self) -> Float32:
        """Audio was lost here: what was held back of the sound before it; what follows is after a gap."""
        self._in_gap = True
        return self.flush()
