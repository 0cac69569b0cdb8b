from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.features.cell_averages import AverageLayout
from edge.features.frontend import PANNS, mels_below
from edge.judgement.statistic import Normal, Statistic
from edge.judgement.steady import LONGER, LOOKS_NATS, QUESTIONS, STEADY_HEADS, Steady, more_evidence
from edge.judgement.window_sound import WindowSound
from tests.steady_sound import LAYOUT, SteadyMachine

Arrays = dict[str, NDArray[Any]]

SOUND = WindowSound(LAYOUT)
LENGTHS = np.array([25.0, 250.0])


def rows(blocks: int = 31, **what: Any) -> NDArray[np.float32]:
    return SteadyMachine(differ_db=0.0, **what).rows(blocks, 0)


def arrays(weight: float = 0.5) -> Arrays:
    """Heads that expect the very window that `rows` gives."""
    vectors, found = SOUND.of_mean(SOUND.mean(rows())), {}
    for name, centre in vectors.items():
        whitening = None if name in ("level", "shape") else np.eye(len(centre))
        found.update(Normal(centre, np.full(len(centre), 0.5), whitening).arrays(name))
    for name, question in QUESTIONS.items():
        statistic = Statistic(question.kind, LENGTHS, np.zeros(2), np.ones(2), 1e6, weight, question.number)
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
    assert louder["level"] == pytest.approx(0.5 * 2 * two.nats(2.0 / 0.5, 248), rel=0.01)
    assert louder["dynamics"] == pytest.approx(usual["dynamics"], abs=1e-2)
    bands = 3 * LAYOUT.bands
    one = Statistic("whitened", LENGTHS, np.zeros(2), np.ones(2), 1e6, 1.0)
    low = len(LAYOUT.low_centres_hz)
    expected = one.nats(4.0 * np.sqrt(bands), 248) + one.nats(4.0 * np.sqrt(low), 248) + one.nats(4.0, 248)
    assert louder["profile"] == pytest.approx(0.5 * (expected + one.nats(0.0, 248)), rel=0.01)


def test_evidence_of_a_window_in_which_nothing_was_heard_is_none() -> None:
    nothing = np.full_like(rows(), np.nan)
    assert loaded().evidence(nothing) == {}


def test_evidence_of_a_window_with_a_gap_counts_the_cells_that_were_heard() -> None:
    """The table says that a window of 25 cells varies as one of 250, so the same change is the same surprise."""
    steady, holed = loaded(), rows(level_db=2.0)
    holed[100:200] = np.nan
    said = steady.evidence(holed)
    assert said["level"] == pytest.approx(steady.evidence(rows(level_db=2.0))["level"], rel=0.2)
    only = Statistic.load("power", "signed", arrays())
    changed = arrays() | {"power_table": np.array([[25, 0, 10], [250, 0, 1]], np.float32)}
    assert loaded(changed).evidence(holed)["level"] < said["level"]
    assert only.nats(4.0, 148) == pytest.approx(only.nats(4.0, 248))


def test_evidence_of_a_window_too_short_for_a_vector_is_without_its_statistics() -> None:
    steady = loaded()
    short = steady.evidence(rows(1, level_db=2.0))
    assert short["dynamics"] == 0.0
    assert short["level"] > 1.0
    assert len(steady.values(SOUND.of_mean(SOUND.mean(rows(1))))) == len(QUESTIONS) - 1


@pytest.mark.parametrize("heads", [("level",), ("profile", "dynamics"), ("dynamics",)])
def test_load_with_some_heads_has_these_alone(heads: tuple[str, ...]) -> None:
    steady = loaded(heads=heads)
    assert set(steady.heads) == set(heads)
    said, everything = steady.evidence(rows(swell_db=2.0)), loaded().evidence(rows(swell_db=2.0))
    assert said == {head: everything[head] for head in heads}


LONG = {"level": 4.0, "profile": 3.0, "dynamics": 1.0}


@pytest.mark.parametrize("more", [-8.0, -1.0, 0.5 * LOOKS_NATS, LOOKS_NATS])
def test_more_evidence_is_that_of_the_long_window_unless_the_short_one_has_more_by_all_that_it_pays(more: float) -> None:
    short = {"level": 0.0, "profile": 8.0 + more, "dynamics": 0.0}
    assert more_evidence(short, LONG) == LONG


