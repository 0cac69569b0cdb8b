"""A short sound put into a longer recording: what is added, where, how loud, and the sound alone for the truth.

Audible part  Of the sound's loudest stretch (the one with the most energy, at most half as long as the recording), what lies between the
              first and the last 20 ms within 30 dB of its loudest 20 ms. Faded over 5 ms at both ends: a cut would be an anomaly itself.
Ratio         10 log10 of the sound's power over the recording's, both means over the time in which the sound is added. Where the recording
              is more than 30 dB below its own mean it counts as 30 dB below: to a silence no sound can be compared. Or both means over all
              of the recording, as MIMII mixes machines with noise: then a short sound is louder while it lasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Clip
from edge.errors import AudioError

Float32 = NDArray[np.float32]

Over = Literal["sound", "clip"]  # what powers are means over

FRAME_S = 0.02
AUDIBLE_DB = 30.0
FADE_S = 0.005
LONGEST_FRACTION = 0.5  # of the recording: as much of it is without the sound as with it, at least
QUIETEST_DB = 30.0


@dataclass(frozen=True, slots=True)
class Injection:
    """A sound of unit power and where it begins in a recording; both at the recording's rate."""

    sound: Float32  # (samples,) float32, mean square 1
    first_sample: int

    @property
    def last_sample(self) -> int:
        """Where it ends, not included."""
        return self.first_sample + len(self.sound)

    def alone(self, samples: int) -> Float32:
        """Return the sound in silence, shape (samples,) float32."""
        alone = np.zeros(samples, np.float32)
        alone[self.first_sample : self.last_sample] = self.sound
        return alone

    def into(self, recording: Clip, snr_db: float, over: Over = "sound") -> Clip:
        """Return the recording with the sound `snr_db` above it, while it lasts or over the whole recording."""
        if over == "clip":
            power = recording.power * len(recording.samples) / len(self.sound)
        else:
            around = Clip(recording.samples[self.first_sample : self.last_sample], recording.rate_hz)
            power = max(around.power, recording.power * 10.0 ** (-QUIETEST_DB / 10.0))
        gain = np.float32(np.sqrt(power * 10.0 ** (snr_db / 10.0)))
        return Clip(recording.samples + gain * self.alone(len(recording.samples)), recording.rate_hz)


def place(sound: Clip, recording: Clip, random: np.random.Generator) -> Injection:
    """Choose a place for the audible part of `sound` in `recording`, every place being as likely; both have the same rate."""
    audible = audible_part(sound, int(LONGEST_FRACTION * len(recording.samples)))
    return Injection(audible, int(random.integers(0, len(recording.samples) - len(audible) + 1)))


def audible_part(sound: Clip, longest_samples: int) -> Float32:
    """Return the audible part of a sound at unit power, shape (at most longest_samples,) float32.

    Raises
    ------
    AudioError
        When the sound is silent or shorter than 20 ms.
    """
    frame = round(FRAME_S * sound.rate_hz)
    frames = len(sound.samples) // frame
    centred = sound.samples[: frames * frame] - np.float32(np.mean(sound.samples)) if frames else sound.samples[:0]
    energy = np.square(centred.reshape(-1, frame), dtype=np.float64).sum(axis=1)  # (frame,)
    longest = min(frames, longest_samples // frame)
    if longest == 0 or energy.max() == 0.0:
        raise AudioError("sound to add", "is silent or too short")
    running = np.concatenate([[0.0], np.cumsum(energy)])
    first = int(np.argmax(running[longest:] - running[:-longest]))
    stretch = energy[first : first + longest]
    loud = first + np.flatnonzero(stretch >= stretch.max() * 10.0 ** (-AUDIBLE_DB / 10.0))
    part = centred[loud[0] * frame : (loud[-1] + 1) * frame].astype(np.float64)
    fade = min(round(FADE_S * sound.rate_hz), len(part) // 2)
    ramp = np.square(np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / fade))
    part[:fade] *= ramp
    part[len(part) - fade :] *= ramp[::-1]
    faded: Float32 = (part / np.sqrt(np.var(part))).astype(np.float32)
    return faded
