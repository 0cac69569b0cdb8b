"""Faults sound where and when they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from export.synthesis.clicks import valve_clicks
from export.synthesis.fault import Fault, bearing_fault, inject, knock_fault, tone_fault
from export.synthesis.level import level_dbfs
from export.synthesis.microphone import hear
from export.synthesis.room import room_kernel
from export.synthesis.rotating_machine import RotatingMachine

RATE_HZ = 32000


def test_tone_fault_stands_at_its_frequency_and_level() -> None:
    fault = tone_fault(RATE_HZ, 0, seconds=4.0, frequency_hz=3150.0, level_dbfs=-30.0)
    power = np.abs(np.fft.rfft(fault.samples)) ** 2
    frequency_hz = np.fft.rfftfreq(len(fault.samples), 1 / RATE_HZ)
    assert frequency_hz[np.argmax(power)] == pytest.approx(3150.0, rel=0.002)
    assert power[np.abs(frequency_hz - 3150.0) < 10.0].sum() > 0.99 * power.sum()
    assert level_dbfs(fault.samples) == pytest.approx(-30.0, abs=0.2)
    assert abs(fault.samples[0]) < 1e-4
    assert len(fault.samples) == 4 * RATE_HZ


def test_bearing_fault_repeats_at_its_defect_frequency_and_rings_at_its_resonance() -> None:
    fault = bearing_fault(RATE_HZ, 0, seconds=8.0, defect_hz=87.0, resonance_hz=4200.0, level_dbfs=-30.0)
    power = np.abs(np.fft.rfft(fault.samples)) ** 2
    frequency_hz = np.fft.rfftfreq(len(fault.samples), 1 / RATE_HZ)
    assert abs(np.average(frequency_hz, weights=power) - 4200.0) < 1500.0
    envelope = np.abs(np.fft.rfft(np.abs(fault.samples) - np.abs(fault.samples).mean()))
    slow = (frequency_hz > 60.0) & (frequency_hz < 140.0)
    assert frequency_hz[slow][np.argmax(envelope[slow])] == pytest.approx(87.0, rel=0.02)
    assert level_dbfs(fault.samples) == pytest.approx(-30.0, abs=0.5)


def test_knock_fault_dies_away_within_its_span() -> None:
    fault = knock_fault(RATE_HZ, 0, peak=0.4)
    end = round(fault.end_s * RATE_HZ)
    assert np.max(np.abs(fault.samples)) == pytest.approx(0.4, rel=1e-3)
    assert np.sum(fault.samples[:end] ** 2) > 0.99 * np.sum(fault.samples**2)


def test_knock_fault_with_several_blows_lasts_longer() -> None:
    assert knock_fault(RATE_HZ, 0, blows=3).end_s == pytest.approx(knock_fault(RATE_HZ, 0).end_s + 0.36)


@pytest.mark.parametrize("make", [knock_fault, tone_fault, bearing_fault])
def test_fault_with_the_same_seed_is_the_same(make: Callable[[int, int], Fault]) -> None:
    np.testing.assert_array_equal(make(RATE_HZ, 3).samples, make(RATE_HZ, 3).samples)
    assert not np.array_equal(make(RATE_HZ, 3).samples, make(RATE_HZ, 4).samples)


def test_fault_heard_through_a_room_keeps_its_start_and_level() -> None:
    machine = RotatingMachine(0, RATE_HZ)
    fault = bearing_fault(RATE_HZ, 0, seconds=3.0, level_dbfs=-30.0)
    heard = fault.heard_through(machine.colour)
    assert len(heard.samples) == len(fault.samples) + len(machine.colour) - 1
    assert heard.end_s == fault.end_s
    assert level_dbfs(heard.samples[: len(fault.samples)]) == pytest.approx(-30.0, abs=8.0)


def test_inject_adds_the_fault_at_its_place_only() -> None:
    background = np.full(2 * RATE_HZ, 0.01, np.float32)
    fault = tone_fault(RATE_HZ, 0, seconds=0.5)
    mixed = inject(background, fault, 1.0)
    np.testing.assert_array_equal(mixed[:RATE_HZ], background[:RATE_HZ])
    np.testing.assert_allclose(mixed[RATE_HZ : RATE_HZ + RATE_HZ // 2], fault.samples + 0.01, atol=1e-6)
    np.testing.assert_array_equal(mixed[RATE_HZ + RATE_HZ // 2 :], background[RATE_HZ + RATE_HZ // 2 :])
    assert background.max() == np.float32(0.01)


def test_inject_outside_the_recording_or_too_loud_refuses() -> None:
    background = np.zeros(RATE_HZ, np.float32)
    with pytest.raises(ValueError, match="does not fit"):
        inject(background, tone_fault(RATE_HZ, 0, seconds=0.5), 0.6)
    with pytest.raises(ValueError, match="clip"):
        inject(background + 0.9, knock_fault(RATE_HZ, 0, peak=0.5), 0.1)


def test_valve_clicks_come_at_their_period() -> None:
    clicks = valve_clicks(6.0, RATE_HZ, np.random.default_rng(0), period_s=0.5, jitter=0.0)
    envelope = np.abs(clicks).reshape(-1, 160).max(axis=1)  # 5 ms
    envelope -= envelope.mean()
    correlation = np.correlate(envelope, envelope, "full")[len(envelope) - 1 :]
    assert np.argmax(correlation[80:120]) + 80 == pytest.approx(100, abs=1)


def test_room_kernel_starts_with_the_direct_sound_and_dies_away() -> None:
    kernel = room_kernel(RATE_HZ, np.random.default_rng(0), reverberation_s=0.3)
    assert kernel.shape == (round(0.3 * RATE_HZ),)
    assert np.argmax(np.abs(kernel)) == 0
    assert np.sum(kernel**2) == pytest.approx(1.0, rel=1e-4)
    early, late = kernel[100 : len(kernel) // 4], kernel[-len(kernel) // 4 :]
    assert np.mean(late**2) < 1e-3 * np.mean(early**2)


def test_microphone_with_too_much_gain_never_reaches_full_scale() -> None:
    loud = np.sin(np.arange(3200) * 0.1).astype(np.float32)
    heard = hear(loud, np.random.default_rng(0), gain_db=20.0)
    assert np.max(np.abs(heard)) < 1.0
