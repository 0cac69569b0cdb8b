"""A fan whose blades are dirty: one octave is louder and another softer, all of the time, but no moment is unusual."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from calibrate.calibration import Calibration, calibrate
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.settings import CalibrationSettings
from edge.features.logmel_backbone import LOGMEL
from edge.judgement.steady import LEVEL, PROFILE
from edge.judgement.window import Region, Window
from edge.model import Model
from edge.scoring import score_file

RATE_HZ = 16000
CLIP_S = 10.0
LOUDER_HZ, SOFTER_HZ = (707.0, 1414.0), (177.0, 354.0)
FIRST_FAULTY = 100


def fan(seed: int, changes: dict[tuple[float, float], float] | None = None, gain_db: float | None = None) -> NDArray[np.float32]:
    """Ten seconds: the noise of air, less the higher, and the blades; of a level of its own, by 0.3 dB or so."""
    rng = np.random.default_rng(seed)
    count = round(CLIP_S * RATE_HZ)
    hertz = np.fft.rfftfreq(count, 1.0 / RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(count)) / np.sqrt(1.0 + np.square(hertz / 300.0))
    time_s = np.arange(count) / RATE_HZ
    blades = sum(0.4 / order * np.sin(2.0 * np.pi * 97.0 * order * time_s + rng.uniform(0.0, 6.28)) for order in (1, 2, 3))
    spectrum += np.fft.rfft(blades)
    for (low_hz, high_hz), by_db in (changes or {}).items():
        spectrum[(hertz >= low_hz) & (hertz < high_hz)] *= 10.0 ** (0.05 * by_db)
    level_db = rng.uniform(-0.3, 0.3) if gain_db is None else gain_db
    return np.asarray(0.03 * 10.0 ** (0.05 * level_db) * np.fft.irfft(spectrum, count), np.float32)


@dataclass(frozen=True)
class Fan:
    """What was learned of it from ten clips, and later ones."""

    summary: Calibration
    model: Model
    folder: Path

    def scored(self, seed: int, changes: dict[tuple[float, float], float] | None = None, gain_db: float | None = None) -> Window:
        """The window of a new clip."""
        soundfile.write(self.folder / "new.wav", fan(seed, changes, gain_db), RATE_HZ, subtype="FLOAT")
        (window,) = score_file(self.model, self.folder / "new.wav").windows
        assert window.score is not None
        return window


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Fan:
    folder = tmp_path_factory.mktemp("fan")
    normal = [folder / f"{seed}.wav" for seed in range(10)]
    for seed, path in enumerate(normal):
        soundfile.write(path, fan(seed), RATE_HZ, subtype="FLOAT")
    settings = CalibrationSettings(backbone=LOGMEL, fitting=PatchCoreSettings(coreset=60))
    summary = calibrate(normal, folder / "fan.auscult", settings)
    return Fan(summary, Model.load(summary.bundle), folder)


def names(regions: tuple[Region, ...], band_hz: tuple[float, float]) -> bool:
    """Whether the first of the regions is that octave, as finely as mels tell it."""
    low_hz, high_hz = band_hz
    return low_hz / 1.15 <= regions[0].f_lo_hz < regions[0].f_hi_hz <= high_hz * 1.15


def test_fan_every_faulty_clip_alarms_and_no_normal_one(learned: Fan) -> None:
    changes = {LOUDER_HZ: 6.0, SOFTER_HZ: -2.5}
    faulty = [learned.scored(FIRST_FAULTY + seed, changes) for seed in range(6)]
    normal = [learned.scored(FIRST_FAULTY + seed) for seed in range(6)]
    assert min(window.score or 0.0 for window in faulty) >= 1.0
    assert max(window.score or 0.0 for window in normal) < 1.0
    for window in faulty:
        assert max(window.heads, key=lambda head: window.heads[head]) == PROFILE
        regions = window.localization.regions
        assert names(regions, LOUDER_HZ)
        assert (regions[0].t0_s, regions[0].t1_s) == pytest.approx((0.0, CLIP_S), abs=0.05)


def test_fan_region_of_a_faulty_clip_has_all_of_its_score(learned: Fan) -> None:
    for seed in range(6):
        window = learned.scored(FIRST_FAULTY + seed, {LOUDER_HZ: 6.0, SOFTER_HZ: -2.5})
        assert window.localization.regions[0].score == pytest.approx(window.score)


@pytest.mark.parametrize(("band_hz", "by_db"), [(LOUDER_HZ, 3.0), (SOFTER_HZ, -4.0), ((2000.0, 4000.0), 3.0)])
def test_fan_one_octave_by_few_decibels_alarms_and_is_named(learned: Fan, band_hz: tuple[float, float], by_db: float) -> None:
    window = learned.scored(FIRST_FAULTY, {band_hz: by_db})
    assert window.anomalous
    middle_hz = np.sqrt(band_hz[0] * band_hz[1])
    assert any(region.f_lo_hz / 1.15 < middle_hz < 1.15 * region.f_hi_hz for region in window.localization.regions)
    assert window.localization.regions[0].f_lo_hz >= band_hz[0] / 1.2
    assert window.localization.regions[0].f_hi_hz <= band_hz[1] * 1.2


def test_fan_louder_altogether_alarms_and_its_level_says_so(learned: Fan) -> None:
    window = learned.scored(FIRST_FAULTY, gain_db=4.0)
    assert window.anomalous
    assert window.heads[LEVEL] > 10.0 * learned.scored(FIRST_FAULTY, gain_db=0.0).heads[LEVEL]
    assert window.heads[LEVEL] > 0.3 * (window.score or 0.0)


def test_fan_louder_altogether_is_reported_mostly_as_level(learned: Fan) -> None:
    window = learned.scored(FIRST_FAULTY, gain_db=4.0)
    assert max(window.heads, key=lambda head: window.heads[head]) == LEVEL


def test_fan_detection_limit_is_what_alarms_and_little_less_does_not(learned: Fan) -> None:
    """It is told of the average alone, for half of the windows."""
    limits = learned.summary.detection_limit_db
    assert list(limits) == ["63", "125", "250", "500", "1000", "2000", "4000"]
    for octave in ("1000", "2000"):
        limit, centre = limits[octave], float(octave)
        assert limit is not None
        assert limit < 3.0
        band_hz = (centre / np.sqrt(2.0), centre * np.sqrt(2.0))
        above = [learned.scored(FIRST_FAULTY + seed, {band_hz: 1.5 * limit}).anomalous for seed in range(4)]
        below = [learned.scored(FIRST_FAULTY + seed, {band_hz: 0.4 * limit}).anomalous for seed in range(4)]
        assert all(above)
        assert not any(below)
