from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from calibrate.block_averages import BlockAverages
from calibrate.folds import Folds
from calibrate.normal_steady import LASTING_DEVIATION, LEAST_DEVIATION
from calibrate.steady import FittedSteady, fit_steady
from edge.judgement.statistic import Statistic
from edge.judgement.steady import LONGER, QUESTIONS, STEADY_HEADS, Steady
from edge.judgement.window_sound import WindowSound
from tests.steady_sound import LAYOUT, SteadyMachine, recordings_of

WINDOW_CELLS = 250
WHOLE = 31  # blocks of a window of ten seconds
OCTAVE_HZ = (707.0, 1414.0)
MACHINE = SteadyMachine()
OF_A_HEAD = {head: sum(question.head == head for question in QUESTIONS.values()) for head in STEADY_HEADS}


def fit(
    averages: list[BlockAverages], heads: tuple[str, ...] = STEADY_HEADS, *, relative: bool = False, window_cells: int = WINDOW_CELLS
) -> FittedSteady | None:
    folds = Folds(recordings_of(averages))
    return fit_steady(averages, list(range(len(averages))), folds, WindowSound(LAYOUT, relative=relative), window_cells, heads)


@lru_cache
def fitted(lengths: tuple[int, ...] = (WHOLE,) * 10, machine: SteadyMachine = MACHINE, *, relative: bool = False) -> FittedSteady:
    """Heads that were fitted on recordings of so many blocks."""
    found = fit([machine.averages(blocks, seed) for seed, blocks in enumerate(lengths)], relative=relative)
    assert found is not None
    return found


def mean_nats(steady: Steady, machine: SteadyMachine, blocks: int = WHOLE, windows: int = 10) -> dict[str, float]:
    """Of new windows."""
    said = [steady.evidence(machine.rows(blocks, 1000 + seed)) for seed in range(windows)]
    return {head: float(np.mean([one[head] for one in said])) for head in steady.heads}


def held_out(found: FittedSteady, recordings: int, blocks: int = WHOLE) -> dict[str, float]:
    """The mean of what the heads make of windows that they had not heard."""
    said = [found.held_out(recording, 0, blocks) for recording in range(recordings)]
    return {head: float(np.mean([one[head] for one in said])) for head in found.steady.heads}


def test_fit_steady_normal_windows_that_were_not_heard_have_the_nats_of_chance() -> None:
    """The logarithm of a chance is one on average: so each statistic has about one nat, or less where a prior is wider."""
    found = held_out(fitted((WHOLE,) * 20), 20)
    for head, nats in found.items():
        assert 0.3 * OF_A_HEAD[head] < nats < 1.3 * OF_A_HEAD[head], head


@pytest.mark.parametrize("recordings", [3, 6, 20])
def test_fit_steady_new_normal_windows_have_no_more_nats_than_those_that_were_held_out(recordings: int) -> None:
    found = mean_nats(fitted((WHOLE,) * recordings).steady, MACHINE)
    for head, nats in found.items():
        assert nats < 1.6 * OF_A_HEAD[head], head


@pytest.mark.parametrize("blocks", [1, 2, 3, 6, 10, 20])
def test_fit_steady_short_windows_of_a_machine_known_from_long_ones_stay_quiet(blocks: int) -> None:
    """One of 0.3 s varies five times as much as one of ten seconds. Its dynamics rest on one spectrum less, that of its first block."""
    steady = fitted((WHOLE,) * 20).steady
    whole, short = mean_nats(steady, MACHINE, windows=20), mean_nats(steady, MACHINE, blocks, 20)
    for head in ("level", "profile"):
        assert short[head] < whole[head] + 0.6 * OF_A_HEAD[head], head
    assert short["dynamics"] < 6.0


def test_fit_steady_a_level_that_stood_within_half_a_decibel_and_is_4_db_higher_is_many_nats_and_most_for_the_level() -> None:
    louder = mean_nats(fitted().steady, MACHINE.changed(level_db=4.0))
    usual = mean_nats(fitted().steady, MACHINE)
    assert louder["level"] > 20.0
    assert louder["level"] > 10 * usual["level"]
    assert louder["dynamics"] == pytest.approx(usual["dynamics"], abs=0.5)
    # The profile is of spectra with their level. By statistics, of which it has more, a gain is the level's.
    assert louder["level"] / OF_A_HEAD["level"] > 1.5 * louder["profile"] / OF_A_HEAD["profile"]


