from __future__ import annotations

from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.judgement.event_ear import EventEar
from edge.judgement.taught import EventSound, Recogniser, Taught

Float32 = NDArray[np.float32]

BANDS = 64
WINDOW = 250
SPREAD_DB = np.full(BANDS, 4.0)
THUD = np.exp(-np.arange(BANDS) / 12.0)
HISS = np.exp(-(((np.arange(BANDS) - 45.0) / 8.0) ** 2))
SQUEAL = np.exp(-(((np.arange(BANDS) - 20.0) / 3.0) ** 2))


def machine(cells: int = WINDOW, seed: int = 0) -> Float32:
    """Steady noise, shape = (cells, band) dB."""
    rng = np.random.default_rng(seed)
    rows: Float32 = (-40.0 + 1.8 * rng.standard_normal((cells, BANDS))).astype(np.float32)
    return rows


def with_sound(rows: Float32, at: int, cells: int, shape: NDArray[np.float64], peak_db: float) -> Float32:
    """With a sound that is so much louder than the machine in its loudest band, and dies away."""
    changed = rows.copy()
    fading = np.linspace(0.0, -6.0, cells)[:, None]
    added = 10.0 ** (0.1 * (peak_db + fading)) * shape
    changed[at : at + cells] += (10.0 * np.log10(1.0 + added)).astype(np.float32)
    return changed


def heard(rows: Float32, event: str = "E") -> EventSound:
    ear = EventEar(SPREAD_DB, WINDOW, Random(0))
    ear.hear(0, rows)
    ear.end(event)
    (sound,) = ear.take()
    return sound


def left_out(rows: Float32, false_alarms: list[EventSound], real: list[EventSound] | None = None) -> NDArray[np.bool_]:
    return Recogniser(Taught(false_alarms, real or [], SPREAD_DB), WINDOW).explained(0, rows)


@pytest.fixture(scope="module")
def thud() -> EventSound:
    return heard(with_sound(machine(), 100, 12, THUD, 20.0))


@pytest.mark.parametrize("peak_db", [14.0, 20.0, 26.0])
def test_taught_sound_is_left_out_when_it_comes_again_nearer_or_farther(thud: EventSound, peak_db: float) -> None:
    out = left_out(with_sound(machine(seed=1), 60, 10, THUD, peak_db), [thud])
    assert out[60:70].all()
    assert not out[:50].any()
    assert not out[90:].any()


@pytest.mark.parametrize("shape", [HISS, SQUEAL])
def test_taught_sound_leaves_another_sound_where_it_is(thud: EventSound, shape: NDArray[np.float64]) -> None:
    assert not left_out(with_sound(machine(seed=1), 60, 10, shape, 20.0), [thud]).any()


def test_taught_sound_explains_nothing_that_is_there_all_the_time(thud: EventSound) -> None:
    rows = with_sound(machine(seed=1), 60, 120, THUD, 20.0)
    assert thud.common.max() <= 12
    assert not left_out(rows, [thud]).any()


def test_taught_sound_that_is_more_like_a_real_fault_is_not_left_out(thud: EventSound) -> None:
    rows = with_sound(machine(seed=2), 60, 10, THUD, 20.0)
    fault = heard(with_sound(machine(seed=2), 60, 10, THUD, 20.0), "F")
    assert left_out(rows, [thud]).any()
    assert not left_out(rows, [thud], [fault]).any()


def test_taught_sounds_in_any_order_give_the_same(thud: EventSound) -> None:
    other = heard(with_sound(machine(seed=3), 30, 10, HISS, 20.0), "A")
    rows = with_sound(machine(seed=4), 60, 10, HISS, 20.0)
    assert np.array_equal(left_out(rows, [thud, other]), left_out(rows, [other, thud]))
    assert left_out(rows, [thud, other]).any()


def test_recogniser_window_by_window_remembers_what_was_left_out(thud: EventSound) -> None:
    rows = with_sound(machine(600, seed=1), 200, 10, THUD, 20.0)
    recogniser = Recogniser(Taught([thud], [], SPREAD_DB), WINDOW)
    for end in range(WINDOW, 600, 13):
        recogniser.explained(end - WINDOW, rows[end - WINDOW : end])
    out = recogniser.left_out_before(end)
    assert np.flatnonzero(out).min() + end - len(out) == 200 - 8
    assert out.sum() == 10 + 8 + 16


def test_recogniser_after_a_gap_knows_nothing_of_it(thud: EventSound) -> None:
    rows = with_sound(machine(seed=1), 200, 10, THUD, 20.0)
    recogniser = Recogniser(Taught([thud], [], SPREAD_DB), WINDOW)
    recogniser.explained(0, rows)
    recogniser.explained(100_000, machine(seed=5))
    assert not recogniser.left_out_before(100_250).any()


def test_recogniser_lost_cells_are_passed_over(thud: EventSound) -> None:
    rows = with_sound(machine(seed=1), 60, 10, THUD, 20.0)
    rows[:55] = np.nan
    assert left_out(rows, [thud])[60:70].all()
    assert not left_out(np.full_like(rows, np.nan), [thud]).any()


def test_event_ear_keeps_a_bounded_part_without_order_and_as_it_is_on_disk() -> None:
    ear = EventEar(SPREAD_DB, WINDOW, Random(0))
    rows = with_sound(machine(1000), 100, 800, THUD, 20.0)
    rows[:, 0] = np.where(np.arange(1000) % 2, rows[:, 0], rows[:, 0] + 1.0)
    for first in range(0, 750, 125):
        ear.hear(first, rows[first : first + WINDOW])
    ear.end("E")
    (sound,) = ear.take()
    assert ear.take() == []
    assert 0 < len(sound) <= 48
    assert np.array_equal(sound.beyond, sound.beyond.astype(np.float16))
    assert (sound.common >= 1).all()


def test_event_ear_event_of_which_nothing_stood_out_has_no_sound() -> None:
    ear = EventEar(SPREAD_DB, WINDOW, Random(0))
    ear.hear(0, machine())
    ear.end("E")
    assert ear.take() == []
