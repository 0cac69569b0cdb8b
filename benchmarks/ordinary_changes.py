"""Ordinary changes: what happens around a healthy machine and is none of its faults.

Each is a function of a recording, shape (samples,) float32 with full scale -1 to 1, its rate in Hz (8000 or more) and a random generator;
it returns a new recording of the same shape. All last as long as the recording, but for the door and the speech, which happen once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Clip
from benchmarks.injection import FRAME_S, place
from benchmarks.speech import speech
from export.synthesis.fir import Kernel, convolve, minimum_phase
from export.synthesis.hum import Hum
from export.synthesis.knock import knock
from export.synthesis.level import amplitude
from export.synthesis.room import room_kernel

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Change = Callable[[Float32, int, np.random.Generator], Float32]

LOWEST_RATE_HZ = 8000  # below it there is no room for the formants of speech

CURVE_HZ = (50.0, 14000.0)  # the span of equaliser and tilt: what the front end hears
TAPS = 4096

EQUALISER_DB = 6.0
EQUALISER_WAVES = 4  # half waves over the span: at most one hill in two octaves

MAINS_HZ = 50.0
HUM_HZ = (20.0, 300.0)  # where hum and machine are compared; lower still is wind, offset and handling
HUM_DB = 10.0

DOOR_DB = 10.0
SPEECH_DB = 0.0
SPEECH_S = 2.0

DRIFT_DB = 3.0


def gain(samples: Float32, rate_hz: int, random: np.random.Generator, *, gain_db: float) -> Float32:
    """Turn the microphone's gain up or down."""
    return samples * np.float32(amplitude(gain_db))


def equaliser(samples: Float32, rate_hz: int, random: np.random.Generator) -> Float32:
    """Hear through another microphone: a smooth random response over log frequency whose mean is 0 dB and whose extreme is +6 or -6 dB."""
    order = np.arange(1, EQUALISER_WAVES + 1)
    weights = random.standard_normal(EQUALISER_WAVES) / order

    def curve(position: Float64) -> Float64:
        waves: Float64 = weights @ np.cos(np.pi * np.outer(order, position))
        return waves

    extreme = np.abs(curve(np.linspace(0.0, 1.0, 1001))).max()
    return _filtered(samples, _kernel(curve(_position(rate_hz)) * (EQUALISER_DB / extreme)))


def hum(samples: Float32, rate_hz: int, random: np.random.Generator) -> Float32:
    """Add mains hum whose power from 20 to 300 Hz is 10 dB above the machine's own there."""
    mains = Hum(int(random.integers(1 << 31)), rate_hz, MAINS_HZ).render(len(samples) / rate_hz)
    ratio = band_power(samples, rate_hz, HUM_HZ) / band_power(mains, rate_hz, HUM_HZ)
    return samples + mains * np.float32(amplitude(HUM_DB) * np.sqrt(ratio))


def door(samples: Float32, rate_hz: int, random: np.random.Generator) -> Float32:
    """Slam a door once, at any time: 10 dB above the machine while it is audible (see `benchmarks/injection.py`)."""
    return _with(samples, rate_hz, slam(rate_hz, random), DOOR_DB, random)


def talk(samples: Float32, rate_hz: int, random: np.random.Generator) -> Float32:
    """Let somebody talk for 2 s, or half the recording if that is less, as loud as the machine; `benchmarks/speech.py` makes it."""
    return _with(samples, rate_hz, speech(SPEECH_S, rate_hz, random), SPEECH_DB, random)


def drift(samples: Float32, rate_hz: int, random: np.random.Generator) -> Float32:
    """Come to the end of a slow drift: 3 dB louder, and tilted by 3 dB from 50 Hz to 14 kHz (or half the rate), up or down at random.

    Recordings are far too short for the hours that a drift takes, so each is heard as in the last of them: half an hour at 6 dB per hour.
    """
    slope = random.choice([-1.0, 1.0])
    return _filtered(samples, _kernel(DRIFT_DB * (1.0 + slope * (_position(rate_hz) - 0.5))))


GAINS: Mapping[str, Change] = {f"gain {gain_db:+g} dB": partial(gain, gain_db=gain_db) for gain_db in (-12.0, -6.0, 6.0, 12.0)}
CHANGES: Mapping[str, Change] = {**GAINS, "equaliser": equaliser, "hum": hum, "door": door, "speech": talk, "drift": drift}


def within_full_scale(samples: Float32) -> tuple[Float32, float]:
    """Turn a changed recording down, rather than clip it, until its peak is at full scale; return it with by how many dB, 0 for most.

    A clipped microphone is a fault of its own, and not the change that is asked about. What was turned down is less loud than its change
    says: whoever calls counts these recordings.
    """
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak <= 1.0:
        return samples, 0.0
    return np.clip(samples / np.float32(peak), -1.0, 1.0), 20.0 * float(np.log10(peak))


def slam(rate_hz: int, random: np.random.Generator) -> Float32:
    """Return a door that slams and the room that answers: a heavy body struck once, shape (about rate_hz,) float32."""
    thud = knock(rate_hz, random, lowest_hz=random.uniform(45.0, 80.0), modes=8, decay_s=0.4)
    heard = convolve(thud, room_kernel(rate_hz, random, reverberation_s=0.6))
    return np.pad(heard, (round(FRAME_S * rate_hz / 2), 0))  # so that fading it in leaves the blow alone


def band_power(samples: Float32, rate_hz: int, band_hz: tuple[float, float]) -> float:
    """Return the mean square within a band."""
    energy = np.square(np.abs(np.fft.rfft(samples.astype(np.float64))))  # (frequency,)
    frequency_hz = np.fft.rfftfreq(len(samples), 1.0 / rate_hz)
    within = (frequency_hz >= band_hz[0]) & (frequency_hz <= band_hz[1])
    return 2.0 * float(energy[within].sum()) / len(samples) ** 2


def _with(samples: Float32, rate_hz: int, sound: Float32, ratio_db: float, random: np.random.Generator) -> Float32:
    recording = Clip(samples, rate_hz)
    return place(Clip(sound, rate_hz), recording, random).into(recording, ratio_db).samples


def _position(rate_hz: int) -> Float64:
    """Return where each frequency of a kernel lies in the span, over log frequency, shape (TAPS / 2 + 1,): 0 at its foot, 1 at its top."""
    low_hz, high_hz = CURVE_HZ[0], min(CURVE_HZ[1], rate_hz / 2)
    within_hz = np.clip(np.fft.rfftfreq(TAPS, 1.0 / rate_hz), low_hz, high_hz)
    position: Float64 = np.log(within_hz / low_hz) / np.log(high_hz / low_hz)
    return position


def _kernel(response_db: Float64) -> Kernel:
    return minimum_phase(10.0 ** (response_db / 20.0))


def _filtered(samples: Float32, kernel: Kernel) -> Float32:
    """Filter a recording as if it had gone on before it began: mirrored, so that it does not begin with a step."""
    before = np.pad(samples, (len(kernel), 0), mode="reflect")
    return convolve(before, kernel)[len(kernel) : len(before)]
