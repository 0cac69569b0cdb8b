from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.features.cell_averages import AverageLayout
from edge.features.frontend import PANNS, mels_below
from edge.judgement.long_average import WINDOWS
from edge.judgement.statistic import Normal, Statistic
from edge.judgement.steady import LONGER, LOOKS_NATS, QUESTIONS, STEADY_HEADS, USUAL_NATS, Steady, WindowEvidence, more_evidence
from edge.judgement.window_sound import WindowSound
from tests.steady_sound import LAYOUT, SteadyMachine

Arrays = dict[str, NDArray[Any]]

SOUND = WindowSound(LAYOUT)
LENGTHS = np.array([25.0, 250.0])
AND_LONG = np.array([25.0, 250.0, 750.0])


def rows(blocks: int = 31, **what: Any) -> NDArray[np.float32]:
    return SteadyMachine(differ_db=0.0, **what).rows(blocks, 0)


def arrays(weight: float = 0.5, lengths: NDArray[np.float64] = LENGTHS) -> Arrays:
    """Heads that expect the very window that `rows` gives."""
    vectors, found = SOUND.of_mean(SOUND.mean(rows())), {}
    for name, centre in vectors.items():
        whitening = None if name in ("level", "shape") else np.eye(len(centre))
        found.update(Normal(centre, np.full(len(centre), 0.5), whitening).arrays(name))
    for name, question in QUESTIONS.items():
        statistic = Statistic(question.kind, lengths, 0.0 * lengths, np.ones(len(lengths)), 1e6, weight, question.number)
        found.update(statistic.arrays(name))
    return found


def loaded(changed: Arrays | None = None, heads: Sequence[str] = STEADY_HEADS) -> Steady:
    return Steady.load(arrays() if changed is None else changed, LAYOUT, heads, relative=False)


def test_evidence_of_the_usual_window_is_hardly_any_and_of_a_louder_one_the_weighted_nats_of_each_statistic() -> None:
    steady = loaded()
    assert steady.heads == STEADY_HEADS
    usual = steady.evidence(rows())
    assert usual["level"] == pytest.approx(0.0, abs=1e-2)
    louder = steady.evidence(rows(level_db=2.0))
    two = Statistic("signed", LENGTHS, np.zeros(2), np.ones(2), 1e6, 1.0)
    assert louder["dynamics"] == pytest.approx(usual["dynamics"], abs=1e-2)
    bands = 3 * LAYOUT.bands
    one = Statistic("whitened", LENGTHS, np.zeros(2), np.ones(2), 1e6, 1.0)
    low = len(LAYOUT.low_centres_hz)
    assert louder["level"] == pytest.approx(0.5 * (two.nats(4.0, 248) + one.nats(4.0, 248)), rel=0.01)  # the finer bands tell it too
    expected = one.nats(4.0 * np.sqrt(bands), 248) + one.nats(4.0 * np.sqrt(low), 248)
    assert louder["profile"] == pytest.approx(0.5 * (expected + one.nats(0.0, 248)), rel=0.01)


def usual_vectors() -> dict[str, NDArray[np.float64]]:
    return dict(SOUND.of_mean(SOUND.mean(rows())))


@pytest.mark.parametrize("units", [(3.0, 4.0), (4.0, 3.0), (0.0, -4.0), (-4.0, 4.0)])
def test_evidence_of_the_level_is_that_of_the_farther_of_its_numbers_and_not_of_both(units: tuple[float, float]) -> None:
    vectors = usual_vectors()
    vectors["level"] = vectors["level"] + 0.5 * np.array(units)
    farther = Statistic("signed", LENGTHS, np.zeros(2), np.ones(2), 1e6, 1.0).nats(4.0, 248)
    assert loaded(heads=("level",)).evidence_of(vectors, 248)["level"] == pytest.approx(0.5 * farther, rel=1e-3)


@pytest.mark.parametrize(("all_units", "part"), [(4.0, 1.0), (2.0, 0.5), (1.0, 0.25), (0.0, 0.0)])
def test_evidence_of_finer_bands_is_of_the_level_as_far_as_all_of_them_have_it_in_common(all_units: float, part: float) -> None:
    vectors = usual_vectors()
    far = np.full(len(vectors["low"]), all_units)
    far[[7, 20]] = 4.0  # the two farthest
    vectors["low"] = vectors["low"] + 0.5 * far
    found, apart = loaded().evidence_of(vectors, 248), loaded(heads=("profile",)).evidence_of(vectors, 248)
    level = loaded(heads=("level",)).evidence_of(vectors, 248)["level"]
    largest = 0.5 * Statistic("largest", LENGTHS, np.zeros(2), np.ones(2), 1e6, 1.0).nats(4.0, 248)
    assert found["level"] - level == pytest.approx(part * largest, rel=1e-3, abs=1e-3)
    assert apart["profile"] - found["profile"] == pytest.approx(part * largest, rel=1e-3, abs=1e-3)


