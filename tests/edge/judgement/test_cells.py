"""The picture that whoever watches a stream is shown, from a real bundle."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.features.frontend import DCASE, FRONT_ENDS, PANNS, FrontEnd, band_power_weights, display_edges_hz, mel_filterbank
from edge.judgement.cells import BANDS, STEP_S, Cells
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.pipeline import Listener
from export.synthesis import inject, tone_fault
from tests.bundles import RATE_HZ, CalibratedMachine

Float32 = NDArray[np.float32]
STEP_CELLS = 13


def watched(listener: Listener, samples: Float32, piece: int = 5000) -> tuple[list[Cells], list[Window | Event]]:
    """What is seen of samples while they are heard, and what they complete."""
    results, seen = [], []
    for first in range(0, len(samples), piece):
        results += listener.push(samples[first : first + piece])
        seen += listener.seen()
    return seen, results


def levels_of(seen: list[Cells]) -> Float32:
    return np.concatenate([cells.level_db for cells in seen])


def anomalies_of(seen: list[Cells]) -> Float32:
    return np.concatenate([cells.anomaly for cells in seen])


def assert_whole(seen: list[Cells]) -> None:
    """The steps of all messages follow each other without a gap."""
    for one, other in pairwise(seen):
        assert other.t_start_s == pytest.approx(one.t_start_s + len(one.level_db) * one.step_s)


def test_cells_unwatched_nothing_is_kept(machine: CalibratedMachine) -> None:
    listener = Listener(machine.model, RATE_HZ)
    assert watched(listener, machine.samples[: 12 * RATE_HZ])[0] == []
    listener.watch(True)
    assert watched(listener, machine.samples[12 * RATE_HZ :][: 3 * RATE_HZ])[0] != []
    listener.watch(False)
    assert watched(listener, machine.samples[: 2 * RATE_HZ])[0] == []
    assert listener._recorder is None


def test_cells_watching_changes_no_score(machine: CalibratedMachine) -> None:
    plain, seen = Listener(machine.model, RATE_HZ), Listener(machine.model, RATE_HZ)
    seen.watch(True)
    expected = [result.score for result in plain.push(machine.samples) if isinstance(result, Window)]
    found = [result.score for result in watched(seen, machine.samples)[1] if isinstance(result, Window)]
    assert found == expected


def test_cells_follow_each_other_from_the_first_window_on(machine: CalibratedMachine) -> None:
    listener = Listener(machine.model, RATE_HZ)
    listener.watch(True)
    seen, results = watched(listener, machine.samples)
    assert seen[0].t_start_s == 0.0
    assert len(seen[0].level_db) == 250 // STEP_CELLS  # all of the first window
    assert {len(cells.level_db) for cells in seen[1:]} == {2}
    assert [cells.step_s for cells in seen] == pytest.approx([STEP_CELLS * 0.04] * len(seen))
    assert_whole(seen)
    ends_s = [result.t_end_s for result in results if isinstance(result, Window)]
    assert seen[-1].t_start_s + 2 * seen[-1].step_s > ends_s[-1] - 1.6  # and are told when they are over


@pytest.mark.parametrize("piece", [777, 32000])
def test_cells_are_the_same_however_the_sound_is_cut(machine: CalibratedMachine, piece: int) -> None:
    one, other = Listener(machine.model, RATE_HZ), Listener(machine.model, RATE_HZ)
    one.watch(True)
    other.watch(True)
    samples = machine.samples[: 14 * RATE_HZ]
    expected, found = watched(one, samples)[0], watched(other, samples, piece)[0]
    assert np.array_equal(levels_of(found), levels_of(expected), equal_nan=True)
    assert np.array_equal(anomalies_of(found), anomalies_of(expected), equal_nan=True)


def test_cells_who_watches_again_sees_the_same_steps(machine: CalibratedMachine) -> None:
    """Or else sound could be seen cut in several ways, and in finer steps than one shows."""
    samples = machine.samples[: 20 * RATE_HZ]
    always, now_and_then = Listener(machine.model, RATE_HZ), Listener(machine.model, RATE_HZ)
    always.watch(True)
    expected = {
        round(cells.t_start_s + step * cells.step_s, 3) for cells in watched(always, samples)[0] for step in range(len(cells.level_db))
    }
    found: set[float] = set()
    for second in range(20):
        now_and_then.watch(second % 3 != 0)
        for cells in watched(now_and_then, samples[second * RATE_HZ :][:RATE_HZ], 1000)[0]:
            found |= {round(cells.t_start_s + step * cells.step_s, 3) for step in range(len(cells.level_db))}
    assert len(found) > 5
    assert found < expected


def test_cells_level_adds_up_to_that_of_the_sound(machine: CalibratedMachine) -> None:
    rng = np.random.default_rng(0)
    listener = Listener(machine.model, RATE_HZ)
    listener.watch(True)
    noise = (0.1 * rng.standard_normal(14 * RATE_HZ)).astype(np.float32)
    level_db = levels_of(watched(listener, noise)[0])
    density_db = 10.0 * np.log10(2.0 * 0.1**2 / RATE_HZ)  # per hertz
    expected = density_db + 10.0 * np.log10(np.diff(display_edges_hz(PANNS, BANDS)))
    assert np.abs(level_db.mean(axis=0) - expected).max() < 0.5
    tone = (0.1 * np.sin(2.0 * np.pi * 1000.0 * np.arange(14 * RATE_HZ) / RATE_HZ)).astype(np.float32)
    listener = Listener(machine.model, RATE_HZ)
    listener.watch(True)
    level_db = levels_of(watched(listener, tone)[0])
    total_db = 10.0 * np.log10((10.0 ** (level_db / 10.0)).sum(axis=1))
    assert total_db == pytest.approx(np.full(len(total_db), -23.0), abs=0.7)
    (loudest,) = set(level_db.argmax(axis=1).tolist())
    edges_hz = display_edges_hz(PANNS, BANDS)
    assert edges_hz[loudest] <= 1000.0 < edges_hz[loudest + 1]


def test_cells_anomaly_is_the_map_of_the_window_that_ends_last(machine: CalibratedMachine) -> None:
    fault = tone_fault(RATE_HZ, 1, 2.0, 3000.0)
    sound = inject(machine.samples[: 22 * RATE_HZ], fault, 12.0)
    listener = Listener(machine.model, RATE_HZ)
    listener.watch(True)
    seen, results = watched(listener, sound)
    windows = [result for result in results if isinstance(result, Window)]
    assert max(window.score or 0.0 for window in windows) > 1.0
    checked = 0
    for cells in seen:
        for step, anomaly in enumerate(cells.anomaly):
            first = round(cells.t_start_s / 0.04) + step * STEP_CELLS
            window = next(window for window in windows if round(window.t_end_s / 0.04) >= first + STEP_CELLS)
            inside = first - round(window.t_start_s / 0.04)
            told = window.localization.time_scores[inside : inside + STEP_CELLS]
            assert np.nanmax(anomaly) == pytest.approx(np.nanmax(told))
            checked += 1
    assert checked > 30
    anomaly = anomalies_of(seen)
    peak, band = np.unravel_index(np.nanargmax(anomaly), anomaly.shape)
    edges_hz = display_edges_hz(PANNS, BANDS)
    assert edges_hz[band] - 300.0 <= 3000.0 <= edges_hz[band + 1] + 300.0
    assert 11.5 <= peak * STEP_CELLS * 0.04 <= 14.5
    assert anomaly[peak, band] >= 1.0
    assert np.nanmax(anomaly[: round(11.0 / 0.52)]) < 1.0


def test_cells_lost_sound_is_unknown_and_what_follows_is_in_its_place(machine: CalibratedMachine) -> None:
    listener = Listener(machine.model, RATE_HZ)
    listener.watch(True)
    seen, _ = watched(listener, machine.samples[: 12 * RATE_HZ])
    listener.lose(2 * RATE_HZ)
    seen += listener.seen()
    seen += watched(listener, machine.samples[14 * RATE_HZ :][: 6 * RATE_HZ])[0]
    assert_whole(seen)
    unheard: NDArray[np.bool_] = np.all(np.isnan(levels_of(seen)), axis=1)
    times_s = np.arange(len(unheard)) * STEP_CELLS * 0.04
    within = (times_s >= 12.0) & (times_s + STEP_CELLS * 0.04 <= 14.0)
    assert unheard[within].all()
    assert not unheard[~within].any()
    assert np.isnan(anomalies_of(seen)[within]).all()


def test_cells_gap_longer_than_a_window_is_left_out(machine: CalibratedMachine) -> None:
    listener = Listener(machine.model, RATE_HZ)
    listener.watch(True)
    before, _ = watched(listener, machine.samples[: 12 * RATE_HZ])
    listener.lose(3600 * RATE_HZ)
    before += listener.seen()
    after, _ = watched(listener, machine.samples[12 * RATE_HZ :][: 12 * RATE_HZ])
    assert sum(len(cells.level_db) for cells in before) < 45
    assert after[0].t_start_s > 3600.0
    assert_whole(after)
    assert sum(len(cells.level_db) for cells in after) < 45
    assert not np.isnan(levels_of(after)[-10:]).any()


def test_cells_window_without_a_score_is_not_judged(machine: CalibratedMachine) -> None:
    listener = Listener(machine.model, RATE_HZ)
    listener.watch(True)
    listener.lose(7 * RATE_HZ)
    seen, results = watched(listener, machine.samples[: 5 * RATE_HZ])
    windows = [result for result in results if isinstance(result, Window)]
    assert [window.score for window in windows] == [None] * len(windows) != []
    assert np.isnan(anomalies_of(seen)).all()
    assert not np.isnan(levels_of(seen)[-1]).any()


def test_cells_bands_above_the_bandwidth_are_unknown(narrow_machine: CalibratedMachine) -> None:
    listener = Listener(narrow_machine.model, RATE_HZ)
    listener.watch(True)
    seen, _ = watched(listener, narrow_machine.samples[: 12 * RATE_HZ])
    edges_hz = display_edges_hz(PANNS, BANDS)
    audible = sum(hz <= 8000.0 for hz in edges_hz[1:])
    assert 10 < audible < BANDS
    for values in (levels_of(seen), anomalies_of(seen)):
        assert not np.isnan(values[:, : audible - 1]).any()
        assert np.isnan(values[:, audible:]).all()


@pytest.mark.parametrize("front_end", FRONT_ENDS.values(), ids=lambda front_end: front_end.name)
def test_front_ends_have_sixteen_bands_and_steps_of_half_a_second(front_end: FrontEnd) -> None:
    edges_hz = np.array(display_edges_hz(front_end, BANDS))
    assert len(edges_hz) == BANDS + 1
    assert (np.diff(edges_hz) > 0).all()
    assert edges_hz[0] < 100.0
    assert edges_hz[-1] >= 0.95 * front_end.f_max_hz
    cells = np.ceil(STEP_S / front_end.cell_s)
    assert STEP_S <= cells * front_end.cell_s < 1.1 * STEP_S


def test_band_power_weights_give_the_mean_square_of_noise() -> None:
    rng = np.random.default_rng(0)
    for front_end in (PANNS, DCASE):
        frames = rng.standard_normal((400, front_end.window_samples))
        hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(front_end.window_samples) / front_end.window_samples)
        power = np.square(np.abs(np.fft.rfft(frames * hann))).mean(axis=0) @ mel_filterbank(front_end)
        share = np.diff(display_edges_hz(front_end, BANDS)[::BANDS])[0] / (front_end.sample_rate_hz / 2)
        assert (power * band_power_weights(front_end)).sum() == pytest.approx(share, rel=0.03)
