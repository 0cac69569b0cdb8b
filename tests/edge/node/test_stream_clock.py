from __future__ import annotations

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
