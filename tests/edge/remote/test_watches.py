"""Who watches what, and until when."""

from __future__ import annotations

from edge.remote.watches import Watches
from tests.edge.remote.clocks import Clocks


def test_watches_end_by_the_clock_that_nobody_sets() -> None:
    clocks = Clocks()
    watches = Watches(clocks.now, clocks.wall)
    assert not watches.is_watched("pump1")
    watches.set("pump1", 60.0)
    clocks.pass_by(59.0)
    clocks.wall_s = 1e10
    assert watches.is_watched("pump1")
    assert watches.until_s("pump1") == 1e10 + 1.0
    assert not watches.is_watched("fan2")
    clocks.pass_by(1.0)
    clocks.wall_s = 0.0
    assert not watches.is_watched("pump1")
    assert watches.until_s("pump1") is None


def test_watches_renewed_go_on_and_nobody_cuts_another_short() -> None:
    clocks = Clocks()
    watches = Watches(clocks.now, clocks.wall)
    watches.set("pump1", 300.0)
    watches.set("pump1", 10.0)
    clocks.pass_by(200.0)
    assert watches.is_watched("pump1")
    watches.set("pump1", 300.0)
    clocks.pass_by(299.0)
    assert watches.is_watched("pump1")


def test_watches_zero_ends_it() -> None:
    clocks = Clocks()
    watches = Watches(clocks.now, clocks.wall)
    watches.set("pump1", 300.0)
    watches.set("fan2", 300.0)
    watches.set("pump1", 0.0)
    watches.set("press3", 0.0)
    assert [watches.is_watched(source) for source in ("pump1", "fan2", "press3")] == [False, True, False]
