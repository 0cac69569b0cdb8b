from __future__ import annotations

import numpy as np
import pytest

from edge.drift.forecast import MOST_WEEKS, PresentWindow, weeks_to_alarm
from edge.judgement.judge import AVERAGES
from edge.judgement.overhearing import HeardWindow
from edge.model import Model
from edge.pipeline import Listener
from tests.bundles import RATE_HZ, CalibratedMachine

BAND_HZ = (1000.0, 1500.0)


class Last:
    """Keeps the last window as the drift keeps windows of an hour."""

    window_of_now: PresentWindow

    def begin(self, model: Model) -> None:
        assert model.steady is not None
        self.sound = model.steady.sound

    def window(self, heard: HeardWindow) -> None:
        span, judged = heard.span, heard.judged
        if not judged.surprise or not judged.score:
            return
        mean, (long_mean, long_cells) = self.sound.mean(span.deviations[AVERAGES]), heard.long_average.mean(span.last)
        alarm = judged.surprise / judged.score
        self.window_of_now = PresentWindow(mean, span.last - span.first, long_mean, long_cells, judged.surprise, heard.steady_nats, alarm)


@pytest.fixture(scope="module")
def present(machine: CalibratedMachine) -> PresentWindow:
    listener, last = Listener(machine.model, RATE_HZ), Last()
    listener.overhear(last)
    list(listener.push(np.resize(machine.samples, 12 * RATE_HZ)))
    return last.window_of_now


def test_forecast_is_half_as_far_at_twice_the_rate(machine: CalibratedMachine, present: PresentWindow) -> None:
    slow, fast = (weeks_to_alarm(machine.model, [present], [(BAND_HZ, rate)]) for rate in (2.0, 4.0))
    assert slow is not None
    assert fast is not None
    assert 0.0 < fast < slow < MOST_WEEKS
    assert fast == pytest.approx(0.5 * slow, abs=0.051)


def test_forecast_is_unknown_where_nothing_moves_or_too_slowly(machine: CalibratedMachine, present: PresentWindow) -> None:
    assert weeks_to_alarm(machine.model, [present], []) is None
    assert weeks_to_alarm(machine.model, [], [(BAND_HZ, 2.0)]) is None
    assert weeks_to_alarm(machine.model, [present], [(BAND_HZ, 0.001)]) is None