@pytest.mark.parametrize("more", [0.01, 5.0, 500.0])
def test_more_evidence_of_a_window_that_has_far_more_is_its_own_less_what_it_pays_in_its_own_proportions(more: float) -> None:
    total = 8.0 + LOOKS_NATS + more
    found = more_evidence({"level": 0.1 * total, "profile": 0.7 * total, "dynamics": 0.2 * total}, LONG)
    assert found == pytest.approx({"level": 0.1 * (8.0 + more), "profile": 0.7 * (8.0 + more), "dynamics": 0.2 * (8.0 + more)})


def test_more_evidence_of_a_window_that_was_not_heard_is_that_of_the_long_one() -> None:
    assert more_evidence({}, LONG) == LONG
    assert more_evidence(dict.fromkeys(LONG, 0.0), dict.fromkeys(LONG, 0.0)) == dict.fromkeys(LONG, 0.0)


def test_strongest_evidence_is_by_the_long_window_where_it_is_longer_and_louder() -> None:
    steady, usual, louder = loaded(), rows(), rows(level_db=2.0)
    means = SOUND.mean(louder)
    shorter, longer = (round(LONGER * len(usual)) + by for by in (-1, 1))
    assert steady.strongest_evidence(usual, (means, shorter)) == steady.evidence(usual)
    assert steady.strongest_evidence(usual, (means, longer)) == steady.evidence_of(SOUND.of_mean(means), longer)
    assert steady.strongest_evidence(usual, (np.full_like(means, np.nan), 0)) == steady.evidence(usual)


def test_strongest_evidence_of_a_change_that_has_just_begun_is_by_the_window_less_what_it_pays() -> None:
    """Two thirds of the long window are as they were, so its mean has a third of the change."""
    steady, usual, louder = loaded(), rows(), rows(level_db=6.0)
    long = (SOUND.mean(np.concatenate([usual, usual, louder])), 3 * len(usual))
    own, found = steady.evidence(louder), steady.strongest_evidence(louder, long)
    assert sum(own.values()) > sum(steady.evidence_of(SOUND.of_mean(long[0]), long[1]).values()) + LOOKS_NATS
    assert sum(found.values()) == pytest.approx(sum(own.values()) - LOOKS_NATS)
    for head, nats in own.items():
        assert found[head] / sum(found.values()) == pytest.approx(nats / sum(own.values()))


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
    apart = loaded().apart(rows(band_hz=band_hz, band_db=3.0), head)
    within = (LAYOUT.centres_hz >= band_hz[0]) & (LAYOUT.centres_hz < band_hz[1])
    np.testing.assert_allclose(apart.bands[within], 6.0, atol=0.1)
    assert apart.bands[~within].max() < 2.0  # the level, which the shape is without, is a little higher
    assert len(apart.low) == len(LAYOUT.low_centres_hz)
    np.testing.assert_allclose(apart.low, 0.0, atol=1e-3)


def test_apart_below_500_hz_is_by_the_finer_bands() -> None:
    band_hz = (150.0, 162.0)
    apart = loaded().apart(rows(band_hz=band_hz, band_db=5.0), "profile")
    assert band_hz[0] <= LAYOUT.low_centres_hz[int(np.argmax(apart.low))] < band_hz[1]
    assert apart.low.max() == pytest.approx(10.0, abs=0.1)


def test_apart_of_the_dynamics_is_by_how_bands_vary_and_not_how_loud_they_are() -> None:
    steady = loaded()
    louder, swelling = steady.apart(rows(level_db=6.0), "dynamics"), steady.apart(rows(swell_db=3.0), "dynamics")
    np.testing.assert_allclose(louder.bands, 0.0, atol=0.05)
    assert swelling.bands.min() > 0.5
    assert not louder.low.any()
    assert not swelling.low.any()


def test_apart_of_a_window_in_which_nothing_was_heard_is_nowhere() -> None:
    apart = loaded().apart(np.full_like(rows(), np.nan), "profile")
    assert not apart.bands.any()
    assert not apart.low.any()
