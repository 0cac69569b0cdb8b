from __future__ import annotations

import pytest

from edge.judgement.tail import Tail
from edge.judgement.threshold import SURE_SHARE, Moved, Threshold


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.1])
@pytest.mark.parametrize("looks", [1.0, 1.5625, 6.25])
def test_threshold_all_looks_together_are_sure_a_tenth_as_often_as_windows_alarm(shape: float, looks: float) -> None:
    tail = Tail(onset=12.0, rate_per_s=1 / 60, scale=1.3, shape=shape)
    threshold = Threshold(20.0, tail)
    sure = threshold.sure_surprise(looks)
    assert sure > 20.0
    assert looks * tail.alarms_per_s(sure) == pytest.approx(SURE_SHARE * tail.alarms_per_s(20.0))


def test_threshold_fewer_looks_than_windows_make_nothing_surer() -> None:
    threshold = Threshold(20.0, Tail(12.0, 1 / 60, 1.3, 0.0))
    assert threshold.sure_surprise(0.3) == threshold.sure_surprise(1.0)


def test_threshold_sure_is_never_below_the_alarm() -> None:
    tail = Tail(onset=12.0, rate_per_s=1 / 60, scale=1.3, shape=0.0)
    for surprise in (3.0, 11.9, 12.0):  # nothing was fitted there
        assert Threshold(surprise, tail).sure_surprise(1.5625) >= max(surprise, 12.0)


def test_threshold_that_was_moved_is_sure_by_the_tail_that_moved_it() -> None:
    own, heard = Tail(12.0, 1 / 60, 1.3, 0.0), Tail(14.0, 1 / 60, 3.0, 0.1)
    moved = Threshold(20.0, own).moved(Moved(1.5, heard))
    assert moved.sure_surprise(1.5) == Threshold(30.0, heard).sure_surprise(1.5) > 30.0