def test_evidence_of_a_gain_is_in_sum_what_the_heads_say_each_by_itself() -> None:
    window = rows(level_db=2.0)
    everything = loaded().evidence(window)
    alone = {head: loaded(heads=(head,)).evidence(window)[head] for head in STEADY_HEADS}
    assert sum(everything.values()) == pytest.approx(sum(alone.values()))
    assert everything["level"] > alone["level"] + 1.0
    assert everything["dynamics"] == alone["dynamics"]


def test_evidence_of_a_window_in_which_nothing_was_heard_is_none() -> None:
    nothing = np.full_like(rows(), np.nan)
    assert loaded().evidence(nothing) == {}


def test_evidence_of_a_window_with_a_gap_counts_the_cells_that_were_heard() -> None:
    """The table says that a window of 25 cells varies as one of 250, so the same change is the same surprise."""
    heads = ("level",)  # by itself: what the finer bands add to it is farther, the less of them was heard
    steady, holed = loaded(heads=heads), rows(level_db=2.0)
    holed[100:200] = np.nan
    said = steady.evidence(holed)
    assert said["level"] == pytest.approx(steady.evidence(rows(level_db=2.0))["level"], rel=0.2)
    only = Statistic.load("power", "signed", arrays())
    changed = arrays() | {"power_table": np.array([[25, 0, 10], [250, 0, 1]], np.float32)}
    changed["loudness_table"] = changed["power_table"]
    assert loaded(changed, heads).evidence(holed)["level"] < 0.5 * said["level"]
    assert only.nats(4.0, 148) == pytest.approx(only.nats(4.0, 248))


def test_evidence_of_a_window_too_short_for_a_vector_is_without_its_statistics() -> None:
    steady = loaded()
    short = steady.evidence(rows(1, level_db=2.0))
    assert short["dynamics"] == 0.0
    assert short["level"] > 1.0
    assert len(steady.values(SOUND.of_mean(SOUND.mean(rows(1))))) == len(QUESTIONS) - 1


@pytest.mark.parametrize("heads", [("level",), ("level", "profile"), ("profile", "dynamics"), ("dynamics",)])
def test_load_with_some_heads_has_these_alone(heads: tuple[str, ...]) -> None:
    steady = loaded(heads=heads)
    assert set(steady.heads) == set(heads)
    vectors = usual_vectors()  # whose finer bands are as they should be, so that none of it is the level's
    for name in ("level", "profile", "dynamics"):
        vectors[name] = vectors[name] + 1.0
    said, everything = steady.evidence_of(vectors, 248), loaded().evidence_of(vectors, 248)
    assert min(said.values()) > 0.5
    assert said == pytest.approx({head: everything[head] for head in heads}, abs=0.02)


LONG = WindowEvidence({"level": 4.0, "profile": 3.0, "dynamics": 1.0}, np.array([2.0]))  # 8 nats in all


def short_of(total: float) -> WindowEvidence:
    return WindowEvidence({"level": 0.1 * total, "profile": 0.7 * total, "dynamics": 0.2 * total}, np.array([1.0]))


def parts_of(nats: dict[str, float], total: float) -> object:
    """What heads are to say, in the same proportions."""
    return pytest.approx({head: own * total / sum(nats.values()) for head, own in nats.items()})


@pytest.mark.parametrize("more", [8.01 / WINDOWS + USUAL_NATS - 8.0, -1.0, 0.5 * LOOKS_NATS, LOOKS_NATS])
def test_more_evidence_is_that_of_the_long_window_unless_the_short_one_has_more_by_all_that_it_pays(more: float) -> None:
    found = more_evidence(short_of(8.0 + more), LONG)
    assert found.nats == LONG.nats
    assert found.mean is LONG.mean


@pytest.mark.parametrize("more", [0.01, 5.0, 500.0])
def test_more_evidence_of_a_window_that_has_far_more_is_its_own_less_what_it_pays_in_its_own_proportions(more: float) -> None:
    short = short_of(8.0 + LOOKS_NATS + more)
    found = more_evidence(short, LONG)
    assert found.nats == parts_of(short.nats, 8.0 + more)
    assert found.mean is short.mean


