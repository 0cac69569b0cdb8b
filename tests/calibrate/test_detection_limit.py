from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from calibrate.detection_limit import MOST_DB, OCTAVES_HZ, DetectionLimit, detection_limit
from calibrate.folds import Folds
from calibrate.steady import FittedSteady, fit_steady
from calibrate.unheard import UnheardSurprise
from edge.judgement.fusion import Units
from edge.judgement.steady import STEADY_HEADS
from edge.judgement.window_sound import WindowSound
from tests.steady_sound import LAYOUT, SteadyMachine, recordings_of

WHOLE = 31
ALARM = 30.0


class Told(FittedSteady):
    """Makes of a window that is louder what it was told to."""

    def __init__(self, nats: Callable[[int, float, float], float]) -> None:
        """`nats` of a recording, the centre of an octave, and dB."""
        self._nats = nats
        self.asked: list[tuple[int, int, int]] = []

    def held_out_louder(self, recording: int, first_block: int, last_block: int, band_hz: tuple[float, float], by_db: float) -> float:
        self.asked.append((recording, first_block, last_block))
        assert band_hz[1] == pytest.approx(2.0 * band_hz[0])
        return self._nats(recording, band_hz[0] * np.sqrt(2.0), by_db)


def windows(recording: int, count: int, cells: float = 0.0) -> UnheardSurprise:
    return UnheardSurprise(recording, list(range(count)), WHOLE, np.full(count, cells), np.zeros(count))


def test_detection_limit_is_the_least_step_that_alarms_in_half_of_the_windows() -> None:
    """Of three recordings the second needs 4 dB at 1 kHz, others more and less."""
    steady = Told(lambda recording, octave, by_db: by_db * ALARM / (2.0 * recording + 2.0) * octave / 1000.0)
    found = detection_limit(steady, [windows(index, 1) for index in range(3)], Units(), ALARM, 8000.0)
    assert list(found.octaves_db) == [63, 125, 250, 500, 1000, 2000, 4000]  # that of 8 kHz is not carried wholly
    assert [found.octaves_db[octave] for octave in (250, 500, 1000, 2000, 4000)] == [16.0, 8.0, 4.0, 2.0, 1.0]
    assert found.octaves_db[63] is None  # beyond 30 dB
    assert found.octaves_db[125] is None


@pytest.mark.parametrize(("bandwidth_hz", "octaves"), [(14000.0, 8), (11314.0, 8), (11000.0, 7), (4000.0, 6), (80.0, 0)])
def test_detection_limit_is_of_octaves_that_the_microphone_carries(bandwidth_hz: float, octaves: int) -> None:
    found = detection_limit(Told(lambda *_: ALARM), [windows(0, 1)], Units(), ALARM, bandwidth_hz)
    assert tuple(found.octaves_db) == OCTAVES_HZ[:octaves]
    assert set(found.octaves_db.values()) <= {0.1}


def test_detection_limit_counts_both_kinds_of_heads_in_their_units() -> None:
    steady = Told(lambda recording, octave, by_db: 10.0 * by_db)
    alone = detection_limit(steady, [windows(0, 3)], Units(steady=2.0), 20.0, 100.0)
    beside = detection_limit(steady, [windows(0, 3, cells=24.0)], Units(cells=2.0, steady=2.0), 20.0, 100.0)
    assert alone.octaves_db == {63: 4.0}
    assert beside.octaves_db == {63: 3.2}  # 16 and 12 are 20


def test_detection_limit_asks_few_of_many_windows_all_over_the_recordings() -> None:
    steady = Told(lambda *_: ALARM)
    detection_limit(steady, [windows(0, 500), windows(1, 500)], Units(), ALARM, 100.0)
    asked = set(steady.asked)
    assert 12 <= len(asked) <= 24
    assert {recording for recording, *_ in asked} == {0, 1}
    assert all(last == first + WHOLE for _, first, last in asked)


def test_detection_limit_without_any_window_says_nothing() -> None:
    found = detection_limit(Told(lambda *_: 0.0), [], Units(), ALARM, 8000.0)
    assert found == DetectionLimit({})
    assert found.note == ""
    assert found.by_octave == {}


def test_detection_limit_note_says_what_half_of_the_octaves_need_and_each() -> None:
    found = DetectionLimit({63: None, 125: 6.4, 250: 2.0})
    assert found.note == "with these recordings a band must be 6.4 dB louder to alarm (octave by octave: 63 Hz 30+, 125 Hz 6.4, 250 Hz 2.0)"
    assert found.by_octave == {"63": None, "125": 6.4, "250": 2.0}


def test_detection_limit_note_of_recordings_that_support_nothing() -> None:
    found = DetectionLimit({63: None, 125: None, 250: 2.0})
    assert found.note == f"with these recordings a band that gets louder alarms only beyond {MOST_DB:.0f} dB"


def limit_of(machine: SteadyMachine, recordings: int = 10) -> dict[int, float]:
    averages = [machine.averages(WHOLE, seed) for seed in range(recordings)]
    steady = fit_steady(averages, range(recordings), Folds(recordings_of(averages)), WindowSound(LAYOUT), 250, STEADY_HEADS)
    assert steady is not None
    found = detection_limit(steady, [windows(index, 1) for index in range(recordings)], Units(), ALARM, 8000.0)
    return {octave: MOST_DB if limit is None else limit for octave, limit in found.octaves_db.items()}


def test_detection_limit_is_lower_the_steadier_the_recordings_and_the_more_of_them() -> None:
    steady, restless = limit_of(SteadyMachine(differ_db=0.2)), limit_of(SteadyMachine(differ_db=2.0, spectrum_db=2.0))
    few = limit_of(SteadyMachine(differ_db=0.2), 4)
    for octave in (250, 500, 1000, 2000):
        assert 0.3 < steady[octave] < 4.0
        assert restless[octave] > 1.5 * steady[octave]
        assert few[octave] > steady[octave]
