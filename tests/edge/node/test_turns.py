from __future__ import annotations

from edge.node.turns import Turns


def served(turns: Turns, costs: dict[str, float], busy: set[str], until_s: float) -> dict[str, float]:
    """What each source got of the worker's time when those in `busy` always have something to do."""
    got = dict.fromkeys(costs, 0.0)
    while sum(got.values()) < until_s:
        name = next(name for name in turns.order() if name in busy)
        turns.spend(name, costs[name])
        got[name] += costs[name]
    return got


def test_turns_slow_source_cannot_starve_the_others() -> None:
    got = served(Turns(["slow", "quick", "quicker"]), {"slow": 1.0, "quick": 0.1, "quicker": 0.05}, {"slow", "quick", "quicker"}, 90.0)
    assert all(29.0 <= seconds <= 31.0 for seconds in got.values())


def test_turns_quick_source_that_keeps_up_waits_for_one_step_of_the_slow_one_at_most() -> None:
    turns = Turns(["slow", "quick"])
    turns.spend("slow", 1.0)
    assert turns.order()[0] == "quick"


def test_turns_source_that_was_idle_saves_nothing_up() -> None:
    costs = {"a": 0.5, "b": 0.5}
    turns = Turns(list(costs))
    served(turns, costs, {"a"}, 3600.0)
    got = served(turns, costs, {"a", "b"}, 10.0)
    assert got == {"a": 5.0, "b": 5.0}


def test_turns_equal_sources_go_round() -> None:
    turns = Turns(["a", "b", "c"])
    order = []
    for _ in range(6):
        order.append(turns.order()[0])
        turns.spend(order[-1], 0.25)
    assert order == ["a", "b", "c"] * 2