def test_fit_steady_relative_does_not_hear_a_gain_but_an_octave() -> None:
    found = fit([MACHINE.averages(WHOLE, seed) for seed in range(10)], ("profile", "dynamics"), relative=True)
    assert found is not None
    assert set(found.steady.heads) == {"profile", "dynamics"}
    usual, louder = mean_nats(found.steady, MACHINE), mean_nats(found.steady, MACHINE.changed(level_db=6.0))
    assert louder == pytest.approx(usual, rel=0.02, abs=0.02)
    assert mean_nats(found.steady, MACHINE.changed(band_hz=OCTAVE_HZ, band_db=3.0))["profile"] > 40.0


@pytest.mark.parametrize(("band_hz", "band_db"), [(OCTAVE_HZ, 3.0), (OCTAVE_HZ, -3.0), ((100.0, 200.0), 6.0), ((150.0, 160.0), 10.0)])
def test_fit_steady_a_change_in_one_octave_or_line_is_reported_by_the_profile(band_hz: tuple[float, float], band_db: float) -> None:
    changed = mean_nats(fitted().steady, MACHINE.changed(band_hz=band_hz, band_db=band_db))
    assert changed["profile"] > 30.0
    assert changed["profile"] > 3.0 * max(changed["level"], changed["dynamics"])


def test_fit_steady_a_machine_that_swells_and_sinks_is_reported_by_the_dynamics() -> None:
    changed = mean_nats(fitted().steady, MACHINE.changed(swell_db=2.0))
    assert changed["dynamics"] > 15.0
    assert changed["dynamics"] == max(changed.values())
    assert changed["level"] < 3.0


@pytest.mark.parametrize("blocks", [WHOLE, 3 * WHOLE])
def test_fit_steady_of_three_recordings_hears_that_a_machine_swells_and_sinks(blocks: int) -> None:
    """Each judge knows two recordings, whose vectors are mirror images about their mean."""
    steady = fitted((blocks,) * 3).steady
    usual, swelling = mean_nats(steady, MACHINE)["dynamics"], mean_nats(steady, MACHINE.changed(swell_db=2.0))["dynamics"]
    assert usual < 1.0
    assert swelling > usual + 8.0
    assert mean_nats(steady, MACHINE.changed(swell_db=1.0))["dynamics"] > usual + 3.0


def test_fit_steady_of_recordings_of_half_a_minute_knows_how_little_that_varies() -> None:
    """In ten seconds noise is farther from the mean than in thirty, and farther yet in one."""
    arrays = fitted((3 * WHOLE,) * 6).arrays
    for name in ("profile_table", "low_table", "dynamics_table", "shape_largest_table"):
        lengths, centres, _ = arrays[name].T
        assert lengths[-1] > LONGER * 8 * WHOLE
        assert (np.diff(centres) < 0).all(), name
    assert max(fitted((WHOLE,) * 6).arrays["profile_table"][:, 0]) <= 8 * WHOLE


def test_fit_steady_a_small_change_is_reported_by_half_a_minute_where_ten_seconds_hardly_do() -> None:
    small = MACHINE.changed(band_hz=OCTAVE_HZ, band_db=0.5)
    steady, blocks = fitted((3 * WHOLE,) * 6).steady, 3 * WHOLE
    for seed in range(1000, 1005):
        rows = small.rows(blocks, seed)
        means = steady.sound.mean(rows)
        short = sum(steady.evidence(rows[-8 * WHOLE :]).values())
        long = steady.strongest_evidence(rows[-8 * WHOLE :], (means, len(rows)))
        assert sum(long.nats.values()) > short + 2.0
        assert long.nats == pytest.approx(steady.evidence(rows), rel=1e-12)
        usual = MACHINE.rows(blocks, seed)
        assert sum(steady.strongest_evidence(usual[-8 * WHOLE :], (steady.sound.mean(usual), len(usual))).nats.values()) < short


