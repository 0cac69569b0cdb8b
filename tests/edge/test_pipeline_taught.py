"""What a listener makes of sounds that it was taught, from sound to score, on a small bundle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.judgement.event import Event
from edge.judgement.taught import EventSound
from edge.judgement.window import Window
from edge.pipeline import Listener
from export.synthesis.fault import tone_fault
from export.synthesis.knock import knock
from tests.bundles import RATE_HZ, CalibratedMachine

Float32 = NDArray[np.float32]


def slam(peak: float) -> Float32:
    """A door, somewhere else in the hall."""
    thud: Float32 = peak * knock(RATE_HZ, np.random.default_rng(5), lowest_hz=200.0, modes=8, decay_s=0.4)
    return thud


def with_sound(samples: Float32, sound: Float32, at_s: float) -> Float32:
    mixed = samples.copy()
    first = round(at_s * RATE_HZ)
    mixed[first : first + len(sound)] += sound
    return mixed


class Heard:
    """One run of a listener over a recording."""

    def __init__(
        self, machine: CalibratedMachine, samples: Float32, false_alarms: Sequence[EventSound] = (), real: Sequence[EventSound] = ()
    ) -> None:
        self.listener = Listener(machine.model, RATE_HZ)
        self.listener.teach(false_alarms, real)
        self.results: list[Window | Event] = []
        self.push(samples)
        self.results += self.listener.finish()
        self.sounds = self.listener.event_sounds()

    def push(self, samples: Float32) -> None:
        for first in range(0, len(samples), RATE_HZ):
            self.results += self.listener.push(samples[first : first + RATE_HZ])

    @property
    def scores(self) -> list[float | None]:
        return [result.score for result in self.results if isinstance(result, Window)]

    @property
    def events(self) -> list[str]:
        return [result.id for result in self.results if isinstance(result, Event) and result.type == "opened"]


@pytest.fixture(scope="module")
def normal(machine: CalibratedMachine) -> Float32:
    return machine.samples[: 16 * RATE_HZ]


@pytest.fixture(scope="module")
def slammed(machine: CalibratedMachine, normal: Float32) -> Heard:
    return Heard(machine, with_sound(normal, slam(0.7), 12.0))


def test_listener_event_has_a_sound_that_others_like_it_are_left_out_by(
    machine: CalibratedMachine, normal: Float32, slammed: Heard
) -> None:
    assert [sound.event for sound in slammed.sounds] == slammed.events
    again = with_sound(normal, slam(1.0), 11.3)
    assert Heard(machine, again).events
    taught = Heard(machine, again, slammed.sounds)
    assert not taught.events
    assert max(score for score in taught.scores if score is not None) < 1.0


def test_listener_that_was_taught_a_slam_hears_another_fault_as_before(machine: CalibratedMachine, normal: Float32, slammed: Heard) -> None:
    fault = tone_fault(RATE_HZ, 3, seconds=5.0, frequency_hz=3150.0, level_dbfs=-35.0).samples
    samples = with_sound(normal, fault, 10.5)
    before, after = Heard(machine, samples), Heard(machine, samples, slammed.sounds)
    assert before.events
    assert after.scores == before.scores


def test_listener_that_is_untaught_in_the_middle_has_the_old_scores_bit_for_bit(
    machine: CalibratedMachine, normal: Float32, slammed: Heard
) -> None:
    samples = with_sound(normal, slam(1.0), 11.3)
    plain = Heard(machine, samples)
    listener = Listener(machine.model, RATE_HZ)
    listener.teach(slammed.sounds)
    results = listener.push(samples[: 14 * RATE_HZ])
    taught = len([result for result in results if isinstance(result, Window)])
    listener.teach([])
    results += [*listener.push(samples[14 * RATE_HZ :]), *listener.finish()]
    scores = [result.score for result in results if isinstance(result, Window)]
    assert scores[:taught] != plain.scores[:taught]
    assert scores[taught:] == plain.scores[taught:]


def test_listener_sound_like_a_real_fault_alarms_whatever_was_a_false_alarm(
    machine: CalibratedMachine, normal: Float32, slammed: Heard
) -> None:
    again = with_sound(normal, slam(0.7), 12.0)
    assert Heard(machine, again, slammed.sounds, slammed.sounds).scores == slammed.scores
