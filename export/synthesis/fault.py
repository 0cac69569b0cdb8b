"""Sounds that a healthy machine does not make, with the place and time where they are, and how to put them into a recording."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from export.synthesis.bearing import bearing_impacts
from export.synthesis.fir import Kernel, convolve
from export.synthesis.knock import knock
from export.synthesis.level import amplitude, at_level, at_peak
from export.synthesis.tone import faded, tone


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault's own sound. It is audible from `start_s` to `end_s` of its samples; what follows is the room."""

    kind: str
    description: str
    samples: NDArray[np.float32]  # (n,)
    start_s: float
    end_s: float
    f_lo_hz: float
    f_hi_hz: float
    sample_rate_hz: int

    def heard_through(self, kernel: Kernel) -> Fault:
        """The same fault through a room and a microphone: the samples grow by the kernel's tail, the level stays about the same."""
        gain = np.float32(1.0 / np.sqrt(np.sum(np.square(kernel, dtype=np.float64))))
        return replace(self, samples=convolve(self.samples, kernel * gain))


def knock_fault(sample_rate_hz: int, seed: int, peak: float = 0.5, blows: int = 1) -> Fault:
    """Something hits the housing: `blows` impacts 0.18 s apart, the strongest with this peak."""
    rng = np.random.default_rng([seed, 0xA1])
    gap = round(0.18 * sample_rate_hz)
    blow = knock(sample_rate_hz, rng, lowest_hz=600.0)
    samples = np.zeros(gap * (blows - 1) + len(blow), np.float32)
    for index in range(blows):
        samples[index * gap : index * gap + len(blow)] += blow * np.float32(rng.uniform(0.7, 1.0))
    end_s = (gap * (blows - 1)) / sample_rate_hz + 0.15  # by then a blow has lost 36 dB
    return Fault("knock", "a knock on the housing", at_peak(samples, peak), 0.0, end_s, 600.0, 0.45 * sample_rate_hz, sample_rate_hz)


def tone_fault(sample_rate_hz: int, seed: int, seconds: float = 5.0, frequency_hz: float = 3150.0, level_dbfs: float = -38.0) -> Fault:
    """A steady tone of an RMS level."""
    rng = np.random.default_rng([seed, 0xA2])
    samples = tone(frequency_hz, seconds, sample_rate_hz, rng) * np.float32(np.sqrt(2.0) * amplitude(level_dbfs))
    return Fault("tone", f"a steady tone at {frequency_hz:.0f} Hz", samples, 0.0, seconds, frequency_hz, frequency_hz, sample_rate_hz)


def bearing_fault(
    sample_rate_hz: int,
    seed: int,
    seconds: float = 6.0,
    defect_hz: float = 87.0,
    resonance_hz: float = 4200.0,
    level_dbfs: float = -34.0,
    shaft_hz: float = 24.6,
) -> Fault:
    """An outer race with a spall: impacts at the defect frequency of an RMS level."""
    rng = np.random.default_rng([seed, 0xA3])
    impacts = bearing_impacts(seconds, sample_rate_hz, rng, defect_hz, resonance_hz, shaft_hz=shaft_hz)
    samples = faded(at_level(impacts, level_dbfs), 0.05, sample_rate_hz)
    description = f"a bearing defect at {defect_hz:.0f} Hz, ringing at {resonance_hz:.0f} Hz"
    return Fault("bearing", description, samples, 0.0, seconds, 0.7 * resonance_hz, 1.8 * resonance_hz, sample_rate_hz)


def inject(background: NDArray[np.float32], fault: Fault, at_s: float) -> NDArray[np.float32]:
    """A copy of the background, shape = (n,), with the fault added from `at_s` on; it is audible there until `at_s + fault.end_s`.

    Raises ValueError when the audible part does not fit or the sum would clip: a demo or a test that asks for that is wrong.
    """
    start = round(at_s * fault.sample_rate_hz)
    if start < 0 or start + round(fault.end_s * fault.sample_rate_hz) > len(background):
        raise ValueError(f"{fault.description} at {at_s:.2f} s does not fit into {len(background) / fault.sample_rate_hz:.2f} s")
    mixed = background.copy()
    added = fault.samples[: len(background) - start]  # the room may ring on past the end
    mixed[start : start + len(added)] += added
    peak = float(np.max(np.abs(mixed[start : start + len(added)])))
    if peak > 1.0:
        raise ValueError(f"{fault.description} at {at_s:.2f} s would clip (peak {peak:.2f}); make it softer")
    return mixed