def test_fit_steady_held_out_of_a_window_is_by_all_of_the_recording_up_to_it() -> None:
    """The first window has nothing before it; the third is judged by all three together."""
    odd = MACHINE.changed(band_hz=OCTAVE_HZ, band_db=1.0)
    averages = [*(MACHINE.averages(3 * WHOLE, seed) for seed in range(6)), odd.averages(3 * WHOLE, 6)]
    found = fit(averages)
    assert found is not None
    first, second, third = (sum(found.held_out(6, WHOLE * window, WHOLE * (window + 1)).values()) for window in range(3))
    assert third > second > first
    for window, nats in enumerate((first, second, third)):
        known = found.held_out_louder(6, 0, WHOLE * (window + 1), OCTAVE_HZ, 0.0)  # the same blocks at once
        assert nats == pytest.approx(known)


@pytest.mark.parametrize("head", STEADY_HEADS)
def test_fit_steady_with_one_head_fits_it_alike_and_nothing_else(head: str) -> None:
    found = fit([MACHINE.averages(WHOLE, seed) for seed in range(10)], (head,))
    assert found is not None
    assert found.steady.heads == (head,)
    for name, array in found.arrays.items():
        np.testing.assert_array_equal(array, fitted().arrays[name], err_msg=name)
    vectors = {question.vector for question in QUESTIONS.values() if question.head == head}
    assert {name.removesuffix("_centre") for name in found.arrays if name.endswith("_centre")} == vectors


def test_fit_steady_weighs_little_what_recordings_differ_in_more_than_a_fault_would_change_it() -> None:
    """The same step of 4 dB: chance in a machine whose recordings differ by 3 dB."""
    steady = fitted()
    restless = fitted(machine=MACHINE.changed(differ_db=3.0))
    for name in ("power_trust", "loudness_trust", "low_trust"):
        assert restless.arrays[name][1] < steady.arrays[name][1] - 0.05, name
    assert restless.arrays["power_trust"][1] < 0.4
    assert steady.arrays["power_trust"][1] > 0.9
    later = MACHINE.changed(level_db=4.0)
    assert mean_nats(restless.steady, later)["level"] < 0.1 * mean_nats(steady.steady, later)["level"]


def test_fit_steady_few_recordings_say_less_than_many_of_the_same_change() -> None:
    later = MACHINE.changed(level_db=4.0)
    level = [mean_nats(fitted((WHOLE,) * count).steady, later)["level"] for count in (3, 6, 10, 20)]
    assert level == sorted(level)
    assert level[-1] > 1.5 * level[0]


def test_fit_steady_of_one_long_recording_judges_each_fifth_by_the_others() -> None:
    found = fitted((10 * WHOLE,))
    assert found.steady.heads == STEADY_HEADS
    said = [found.held_out(0, WHOLE * window, WHOLE * (window + 1)) for window in range(10)]
    for head in ("profile", "dynamics"):
        assert np.mean([one[head] for one in said]) == pytest.approx(OF_A_HEAD[head], rel=0.5)
    changed = mean_nats(found.steady, MACHINE.changed(band_hz=OCTAVE_HZ, band_db=3.0))
    assert changed["profile"] > 10.0 * mean_nats(found.steady, MACHINE)["profile"]


def test_fit_steady_of_three_recordings_of_a_second_is_quiet_on_new_sound_and_hears_a_level() -> None:
    found = fitted((3, 3, 3))
    assert found.steady.heads == STEADY_HEADS
    for blocks in (3, WHOLE):
        usual = mean_nats(found.steady, MACHINE, blocks)
        assert all(nats < 1.6 * OF_A_HEAD[head] for head, nats in usual.items())
        assert mean_nats(found.steady, MACHINE.changed(level_db=4.0), blocks)["level"] > 10.0


def test_fit_steady_of_recordings_too_short_for_a_vector_has_no_head_of_it() -> None:
    """Of less than two blocks there is no modulation."""
    found = fitted((1, 1, 1, 1))
    assert found.steady.heads == ("level", "profile")
    assert fit([MACHINE.averages(1, seed) for seed in range(4)], ("dynamics",)) is None


def test_fit_steady_of_one_window_of_sound_fits_parts_of_it_and_of_one_block_nothing() -> None:
    found = fit([MACHINE.averages(WHOLE, 0)])
    assert found is not None
    assert all(0.0 <= nats < 100.0 for nats in found.steady.evidence(MACHINE.rows(WHOLE, 1000)).values())
    assert fit([MACHINE.averages(1, 0)]) is None


