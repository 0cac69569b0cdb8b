"""Samples that are not sound: a value that never changes, and numbers that no microphone gives.

It counts as lost, neither as normal nor as a fault. Microphones and sound servers begin with zeros, and a device that is
muted or unplugged gives nothing else; a broken input sticks at some other value. Against any machine that is a huge change,
but not one of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

DEAD_S = 0.1  # of one value in the middle of sound; less may be a very quiet room, or a clipped peak
LOUDEST = 1e6  # far beyond any scaling of samples; NaN and infinity are not below it either

_SOUND, _ZERO, _BAD, _CONSTANT = range(4)


class Gaps:
    """Splits audio into sound and gaps, at the same places for any sizes of the pushes."""

    def __init__(self, rate_hz: int) -> None:
        self._dead_samples = max(1, round(DEAD_S * rate_hz))
        self.held = 0  # samples held back, all equal to `_last`, until it is known whether more follow
        self._last = np.float32(np.nan)  # the latest sample; after lost audio not a number, which equals nothing
        self._in_gap = True  # a stream begins with a gap of no length, so leading zeros are one

    def push(self, samples: Float32) -> Iterator[Float32 | int]:
        """Take audio, shape = (n,) float32; yield sound, each shape = (m,) float32, and lengths of gaps in samples, in order."""
        samples = np.concatenate([self.flush(), samples])
        if not len(samples):
            return
        if not self._in_gap and self._is_sound(samples):
            end = _last_run(samples)
            self._last = samples[-1]
            self.held = len(samples) - end
            if end:
                yield samples[:end]
            return
        goes_on = self._in_gap and bool(samples[0] == self._last)
        kind = self._kinds(samples, goes_on)
        is_edge = (kind[1:] != kind[:-1]) | ((kind[1:] == _CONSTANT) & (samples[1:] != samples[:-1]))
        edges = np.flatnonzero(is_edge) + 1
        starts, stops = np.append(0, edges), np.append(edges, len(samples))  # (run,)
        kinds = kind[starts]
        is_long = stops - starts >= self._dead_samples
        is_long[0] |= goes_on
        is_certain = (kinds == _BAD) | ((kinds == _CONSTANT) & is_long)
        after_gap = np.append(self._in_gap, is_certain[:-1])
        is_gap = is_certain | ((kinds == _ZERO) & (after_gap | is_long))
        self._in_gap = bool(is_gap[-1])
        self._last = samples[-1]
        end = len(samples)
        if not self._in_gap:  # what follows may make a gap of it
            end = len(samples) - 1 if kinds[-1] == _SOUND else int(starts[-1])
            self.held = len(samples) - end
        heard = 0
        for start, stop in zip(starts[is_gap].tolist(), stops[is_gap].tolist(), strict=True):
            if start > heard:
                yield samples[heard:start]
            yield stop - start
            heard = stop
        if end > heard:
            yield samples[heard:end]

    def flush(self) -> Float32:
        """The samples that were held back, shape = (n,) float32: sound after all."""
        held = np.full(self.held, self._last, np.float32)
        self.held = 0
        return held

    def interrupt(self) -> Float32:
        """Audio was lost here: return the held-back sound before it; what follows is after a gap."""
        held = self.flush()
        self._in_gap = True
        self._last = np.float32(np.nan)
        return held

    def _is_sound(self, samples: Float32) -> bool:
        """Whether samples certainly hold no gap, as nearly all do: none is bad, and no two are equal that every long run has in it."""
        step = max(1, self._dead_samples // 2)
        probes = samples[::step]
        return bool(samples.max() < LOUDEST and samples.min() > -LOUDEST) and not (probes[1:] == probes[:-1]).any()

    @staticmethod
    def _kinds(samples: Float32, goes_on: bool) -> NDArray[np.int8]:
        """What each sample is: sound, zero, no number, or one of several equal ones; the first also when the gap before it goes on."""
        same = samples[1:] == samples[:-1]  # (sample - 1,)
        is_constant = np.append(goes_on, same) | np.append(same, False)
        kind = np.where(is_constant, np.int8(_CONSTANT), np.int8(_SOUND))  # (sample,)
        kind[samples == 0.0] = _ZERO
        kind[~(np.abs(samples) < LOUDEST)] = _BAD
        return kind


def _last_run(samples: Float32) -> int:
    """Where the run of equal samples begins with which these end."""
    if len(samples) > 1 and samples[-1] != samples[-2]:
        return len(samples) - 1
    others = np.flatnonzero(samples != samples[-1])
    return int(others[-1]) + 1 if len(others) else 0