@pytest.mark.parametrize("beyond", [-3.0, 0.0, 0.01, 0.5, 2.0, 8.0 / WINDOWS - 0.01])
def test_more_evidence_of_a_change_that_has_passed_is_what_the_window_has_beyond_the_usual_as_many_times_as_it_is_longer(
    beyond: float,
) -> None:
    found = more_evidence(short_of(USUAL_NATS + beyond), LONG)
    assert found.nats == parts_of(LONG.nats, WINDOWS * max(0.0, beyond))
    assert found.mean is LONG.mean


def test_more_evidence_grows_with_that_of_the_window() -> None:
    """Neither where it is capped, nor where the window pays, does more of it give less."""
    far = WindowEvidence({head: 10.0 * nats for head, nats in LONG.nats.items()}, LONG.mean)
    for long in (LONG, far):
        found = [sum(more_evidence(short_of(total), long).nats.values()) for total in np.linspace(0.0, 120.0, 241)]
        assert found == pytest.approx(sorted(found))
        assert (found[0], found[-1]) == pytest.approx((0.0, 120.0 - LOOKS_NATS))


def test_more_evidence_of_a_window_that_says_nothing_is_none() -> None:
    nothing = dict.fromkeys(LONG.nats, 0.0)
    for short in (WindowEvidence({}, np.array([1.0])), WindowEvidence(nothing, np.array([1.0]))):
        assert more_evidence(short, LONG).nats == nothing
        assert more_evidence(short, WindowEvidence(nothing, LONG.mean)).nats == nothing


def is_of(found: WindowEvidence, steady: Steady, mean: NDArray[np.float64], cells: int) -> bool:
    """Whether the evidence is all that such a mean gives, and goes with that mean."""
    np.testing.assert_array_equal(found.mean, mean)
    return found.nats == steady.evidence_of(SOUND.of_mean(mean), cells)


def test_strongest_evidence_is_by_the_long_window_where_it_is_longer_and_louder() -> None:
    steady, window = loaded(arrays(lengths=AND_LONG)), rows(level_db=1.5)
    own, means = SOUND.mean(window), SOUND.mean(rows(level_db=2.0))
    shorter, longer = (round(LONGER * len(window)) + by for by in (-1, 1))
    assert is_of(steady.strongest_evidence(window, (means, shorter)), steady, own, len(window))
    assert is_of(steady.strongest_evidence(window, (means, longer)), steady, means, longer)
    assert is_of(steady.strongest_evidence(window, (np.full_like(means, np.nan), 0)), steady, own, len(window))


def test_strongest_evidence_of_a_change_that_has_passed_is_little() -> None:
    steady, usual, means = loaded(arrays(lengths=AND_LONG)), rows(), SOUND.mean(rows(level_db=2.0))
    own = sum(steady.evidence(usual).values())
    found = sum(steady.strongest_evidence(usual, (means, 3 * len(usual))).nats.values())
    assert own < USUAL_NATS
    assert found == 0.0
    assert found < 0.1 * sum(steady.evidence_of(SOUND.of_mean(means), 3 * len(usual)).values())


def test_strongest_evidence_is_by_the_window_where_nothing_longer_was_measured() -> None:
    """However far the long window is from normal: how much it varies, is not known."""
    window, means = rows(level_db=1.5), SOUND.mean(rows(level_db=2.0))
    least = LONGER * len(window)
    for longest, by_window in ((LENGTHS[-1], True), (least - 1.0, True), (least, False), (AND_LONG[-1], False)):
        steady = loaded(arrays(lengths=np.array([25.0, longest])))
        assert steady.longest_cells == longest
        mean, cells = (SOUND.mean(window), len(window)) if by_window else (means, 3 * len(window))
        assert is_of(steady.strongest_evidence(window, (means, 3 * len(window))), steady, mean, cells)


def test_longest_cells_are_those_of_the_statistic_that_was_measured_longest() -> None:
    assert loaded(arrays() | {"low_table": np.array([[25, 0, 1], [600, 0, 1]], np.float32)}).longest_cells == 600.0
    assert loaded(arrays() | {"low_table": np.array([[25, 0, 1]], np.float32)}).longest_cells == LENGTHS[-1]


