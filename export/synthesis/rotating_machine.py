"""A machine that turns: harmonics of shaft and blades, moving air, a healthy bearing, hum, in a room before a microphone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.synthesis.equaliser import equaliser_kernel
from export.synthesis.fir import StreamingFir, convolve
from export.synthesis.hum import Hum
from export.synthesis.leak import band_kernel
from export.synthesis.level import amplitude
from export.synthesis.load import Load
from export.synthesis.microphone import hear
from export.synthesis.resonance import body_kernel
from export.synthesis.room import room_kernel
from export.synthesis.sound_stream import SoundStream
from export.synthesis.wavetable import Wavetable, rolled_off


@dataclass(frozen=True, slots=True)
class MachineDesign:
    """What a machine is like. Levels in dB are against the aerodynamic noise, before the room."""

    shaft_hz: float = 24.6  # a four-pole motor on 50 Hz
    blades: int = 7
    slip: float = 0.015  # share of the speed that full load costs
    load_hold_s: float = 20.0  # mean time between changes of load
    tonal_db: float = -3.0  # shaft and blade harmonics
    rolloff: float = 1.0
    modulation: float = 0.25  # of the air noise, once per blade and once per turn
    bearing_db: float = -14.0
    hum_db: float = -18.0
    mains_hz: float = 50.0
    slope_db_per_octave: float = -5.0
    corner_hz: float = 400.0
    resonances: int = 5
    reverberation_s: float = 0.25
    level_dbfs: float = -26.0
    noise_floor_dbfs: float = -78.0

    @staticmethod
    def random(rng: np.random.Generator) -> MachineDesign:
        """Any machine: a slow compressor, a fan, a small motor, a gearbox; near or far, loud or soft."""
        return MachineDesign(
            shaft_hz=float(np.exp(rng.uniform(np.log(8.0), np.log(120.0)))),
            blades=int(rng.integers(2, 32)),
            slip=float(rng.uniform(0.0, 0.06)),
            load_hold_s=float(rng.uniform(3.0, 30.0)),
            tonal_db=float(rng.uniform(-20.0, 12.0)),
            rolloff=float(rng.uniform(0.3, 1.6)),
            modulation=float(rng.uniform(0.0, 0.6)),
            bearing_db=float(rng.uniform(-30.0, -3.0)),
            hum_db=float(rng.uniform(-40.0, 6.0)),
            mains_hz=float(rng.choice([50.0, 60.0])),
            slope_db_per_octave=float(rng.uniform(-9.0, -1.0)),
            corner_hz=float(np.exp(rng.uniform(np.log(100.0), np.log(2000.0)))),
            resonances=int(rng.integers(2, 10)),
            reverberation_s=float(rng.uniform(0.05, 0.6)),
            level_dbfs=float(rng.uniform(-50.0, -16.0)),
            noise_floor_dbfs=float(rng.uniform(-95.0, -60.0)),
        )


class RotatingMachine(SoundStream):
    """One machine: `render` continues phase, load, filters and room where the last call ended."""

    def __init__(self, seed: int, sample_rate_hz: int, design: MachineDesign | None = None, load: Load | None = None) -> None:
        """The seed decides timbre, load and noise; the same seed, rate and design give the same samples. A `load` may be given."""
        super().__init__(sample_rate_hz)
        self.design = design = design or MachineDesign()
        build = np.random.default_rng([seed, 0x52])  # what the machine is
        self._rng = np.random.default_rng([seed, 0x53])  # what it does, second by second
        self._load = load or Load(np.random.default_rng([seed, 0x54]), design.load_hold_s)
        self._turns = float(build.uniform())
        highest = 0.45 * sample_rate_hz / design.shaft_hz
        shaft = rolled_off(max(int(min(60, highest)), 1), design.rolloff, 5.0, build)
        blade = rolled_off(max(int(min(12, highest / design.blades)), 1), design.rolloff, 5.0, build)
        self._idle_wave, self._full_wave = (self._timbre(shaft, blade, build) for _ in range(2))
        self._air_wave = Wavetable(rolled_off(3, 1.0, 2.0, build), build)
        top_hz = min(0.4 * sample_rate_hz, 12000.0)
        body = body_kernel(
            sample_rate_hz,
            peaks_hz=np.exp(build.uniform(np.log(120.0), np.log(top_hz), design.resonances)),
            gains_db=build.uniform(3.0, 14.0, design.resonances),
            widths=build.uniform(0.02, 0.15, design.resonances),
            slope_db_per_octave=design.slope_db_per_octave,
            corner_hz=design.corner_hz,
        )
        bearing_hz = build.uniform(0.15, 0.6) * top_hz
        self._body = StreamingFir(body, self.block_samples)
        self._bearing = StreamingFir(band_kernel(bearing_hz, 1.8 * bearing_hz, sample_rate_hz), self.block_samples)
        self._hum = Hum(seed, sample_rate_hz, design.mains_hz)
        self.colour = convolve(
            room_kernel(sample_rate_hz, build, design.reverberation_s), equaliser_kernel(sample_rate_hz, build)
        )  # (taps,) room and microphone mounting; a fault beside this machine is heard through it too
        self._colour = StreamingFir(self.colour, self.block_samples)

    def _timbre(self, shaft: NDArray[np.float64], blade: NDArray[np.float64], rng: np.random.Generator) -> Wavetable:
        """Shaft harmonics with the blades' harmonics on top; each load has its own balance."""
        blades = self.design.blades
        amplitudes = np.zeros(max(len(shaft), blades * len(blade)))
        amplitudes[: len(shaft)] = shaft * rng.uniform(0.6, 1.4, len(shaft))
        amplitudes[blades - 1 : blades * len(blade) : blades] += 1.5 * blade * rng.uniform(0.6, 1.4, len(blade))
        return Wavetable(amplitudes[: int(0.45 * self.sample_rate_hz / self.design.shaft_hz)], rng)

    def next_block(self) -> NDArray[np.float32]:
        """The next second; shape = (block_samples,)."""
        design, n = self.design, self.block_samples
        load = self._load.next_block(n)  # (n,) in [0, 1]
        speed_hz = design.shaft_hz * (1.0 - design.slip * load)
        turns = self._turns + np.cumsum(speed_hz / self.sample_rate_hz)
        self._turns = float(turns[-1] % 1.0)
        weight = load.astype(np.float32)
        harmonics = self._idle_wave.read(turns) * (1.0 - weight) + self._full_wave.read(turns) * weight
        swell = 1.0 + design.modulation * 0.5 * (self._air_wave.read(turns) + self._air_wave.read(design.blades * turns))
        air = self._body.push(self._rng.standard_normal(n, dtype=np.float32)) * swell
        cage = 1.0 + 0.3 * np.sin(2.0 * np.pi * ((0.4 * turns) % 1.0)).astype(np.float32)
        bearing = self._bearing.push(self._rng.standard_normal(n, dtype=np.float32)) * cage
        effort = (0.85 + 0.3 * weight).astype(np.float32)  # a loaded machine is about 3 dB louder
        sound = (
            effort * (air + np.float32(amplitude(design.tonal_db)) * harmonics + np.float32(amplitude(design.bearing_db)) * bearing)
            + np.float32(amplitude(design.hum_db)) * self._hum.next_block()
        )
        heard = self._colour.push(sound)
        parts = (0.0, design.tonal_db, design.bearing_db, design.hum_db)
        total_db = 10.0 * np.log10(sum(10.0 ** (db / 10.0) for db in parts))
        return hear(heard, self._rng, design.level_dbfs - float(total_db), design.noise_floor_dbfs)
