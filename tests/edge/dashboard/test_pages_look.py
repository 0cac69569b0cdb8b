"""Every page on a desk and on a phone, light and dark: pictures for people, and what a machine can judge of them.

`--screenshots DIR` says where the pictures go; three of them stand in the documentation.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.simulated_fleet import SimulatedFleet
from edge.dashboard.history import History
from edge.dashboard.messages import Event, Region
from edge.dashboard.settings import DashboardSettings
from edge.judgement.ulid import new_ulid
from edge.mqtt.timestamp import timestamp
from tests.broker import HOST, Broker
from tests.browser import CONTRAST, UNNAMED, Browser
from tests.edge.dashboard.served import Client, served, settings, wait_for

SOURCES = {"hall1": ["pump1", "pump2", "fan-roof", "compressor"], "hall2": ["mill", "press", "gearbox-3"]}
DAY_S = 86_400.0
SCREENS = ("light", "dark", "phone", "phone-dark")


def remember(chosen: DashboardSettings) -> None:
    """A month of scores, and some events that were judged."""
    rng = random.Random(4)
    history = History(chosen.history, 60.0, 50.0)
    history.open()
    now_s = time.time()
    gap_s = now_s - 0.45 * DAY_S
    history.add_gap(gap_s, gap_s + 2400.0, "no connection to the broker (connection refused)")
    for node, sources in SOURCES.items():
        for index, source in enumerate(sources):
            faults = [now_s - rng.uniform(2.0, 26.0) * DAY_S for _ in range(index)]
            faults += [now_s - rng.uniform(0.2, 0.9) * DAY_S] if index < 2 else []
            at_s = now_s - 31.0 * DAY_S
            while at_s < now_s - 60.0:
                at_s += 600.0 if at_s < now_s - DAY_S else 60.0
                if gap_s < at_s < gap_s + 2400.0:
                    continue
                daily = 0.1 * math.sin(2.0 * math.pi * at_s / DAY_S) + 0.05 * index
                is_wrong = any(abs(at_s - fault_s) < 500.0 for fault_s in faults)
                score = rng.uniform(1.5, 3.5) if is_wrong else max(0.05, 0.4 + daily + rng.gauss(0.0, 0.06))
                history.buckets.add(node, source, at_s, score, above=score > 1.0)
            for fault_s in faults:
                low_hz = rng.choice([310.0, 870.0, 2100.0, 4200.0])
                region = Region(t0_s=0.0, t1_s=9.0, f_lo_hz=low_hz, f_hi_hz=1.5 * low_hz, score=2.6)
                event = Event(
                    id=new_ulid(),
                    type="closed",
                    t_start=timestamp(fault_s),
                    t_end=timestamp(fault_s + rng.uniform(3.0, 200.0)),
                    peak_score=rng.uniform(1.4, 4.0),
                    regions=[region],
                )
                history.events.put(node, source, event)
                verdict = "real" if rng.random() < 0.5 else "false_alarm"
                note = "belt replaced" if verdict == "real" else "somebody hammered next to it"
                history.events.mark(node, source, event.id, verdict, note, fault_s + 3600.0)  # type: ignore[arg-type]
    history.close()


@contextmanager
def watching(client: Client, query: str) -> Iterator[None]:
    """Be a page that is open."""
    connection = client.connection()
    connection.request("GET", f"/api/live{query}", headers={"Cookie": client.cookie})
    page = connection.getresponse()
    is_open = True

    def read() -> None:
        while is_open and page.read1(65536):
            pass

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        is_open = False
        thread.join()
        connection.close()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, str]]:
    """A fleet with every kind of trouble, and the event of one fault that was watched."""
    folder = tmp_path_factory.mktemp("look")
    broker = Broker(folder)
    broker.start()
    chosen = settings(broker, folder)
    remember(chosen)
    try:
        with SimulatedFleet(HOST, broker.port, SOURCES, seed=1) as fleet, served(chosen) as client:
            client.session()
            wait_for(lambda: len(client.get("/api/fleet").json()["sources"]) == 7 or None)
            with watching(client, "?node=hall1&source=pump1"):
                time.sleep(14.0)
                event_id = fleet.fail("hall1", "pump1", 12.0, 2100.0, 3400.0, 3.4)
                fleet.fail("hall2", "mill", 2.0, 300.0, 800.0, 2.1)
                fleet.silence("hall2", "press", "the microphone is silent: -96 dBFS for 30 s; check its cable")
                fleet.learn("hall1", "fan-roof", 9000.0)
                fleet.warn("hall1", "compressor", "0.4 % of the samples are clipped: turn the gain down")
                time.sleep(22.0)
                fleet.fail("hall1", "pump1", 600.0, 2100.0, 3400.0, 3.4)
                yield client, event_id
    finally:
        broker.stop()


@pytest.mark.slow
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("page", ["machines", "source", "event", "events", "login"])
def test_page_is_legible_and_in_order(page: str, screen: str, shown: tuple[Client, str], browser: Browser, screenshots: Path) -> None:
    client, event_id = shown
    browser.like(dark="dark" in screen, phone="phone" in screen)
    paths = {
        "machines": "",
        "source": "#/source/hall1/pump1",
        "event": f"#/event/hall1/pump1/{event_id}",
        "events": "#/events",
        "login": "",
    }
    browser.open(f"{client.dashboard.url}{paths[page]}")
    ready = {
        "machines": "a.machine.alarm",
        "source": ".page-source .events a",
        "event": ".page-event table td",
        "events": ".page-events .events a",
        "login": "a.machine",
    }
    browser.wait(ready[page])
    if page == "login":
        browser.run("document.getElementById('logout').hidden = false; document.getElementById('logout').click()")
        browser.wait("#password")
    if page == "source":
        browser.until(lambda: browser.run("return document.querySelector('.notice').hidden"), "live cells")
        time.sleep(6.0)
    time.sleep(0.8)  # of canvases that are drawn, and bars that move
    browser.screenshot(screenshots / f"{page}-{screen}.png")
    assert browser.run(CONTRAST) == []
    assert browser.run(UNNAMED) == []
    wide = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0
    assert browser.errors() == []