def test_strongest_evidence_of_a_change_that_has_just_begun_is_by_the_window_less_what_it_pays() -> None:
    """Two thirds of the long window are as they were, so its mean has a third of the change."""
    steady, usual, louder = loaded(arrays(lengths=AND_LONG)), rows(), rows(level_db=6.0)
    long = (SOUND.mean(np.concatenate([usual, usual, louder])), 3 * len(usual))
    own, found = steady.evidence(louder), steady.strongest_evidence(louder, long)
    assert sum(own.values()) > sum(steady.evidence_of(SOUND.of_mean(long[0]), long[1]).values()) + LOOKS_NATS
    assert found.nats == parts_of(own, sum(own.values()) - LOOKS_NATS)
    np.testing.assert_array_equal(found.mean, SOUND.mean(louder))


def without(*names: str) -> Callable[[Arrays], object]:
    def change(whole: Arrays) -> None:
        for name in names:
            del whole[name]

    return change


def with_(name: str, array: NDArray[Any]) -> Callable[[Arrays], object]:
    return lambda whole: whole.update({name: array})


@pytest.mark.parametrize("heads", [(), ("volume",), ("level", "volume")])
def test_load_of_heads_that_there_are_not_is_refused(heads: tuple[str, ...]) -> None:
    """An alarm would ask which of none is the strongest."""
    with pytest.raises(ValueError, match="steady has not the heads"):
        loaded(heads=heads)


@pytest.mark.parametrize(
    "damage",
    [
        without("profile_whitening"),
        without("dynamics_whitening"),
        without("level_centre", "level_scale"),
        without("low_centre"),
        without("profile_scale"),
        without("power_trust"),
        without("dynamics_table"),
        with_("profile_centre", np.zeros(3 * LAYOUT.bands - 3, np.float32)),
        with_("low_whitening", np.eye(3, dtype=np.float16)),
        with_("shape_scale", np.zeros(LAYOUT.bands, np.float32)),
        with_("dynamics_table", np.zeros((2, 3), np.float32)),
        with_("level_centre", np.full(2, np.nan, np.float32)),
    ],
)
def test_load_of_damaged_arrays_is_refused(damage: Callable[[Arrays], object]) -> None:
    whole = arrays()
    damage(whole)
    with pytest.raises((KeyError, ValueError)):
        loaded(whole)


def test_load_for_another_bandwidth_is_refused() -> None:
    narrow = AverageLayout(PANNS, mels_below(PANNS, 4000.0))
    with pytest.raises(ValueError, match="steady"):
        Steady.load(arrays(), narrow, STEADY_HEADS, relative=False)


@pytest.mark.parametrize("head", ["level", "profile"])
def test_apart_is_how_far_each_band_is_from_normal_by_the_spectra(head: str) -> None:
    band_hz = (707.0, 1414.0)
    apart = loaded().apart(SOUND.mean(rows(band_hz=band_hz, band_db=3.0)), head)
    within = (LAYOUT.centres_hz >= band_hz[0]) & (LAYOUT.centres_hz < band_hz[1])
    np.testing.assert_allclose(apart.bands[within], 6.0, atol=0.1)
    assert apart.bands[~within].max() < 2.0  # the level, which the shape is without, is a little higher
    assert len(apart.low) == len(LAYOUT.low_centres_hz)
    np.testing.assert_allclose(apart.low, 0.0, atol=1e-3)


def test_apart_below_500_hz_is_by_the_finer_bands() -> None:
    band_hz = (150.0, 162.0)
    apart = loaded().apart(SOUND.mean(rows(band_hz=band_hz, band_db=5.0)), "profile")
    assert band_hz[0] <= LAYOUT.low_centres_hz[int(np.argmax(apart.low))] < band_hz[1]
    assert apart.low.max() == pytest.approx(10.0, abs=0.1)


def test_apart_of_the_dynamics_is_by_how_bands_vary_and_not_how_loud_they_are() -> None:
    steady = loaded()
    louder, swelling = (steady.apart(SOUND.mean(window), "dynamics") for window in (rows(level_db=6.0), rows(swell_db=3.0)))
    np.testing.assert_allclose(louder.bands, 0.0, atol=0.05)
    assert swelling.bands.min() > 0.5
    assert not louder.low.any()
    assert not swelling.low.any()


def test_apart_of_a_window_in_which_nothing_was_heard_is_nowhere() -> None:
    apart = loaded().apart(SOUND.mean(np.full_like(rows(), np.nan)), "profile")
    assert not apart.bands.any()
    assert not apart.low.any()
