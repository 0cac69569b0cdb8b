from __future__ import annotations

import numpy as np
import pytest

from edge.node.stream_clock import StreamClock


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.monotonic_s = 100.0
        self.wall_s = 1_800_000_000.0

    def pass_(self, seconds: float) -> None:
        self.monotonic_s += seconds
        self.wall_s += seconds

    def clock(self, live: bool) -> StreamClock:
        return StreamClock(live, lambda: self.monotonic_s, lambda: self.wall_s)


def test_stream_clock_live_stamps_when_the_sound_was_heard() -> None:
    time = Time()
    clock = time.clock(live=True)
    time.pass_(1.0)
    clock.arrived(1.0)
    time.pass_(0.4)  # of work
    assert clock.behind_s(1.0) == pytest.approx(0.4)
    assert clock.stamp(0.0) == "2027-01-15T08:00:00.000Z"
    assert clock.stamp(1.0) == "2027-01-15T08:00:01.000Z"


def test_stream_clock_late_block_is_lag_and_no_new_anchor() -> None:
    time = Time()
    clock = time.clock(live=True)
    for second in range(1, 11):
        time.pass_(1.0)
        clock.arrived(float(second))
    time.pass_(3.0)
    clock.arrived(11.0)
    assert clock.behind_s(11.0) == pytest.approx(2.0, abs=0.01)


def test_stream_clock_crystal_that_runs_slow_is_followed() -> None:
    time = Time()
    clock = time.clock(live=True)
    for second in range(1, 100_001, 10):
        time.pass_(10.0 * (1 + 100e-6))
        clock.arrived(float(second))
    assert clock.behind_s(99_991.0) < 0.1


def test_stream_clock_device_that_gives_47900_samples_for_48000_is_measured_and_stamped_right() -> None:
    rng = np.random.default_rng(0)
    time = Time()
    clock = time.clock(live=True)
    rate = 47_900 / 48_000
    began_s = time.wall_s
    for block in range(1, 36_001):  # five hours of half seconds
        heard_s = began_s - 1_800_000_000.0 + 100.0 + 0.5 * block
        time.pass_(heard_s - time.monotonic_s)
        clock.arrived(0.5 * block * rate, heard_s + rng.exponential(0.01))
    assert clock.drift is not None
    assert 48_000 / (1 + clock.drift) == pytest.approx(47_900, abs=1)
    assert clock.behind_s(0.5 * 36_000 * rate) < 0.05
    assert "2027-01-15T12:59:59.950Z" < clock.stamp(0.5 * 36_000 * rate) < "2027-01-15T13:00:00.050Z"


def test_stream_clock_worker_that_falls_behind_is_lag_and_no_slow_device() -> None:
    time = Time()
    clock = time.clock(live=True)
    for second in range(1, 121):  # each block is taken when its turn comes, and tells when it was heard
        time.pass_(1.5)
        clock.arrived(float(second), 100.0 + second)
    assert clock.drift == pytest.approx(0.0, abs=1e-9)
    assert clock.behind_s(120.0) == pytest.approx(60.0, abs=0.1)


def test_stream_clock_sound_that_was_lost_uncounted_moves_the_stamps() -> None:
    time = Time()
    clock = time.clock(live=True)
    for second in range(1, 61):
        time.pass_(1.0)
        clock.arrived(float(second), time.monotonic_s)
    time.pass_(5.0)  # of which the driver said nothing
    for second in range(61, 91):
        time.pass_(1.0)
        clock.arrived(float(second), time.monotonic_s)
    assert clock.behind_s(90.0) == pytest.approx(0.0, abs=0.02)


def test_stream_clock_device_opened_again_is_stamped_from_what_it_gives_then() -> None:
    time = Time()
    clock = time.clock(live=True)
    clock.arrived(1.0, 101.0)
    clock.restart()
    time.pass_(30.0)
    before = clock.stamp(1.0)
    clock.arrived(20.0, 130.0)  # half of what it was away for was never counted
    assert clock.behind_s(20.0) == pytest.approx(0.0)
    assert before == "2027-01-15T08:00:01.000Z"
    assert clock.stamp(20.0) == "2027-01-15T08:00:30.000Z"


@pytest.mark.parametrize("hours", [-5, 5])
def test_stream_clock_wall_clock_that_jumps_leaves_what_keeps_its_offset(hours: int) -> None:
    time = Time()
    clock = time.clock(live=True)
    time.pass_(1.0)
    clock.arrived(1.0)
    offset_s = clock.wall_offset_s()
    time.wall_s += 3600.0 * hours
    time.pass_(1.0)
    clock.arrived(2.0)
    assert clock.stamp(2.0, offset_s) == "2027-01-15T08:00:02.000Z"
    assert clock.stamp(2.0) == f"2027-01-15T{8 + hours:02}:00:02.000Z"
    assert clock.behind_s(2.0) == 0.0


def test_stream_clock_wall_clock_set_after_boot_stamps_with_the_new_time() -> None:
    time = Time()
    time.wall_s = 0.0
    clock = time.clock(live=True)
    time.pass_(1.0)
    clock.arrived(1.0)
    assert clock.stamp(1.0) == "1970-01-01T00:00:01.000Z"
    time.wall_s = 1_800_000_001.0
    assert clock.stamp(1.0) == "2027-01-15T08:00:01.000Z"


def test_stream_clock_file_counts_from_the_start_however_fast_it_is_read() -> None:
    time = Time()
    clock = time.clock(live=False)
    clock.arrived(60.0)
    time.pass_(0.5)
    clock.arrived(120.0)
    time.pass_(0.1)
    assert clock.stamp(100.0) == "2027-01-15T08:01:40.000Z"
    assert clock.behind_s(100.0) == pytest.approx(0.1)
