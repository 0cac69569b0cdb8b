from __future__ import annotations

import pytest

from edge.node.losses import Losses


def test_losses_are_reported_at_once_and_then_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    losses = Losses("pump1", lambda: now_s)
    for second in range(121):
        now_s = float(second)
        losses.lost(0.25)
    assert caplog.messages == [f"pump1: {seconds} s of sound were lost" for seconds in ("0.25", "15.00", "15.00")]
    assert (losses.lost_s, losses.shed_s) == (30.25, 0.0)


def test_losses_shed_is_lost_too_and_an_outage_is_not_reported_again(caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses("pump1")
    losses.shed(4.5)
    losses.away(3600.0)
    assert (losses.lost_s, losses.shed_s) == (3604.5, 4.5)
    assert len(caplog.messages) == 1
    assert "inference is slower than the sound; 4.50 s were left out" in caplog.messages[0]


def test_losses_of_the_last_minute_are_what_was_shed_lately() -> None:
    now_s = [0.0]
    losses = Losses("pump1", lambda: now_s[0])
    for now_s[0] in (0.0, 40.0, 80.0):
        losses.shed(4.5)
        losses.lost(1.0)
    assert (losses.shed_s, losses.shed_lately_s) == (13.5, 9.0)
    now_s[0] = 141.0
    assert (losses.shed_s, losses.shed_lately_s) == (13.5, 0.0)
