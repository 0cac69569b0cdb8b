from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.audio.ring import Ring

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 25)),
        st.tuples(st.just("read"), st.one_of(st.none(), st.integers(0, 25))),
    ),
    max_size=40,
)


@given(capacity=st.integers(1, 12), channels=st.sampled_from([None, 1, 2]), steps=STEPS)
def test_ring_any_writes_and_reads_equals_a_list(capacity: int, channels: int | None, steps: list[tuple[str, int | None]]) -> None:
    ring = Ring(capacity, channels)
    written: list[float] = []  # the slow reference: everything ever written, and the reader's position
    position = 0
    for step, count in steps:
        if step == "write":
            assert count is not None
            new = np.arange(len(written), len(written) + count, dtype=np.float32)
            ring.write(new if channels is None else np.stack([new * (channel + 1) for channel in range(channels)], axis=1))
            written += new.tolist()
        else:
            oldest = max(position, len(written) - capacity)
            stop = len(written) if count is None else min(len(written), oldest + count)
            assert ring.available == min(len(written) - position, capacity)
            reading = ring.read(count)
            expected = np.array(written[oldest:stop], np.float32)
            assert reading.start == oldest
            assert reading.lost == oldest - position
            for channel in range(channels or 1):
                got = reading.samples if channels is None else reading.samples[:, channel]
                np.testing.assert_array_equal(got, expected * (channel + 1))
            position = stop
    assert ring.end == len(written)


def test_ring_read_returns_memory_of_its_own() -> None:
    ring = Ring(4)
    ring.write(np.ones(4, np.float32))
    samples = ring.read().samples
    ring.write(np.zeros(4, np.float32))
    np.testing.assert_array_equal(samples, np.ones(4))


def test_ring_without_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Ring(0)


def test_ring_writer_and_reader_at_once_never_mixes_old_and_new() -> None:
    ring = Ring(1000)
    total = 400_000

    def write() -> None:
        position = 0
        while position < total:
            count = min(1 + position % 700, total - position)
            ring.write(np.arange(position, position + count, dtype=np.float32))
            position += count

    writer = threading.Thread(target=write)
    writer.start()
    seen = lost = 0
    while seen + lost < total:
        reading = ring.read(300)
        lost += reading.lost
        assert reading.start == seen + lost
        seen += len(reading.samples)
        np.testing.assert_array_equal(reading.samples, np.arange(reading.start, reading.start + len(reading.samples), dtype=np.float32))
    writer.join()
    assert seen + lost == total
    assert ring.read().samples.size == 0


def test_ring_overwritten_while_it_is_read_counts_it_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Ring(10)
    ring.write(np.arange(10, dtype=np.float32))
    copy = ring._copy

    def copy_slowly(start: int, stop: int) -> np.ndarray:
        samples = copy(start, stop)
        ring.write(np.arange(10, 14, dtype=np.float32))
        return samples

    monkeypatch.setattr(ring, "_copy", copy_slowly)
    first = ring.read()
    monkeypatch.undo()
    second = ring.read()
    assert (first.start, first.lost, first.samples.tolist()) == (4, 4, [4, 5, 6, 7, 8, 9])
    assert (second.start, second.lost, second.samples.tolist()) == (10, 0, [10, 11, 12, 13])
    assert all(before < after for before, after in pairwise(first.samples.tolist() + second.samples.tolist()))
