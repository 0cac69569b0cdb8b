from __future__ import annotations

import random

from edge.mqtt.backoff import Backoff


def test_backoff_bound_doubles_up_to_the_longest() -> None:
    class Upper(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    backoff = Backoff(1.0, 10.0, Upper())
    assert [backoff.next_s() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    backoff.reset()
    assert backoff.next_s() == 1.0


def test_backoff_many_nodes_spread_over_the_whole_wait() -> None:
    waits_s = []
    for seed in range(200):
        backoff = Backoff(8.0, 8.0, random.Random(seed))
        waits_s.append(backoff.next_s())
    assert min(waits_s) < 0.5
    assert max(waits_s) > 7.5
    assert 3.0 < sum(waits_s) / len(waits_s) < 5.0
