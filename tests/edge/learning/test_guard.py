from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.judgement.long_average import LongAverage
from edge.judgement.overhearing import HeardWindow
from edge.judgement.timeline import Span
from edge.judgement.window import Localization, Window
from edge.learning.guard import LASTS_S, WORTH_S, Guard

CELLS = 250
HOP_S = 0.5


def window(*, is_doubtful: bool, first: int = 1000) -> HeardWindow:
    span = Span(first, first + CELLS, {}, 0)
    judged = Window(0.0, 10.0, 0.0, 1.0, is_doubtful, {}, 0.0, Localization(0.04, np.zeros(CELLS, np.float32), ()))
    return HeardWindow(span, is_doubtful, 0.0, LongAverage(4, CELLS), judged, is_doubtful, np.zeros(CELLS, np.bool_))


def last(guard: Guard, seconds: float, *, is_doubtful: bool = True) -> None:
    for _ in range(round(seconds / HOP_S)):
        guard.hear(window(is_doubtful=is_doubtful), HOP_S)


def test_guard_forbids_doubtful_windows_as_a_whole_and_of_others_what_was_left_out() -> None:
    guard = Guard()
    assert list(guard.forbidden(window(is_doubtful=False))) == []
    assert list(guard.forbidden(window(is_doubtful=True))) == [(1000, 1250)]
    left_out = np.zeros(CELLS, np.bool_)
    left_out[[0, 1, 100, 249]] = True
    explained = replace(window(is_doubtful=False), left_out=left_out)
    assert list(guard.forbidden(explained)) == [(1000, 1002), (1100, 1101), (1249, 1250)]


def test_guard_asks_only_about_what_has_lasted_without_a_break() -> None:
    guard = Guard()
    last(guard, LASTS_S - 1.0)
    assert not guard.asks
    assert not guard.accept()
    last(guard, HOP_S, is_doubtful=False)
    last(guard, LASTS_S - 1.0)
    assert not guard.asks
    last(guard, 1.0)
    assert guard.asks


def test_guard_accepted_sound_is_learned_until_it_ends_and_is_due_after_half_an_hour() -> None:
    guard = Guard()
    last(guard, LASTS_S)
    assert list(guard.forbidden(window(is_doubtful=True)))
    assert guard.accept()
    assert not guard.asks
    assert list(guard.forbidden(window(is_doubtful=True))) == []
    last(guard, WORTH_S)
    assert guard.is_due
    last(guard, HOP_S, is_doubtful=False)
    assert list(guard.forbidden(window(is_doubtful=True)))


@pytest.mark.parametrize(("bundle", "is_due"), [("same", True), ("another", False)])
def test_guard_another_bundle_has_learned_what_was_accepted(bundle: str, is_due: bool) -> None:
    guard = Guard()
    guard.begin("same")
    last(guard, LASTS_S)
    guard.accept()
    last(guard, WORTH_S)
    guard.begin(bundle)
    assert guard.is_due == is_due
