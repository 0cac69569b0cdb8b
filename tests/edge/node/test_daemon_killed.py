"""The daemon and its broker, killed at bad moments: nothing is lost, nothing is counted twice, no event stays open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.broker import Broker, Subscriber
from tests.edge.node.test_daemon import RATE_HZ, check_payloads, daemon, decoded, finished


@pytest.fixture
def loud(tmp_path: Path) -> Path:
    """Half a second of noise that is an event for as long as it is played."""
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.9, 0.9, RATE_HZ), RATE_HZ)
    return path


@pytest.fixture
def knocks(tmp_path: Path) -> Path:
    """Half a second loud, half a second quiet: an event per second."""
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, RATE_HZ)
    samples[: RATE_HZ // 2] *= 7.0
    path = tmp_path / "knocks.wav"
    soundfile.write(path, samples, RATE_HZ)
    return path


def check_events(subscriber: Subscriber) -> list[dict[str, Any]]:
    """What every subscriber may rely on: no gap once the repetitions are taken out, and each event opened and closed once."""
    seen: dict[int, dict[str, Any]] = {}
    for event in decoded(subscriber, "/event"):
        if event["seq"] in seen:
            assert event["replayed"], "a repetition that does not say so"
            assert event == {**seen[event["seq"]], "replayed": True}
        else:
            seen[event["seq"]] = event
    first = next(iter(seen))
    assert list(seen) == list(range(first, first + len(seen)))
    assert len({event["epoch"] for event in seen.values()}) == 1
    types: dict[str, list[str]] = {}
    for event in seen.values():
        types.setdefault(event["id"], []).append(event["type"])
    assert all(kinds in (["opened", "closed"], ["opened"]) for kinds in types.values())
    assert all(kinds == ["opened", "closed"] for kinds in list(types.values())[:-1])
    return list(seen.values())


def test_daemon_killed_in_the_middle_of_an_event_the_next_run_closes_it(broker: Broker, loud: Path, tmp_path: Path) -> None:
    with broker.subscriber() as subscriber:
        for run in range(3):
            with daemon(tmp_path, broker.port, files=[str(loud)], realtime=True, loop=True) as process:
                subscriber.wait_for(lambda s, run=run: s.texts("/event") and len(check_events(s)) == 2 * run + 1)  # type: ignore[misc]
                process.kill()
        with daemon(tmp_path, broker.port, files=[str(loud)], realtime=True, loop=True) as process:
            subscriber.wait_for(lambda s: len(check_events(s)) == 7)
            process.terminate()
            code, log = finished(process)
            assert code == 0
            assert "pump1: the last run ended in the middle of an event; closing it" in log
        subscriber.wait_for(lambda s: len(check_events(s)) == 8)
    check_payloads(subscriber.messages)
    events = check_events(subscriber)
    assert [(event["type"], event["interrupted"]) for event in events] == [("opened", False), ("closed", True)] * 3 + [
        ("opened", False),
        ("closed", False),
    ]
    assert all(closed["t_start"] == opened["t_start"] for opened, closed in zip(events[::2], events[1::2], strict=True))
    assert subscriber.texts("/state")[-1] == "OFF"


@pytest.mark.slow
def test_daemon_and_broker_killed_in_turn_no_event_is_missing(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    files = [str(knocks)] * 20
    broker.kill()
    with daemon(tmp_path, broker.port, files=files) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if b"end of the stream" in line:
                break
        process.kill()  # while it waits for the broker to come
    broker.start()
    with broker.subscriber() as subscriber:
        with daemon(tmp_path, broker.port, files=files, realtime=True) as process:
            subscriber.wait_for(lambda s: s.texts("/event") and not decoded(s, "/event")[-1]["replayed"])
            process.kill()
        with daemon(tmp_path, broker.port, files=files) as process:
            code, log = finished(process)
            assert code == 0, log
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"] * 2)
    check_payloads(subscriber.messages)
    events = check_events(subscriber)
    assert events[0]["replayed"]
    assert not decoded(subscriber, "/event")[-1]["replayed"]
    assert [event["type"] for event in events[-40:]] == ["opened", "closed"] * 20  # all of the last run


def test_daemon_second_with_the_same_outbox_is_one_line_and_exit_2(broker: Broker, loud: Path, tmp_path: Path) -> None:
    with broker.subscriber() as subscriber, daemon(tmp_path, broker.port, files=[str(loud)], realtime=True, loop=True):
        subscriber.wait_for(lambda s: s.texts("/status") == ["online"])
        with daemon(tmp_path, broker.port, files=[str(loud)]) as second:
            code, log = finished(second)
    assert (code, log.count("\n")) == (2, 1), log
    assert log.startswith(f"auscult: {tmp_path}/outbox.sqlite: in use by another auscult")


def test_daemon_damaged_outbox_is_set_aside_and_the_daemon_continues(broker: Broker, knocks: Path, tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").write_text("ruined")
    with broker.subscriber() as subscriber, daemon(tmp_path, broker.port, files=[str(knocks)]) as process:
        code, log = finished(process)
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])
    assert code == 0
    assert log.count("set aside as outbox.sqlite.corrupt-") == 1
    assert [event["type"] for event in decoded(subscriber, "/event")] == ["opened", "closed"]
