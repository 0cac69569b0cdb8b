from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.judgement.tail import SECONDS_PER_WEEK, Tail
from edge.judgement.threshold import Threshold
from edge.remote.recalibration import LEAST_FACTOR, MOST_FACTOR, recalibrate
from edge.remote.requests import CommandError
from edge.remote.score_record import BIN_S

DAY = round(86_400 / BIN_S)
OWN = 8.0  # surprise at the bundle's threshold


def heard(bins: int, scale: float = 1.0, seed: int = 0) -> NDArray[np.float64]:
    """Surprise with an exponential tail: a bin exceeds x with probability exp(-x / scale)."""
    return np.random.default_rng(seed).exponential(scale, bins)


def numbered(surprise: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.arange(100, 100 + len(surprise), dtype=np.int64), surprise


def test_recalibrate_threshold_is_exceeded_as_often_as_asked_for() -> None:
    rates = []
    for seed in range(5):
        found = recalibrate(numbered(heard(7 * DAY, 1.2, seed)), [], OWN, 7.0)
        assert not found.clipped
        weeks = heard(52 * 7 * DAY, 1.2, 100 + seed)
        rates.append(np.count_nonzero(weeks > found.moved.factor * OWN) / 52)
    assert 7.0 / 2 < np.exp(np.mean(np.log(rates))) < 7.0 * 2  # from one week each


def test_recalibrate_moved_threshold_keeps_score_and_p_value_together() -> None:
    own = Threshold(OWN, Tail(3.0, 0.01, 0.8, 0.0))
    found = recalibrate(numbered(heard(DAY)), [], OWN, 3.0)
    threshold = own.moved(found.moved)
    at_alarm = found.moved.factor * OWN
    assert threshold.score(at_alarm) == pytest.approx(1.0)
    assert threshold.p_value(at_alarm, SECONDS_PER_WEEK) == pytest.approx(-np.expm1(-3.0))  # three expected in a week
    assert threshold.p_value(2 * at_alarm, 10.0) < threshold.p_value(at_alarm, 10.0) < threshold.p_value(0.5 * at_alarm, 10.0)
    assert own.moved(None) is own


def test_recalibrate_louder_machine_raises_and_quieter_one_lowers_within_bounds() -> None:
    factors = [recalibrate(numbered(heard(DAY, scale)), [], OWN, 1.0) for scale in (0.05, 0.4, 0.8, 1.6, 20.0)]
    assert [found.clipped for found in factors] == [True, False, False, False, True]
    assert factors[0].moved.factor == LEAST_FACTOR
    assert factors[-1].moved.factor == MOST_FACTOR
    assert sorted(factors, key=lambda found: found.moved.factor) == factors


def test_recalibrate_what_is_left_out_counts_for_nothing() -> None:
    surprise = heard(DAY)
    clean = recalibrate(numbered(surprise), [], OWN, 1.0)
    spoiled = surprise.copy()
    spoiled[1000:1020] += 500.0
    spoiled[-3:] += 500.0
    without = recalibrate(numbered(spoiled), [(1100, 1119), (100 + DAY - 3, 100 + DAY + 50)], OWN, 1.0)
    assert without.moved.factor == pytest.approx(clean.moved.factor, rel=0.02)
    assert without.used_s == BIN_S * (DAY - 23)
    assert without.heard_s == BIN_S * DAY
    assert recalibrate(numbered(spoiled), [], OWN, 1.0).clipped
    assert recalibrate(numbered(spoiled), [(0, 50), (10**9, 10**9 + 1)], OWN, 1.0).used_s == BIN_S * DAY


def test_recalibrate_gap_does_not_join_peaks_of_both_sides() -> None:
    surprise = np.full(2 * 720, 0.1) + heard(2 * 720, 0.01)
    surprise[719] = surprise[720] = 5.0  # neighbours in the file, days apart in time
    numbers = np.concatenate([np.arange(720), 10_000 + np.arange(720)])
    together = recalibrate((np.arange(1440), surprise), [], OWN, 1.0)
    apart = recalibrate((numbers, surprise), [], OWN, 1.0)
    assert apart.moved.tail.rate_per_s >= together.moved.tail.rate_per_s
    assert apart.moved.factor != together.moved.factor


def test_recalibrate_too_little_is_refused_with_what_would_do() -> None:
    with pytest.raises(CommandError, match=r"^10 minutes of its normal sound .* bundle; 60 are needed: send it again in 50 minutes"):
        recalibrate(numbered(heard(120)), [], OWN, 1.0)
    with pytest.raises(
        CommandError, match=r"\(60 minutes are left out for events that are not marked as false alarms, or not known any more\)"
    ):
        recalibrate(numbered(heard(1430)), [(100, 819)], OWN, 1.0)
    with pytest.raises(CommandError, match=r"^0 minutes"):
        recalibrate(numbered(heard(0)), [(1, 2)], OWN, 1.0)


def test_recalibrate_machine_that_never_changes_has_a_threshold_too() -> None:
    found = recalibrate(numbered(np.full(1000, 0.25)), [], OWN, 1.0)
    assert (found.moved.factor, found.clipped) == (LEAST_FACTOR, True)
    found.moved.tail.check()