def test_fit_steady_arrays_load_as_the_heads_that_were_fitted() -> None:
    found = fitted()
    loaded = Steady.load(found.arrays, LAYOUT, STEADY_HEADS, relative=False)
    for machine in (MACHINE, MACHINE.changed(level_db=2.0), MACHINE.changed(swell_db=1.0)):
        rows = machine.rows(WHOLE, 1000)
        assert loaded.evidence(rows) == pytest.approx(found.steady.evidence(rows), rel=0.02, abs=0.02)  # the covariance is in halves


def test_fit_steady_held_out_is_by_a_judge_that_did_not_hear_the_recording() -> None:
    """A recording like no other surprises the judge that does not know it, and less the one that does."""
    odd = MACHINE.changed(band_hz=OCTAVE_HZ, band_db=4.0)
    averages = [*(MACHINE.averages(WHOLE, seed) for seed in range(9)), odd.averages(WHOLE, 9)]
    found = fit(averages)
    assert found is not None
    known = found.steady.evidence(odd.rows(WHOLE, 9))
    assert found.held_out(9, 0, WHOLE)["profile"] > 3.0 * known["profile"]
    assert found.held_out(9, 0, WHOLE)["profile"] > 2.0 * max(found.held_out(index, 0, WHOLE)["profile"] for index in range(9))


def test_fit_steady_held_out_louder_is_what_a_louder_recording_would_be() -> None:
    found = fitted()
    plain = found.held_out(4, 0, WHOLE)
    assert found.held_out_louder(4, 0, WHOLE, OCTAVE_HZ, 0.0) == pytest.approx(sum(plain.values()))
    louder = [found.held_out_louder(4, 0, WHOLE, OCTAVE_HZ, by_db) for by_db in (1.0, 2.0, 4.0)]
    assert [sum(plain.values()), *louder] == sorted([sum(plain.values()), *louder])
    sound = found.steady.sound
    means, cells = _louder(4).mean(0, WHOLE)
    expected, _ = MACHINE.averages(WHOLE, 4).mean(0, WHOLE)
    for name, vector in sound.of_mean(sound.louder(expected, OCTAVE_HZ, 4.0)).items():
        np.testing.assert_allclose(vector, sound.of_mean(means)[name], atol=0.02, err_msg=name)
    assert cells == 8 * WHOLE


def _louder(seed: int) -> BlockAverages:
    return MACHINE.changed(band_hz=OCTAVE_HZ, band_db=4.0).averages(WHOLE, seed)


def test_fit_steady_knows_recordings_by_their_place_among_all() -> None:
    """Nothing was heard of the eighth of eleven. The sixth and the last are of one fold, so neither judge knows that they are louder."""
    machines = {5: MACHINE.changed(level_db=3.0), 10: MACHINE.changed(level_db=3.0)}
    indices = [*range(7), 8, 9, 10]
    averages = [machines.get(index, MACHINE).averages(WHOLE, index) for index in indices]
    folds = Folds(recordings_of([*averages, averages[0]]))
    found = fit_steady(averages, indices, folds, WindowSound(LAYOUT), WINDOW_CELLS, ("level",))
    assert found is not None
    statistics = [Statistic.load(name, "signed", found.arrays, number) for number, name in enumerate(("power", "loudness"))]
    levels = np.array([found.steady.sound.of_mean(one.mean(0, WHOLE)[0])["level"] for one in averages])
    for place, index in enumerate(indices):
        others = levels[[there % 5 != index % 5 for there in indices]]
        variance = (np.square(others - others.mean(axis=0)).sum(axis=0) + 4 * LEAST_DEVIATION["level"] ** 2) / (len(others) - 1 + 4)
        units = (levels[place] - others.mean(axis=0)) / np.sqrt(variance + LASTING_DEVIATION["level"] ** 2)
        expected = max(one.weight * one.nats(value, 8 * WHOLE) for one, value in zip(statistics, units.tolist(), strict=True))
        assert found.held_out(place, 0, WHOLE)["level"] == pytest.approx(expected, rel=1e-3)
