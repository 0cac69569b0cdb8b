"""The page in a real Chromium, with a real Mosquitto and a real `auscult run`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml
from selenium.webdriver.common.keys import Keys

from benchmarks.simulated_fleet import SimulatedFleet
from edge.dashboard.settings import parse_address
from edge.remote.seal import unsealed
from export.synthesis import inject, tone_fault
from tests.broker import HOST, Broker
from tests.browser import Browser
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.edge.dashboard.served import Client, serving
from tests.edge.remote.remote_node import PROJECT, started

APPEARS_S = 2.0
PASSWORD = "correct horse"


@pytest.fixture
def fleet(broker: Broker) -> Iterator[SimulatedFleet]:
    with SimulatedFleet(HOST, broker.port, {"hall1": ["pump1", "fan"]}) as fleet:
        yield fleet


@pytest.fixture
def client(broker: Broker, tmp_path: Path) -> Iterator[Client]:
    with serving(broker, tmp_path) as client:
        yield client


@pytest.mark.slow
def test_event_of_a_real_node_appears_is_heard_and_marked(
    broker: Broker, machine: CalibratedMachine, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    sound, clips = tmp_path / "stream.wav", tmp_path / "clips"
    soundfile.write(sound, inject(machine.samples, tone_fault(RATE_HZ, 1, 4.0, 3000.0), 14.0), RATE_HZ, subtype="PCM_16")
    config: dict[str, Any] = {
        "node": "test",
        "mqtt": {"host": HOST, "port": broker.port},
        "sources": {"pump1": {"bundle": str(machine.bundle), "files": {"paths": [str(sound)], "realtime": True, "loop": True}}},
        "outbox": {"path": "outbox.sqlite"},
        "health": {"interval_s": 1},
        "commands": {"enabled": True},
        "clips": {"enabled": True, "folder": "clips", "before_s": 2, "after_s": 1},
        "events": {"cooldown_s": 1},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    with (
        serving(broker, tmp_path, node="test", clips=clips) as client,
        started([PROJECT / "auscult.py", "run", "--config", path], broker) as node,
    ):
        node.wait_for(lambda: node.subscriber.of("/health") and node.last("health")["commands"]["state"] == "subscribed")
        browser.open(client.dashboard.url)
        browser.wait("a.machine")

        seen = len(node.events())
        node.wait_for(lambda: any(event["type"] == "opened" for event in node.events()[seen:]))
        began_s = time.monotonic()
        browser.wait("a.machine.alarm[data-key='test/pump1']", APPEARS_S)
        assert time.monotonic() - began_s < APPEARS_S
        event = next(event for event in node.events()[seen:] if event["type"] == "opened")
        node.wait_for(lambda: any(one["id"] == event["id"] and one["type"] == "closed" for one in node.events()))
        closed = next(one for one in node.events() if one["id"] == event["id"] and one["type"] == "closed")
        node.wait_for((clips / closed["clip"]).exists)
        node.wait_for((clips / closed["clip"]).with_suffix(".json").exists)

        browser.open(f"{client.dashboard.url}#/event/test/pump1/{event['id']}")
        browser.wait_text(".summary", "kHz")
        assert any(region["f_lo_hz"] <= 3000.0 <= region["f_hi_hz"] for region in closed["regions"])
        browser.wait("table td")
        browser.wait("audio")
        ready = "const audio = document.querySelector('audio'); return audio.readyState >= 1 && audio.duration > 4"
        browser.until(lambda: browser.run(ready), "the sound of the clip")
        words = "return document.querySelector('[aria-label=Pictures] [role=status]').textContent"
        browser.until(lambda: "from the clip" in str(browser.run(words)), "the spectrogram of the clip")

        browser.wait("#note").send_keys("a loose belt")
        browser.wait("button.real").click()
        browser.wait_text(".answer.good", "Kept on test as “Real”.")
        browser.wait("button.real[aria-pressed=true]")
        marks = [json.loads(line) for line in _lines(tmp_path / "state" / "marks.jsonl")]
        assert [(mark["event"], mark["verdict"], mark["note"]) for mark in marks] == [(event["id"], "real", "a loose belt")]

        browser.open(f"{client.dashboard.url}#/events?verdict=real")
        browser.wait_text(".events", "a loose belt")

        # Last: from here on the node sends cells, and the picture of an event is made of them rather than of its clip.
        browser.open(f"{client.dashboard.url}#/source/test/pump1")
        browser.until(lambda: browser.run("return !document.querySelector('.notice:not([hidden])')"), "live cells")
        assert browser.errors() == []


def _lines(path: Path) -> list[str]:
    """The JSON of each line, which has a checksum beside it."""
    return [unsealed(line, path.name).decode() for line in path.read_bytes().splitlines()]


def test_live_picture_scrolls_while_it_is_seen_and_ends_when_it_is_not(fleet: SimulatedFleet, client: Client, browser: Browser) -> None:
    def watches() -> list[int]:
        return [asked["seconds"] for _, verb, asked in fleet.commands if verb == "watch"]

    browser.open(f"{client.dashboard.url}#/source/hall1/pump1")
    browser.until(lambda: browser.run("return document.querySelector('.notice')?.hidden"), "live cells")
    look = "return document.querySelector('canvas.picture').toDataURL()"
    first = browser.run(look)
    browser.until(lambda: browser.run(look) != first, "a picture that moves")
    assert watches() == [60]
    window = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    browser.until(lambda: watches() == [60, 0], "the end of watching in a hidden tab")
    browser.driver.close()
    browser.driver.switch_to.window(window)
    browser.until(lambda: watches() == [60, 0, 60], "watching again")
    browser.wait("a[href='#/']").click()
    browser.until(lambda: watches() == [60, 0, 60, 0], "the end of watching on another page")
    assert browser.errors() == []


def test_broker_and_server_may_go_and_the_page_says_so(fleet: SimulatedFleet, broker: Broker, browser: Browser, tmp_path: Path) -> None:
    with serving(broker, tmp_path) as client:
        url, address = client.dashboard.url, client.host
        browser.open(url)
        browser.wait("a.machine.fine")
        broker.stop()
        browser.wait_text("#banner", "no connection to the broker since")
        broker.start()
        browser.wait_text("#banner", "The broker is back; nothing was heard for")
        browser.wait("a.machine.fine")
    browser.wait_text("#banner", "No connection to the dashboard since")
    with serving(broker, tmp_path, address=parse_address(address)):
        browser.wait_text("#banner", "Connected again after")
        browser.wait("a.machine.fine")
        event_id = fleet.fail("hall1", "fan", 5.0, 500.0, 900.0)
        browser.wait("a.machine.alarm[data-key='hall1/fan']")
        assert event_id
    assert browser.errors() == []


def test_password_is_asked_for_and_forgotten(fleet: SimulatedFleet, broker: Broker, browser: Browser, tmp_path: Path) -> None:
    with serving(broker, tmp_path, PASSWORD) as client:
        browser.open(f"{client.dashboard.url}#/events")
        browser.wait("#password").send_keys("wrong horse", Keys.ENTER)
        browser.wait_text(".answer", "Wrong password.")
        browser.wait("#password").send_keys(PASSWORD, Keys.ENTER)
        browser.wait(".filter")
        browser.wait("#logout").click()
        browser.wait("#password")
        browser.open(client.dashboard.url)
        browser.wait("#password")
        refused = [error for error in browser.errors() if "403" not in error and "401" not in error]
        assert refused == []


def test_keys_lead_everywhere(fleet: SimulatedFleet, client: Client, browser: Browser) -> None:
    first, second = (fleet.fail("hall1", name, 1.0, 500.0, 900.0) for name in ("fan", "pump1"))
    browser.open(client.dashboard.url)
    browser.wait("a.machine[data-key='hall1/fan']")
    browser.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert browser.run("return document.activeElement.dataset.key") == browser.all("a.machine")[1].get_attribute("data-key")
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    browser.keys(Keys.ENTER)
    browser.wait(".page-source h1")
    browser.keys("e")
    browser.wait(f".page-events a[data-event='{first}']")
    browser.keys(Keys.ARROW_DOWN, Keys.ENTER)
    browser.wait(".page-event h1")
    browser.keys(Keys.ESCAPE)
    browser.wait(f".page-events a[data-event='{second}']")
    browser.keys("?")
    browser.wait("dialog[open]")
    browser.keys(Keys.ESCAPE, "m")
    browser.wait("a.machine")
    assert browser.errors() == []


def test_times_are_those_of_the_browser_and_the_filter_takes_them_so(fleet: SimulatedFleet, client: Client, browser: Browser) -> None:
    event_id = fleet.fail("hall1", "fan", 1.0, 500.0, 900.0)
    browser.like(zone="Asia/Kolkata")
    browser.open(f"{client.dashboard.url}#/events")
    link = browser.wait(f"a[data-event='{event_id}']")
    begun = client.get("/api/events").json()["events"][0]["t_start"]
    expected = time.strftime("%H:%M:%S", time.gmtime(begun + 5.5 * 3600.0))
    assert expected in link.text
    assert "Asia/" in browser.text()
    for minutes, is_there in ((-5, True), (5, False)):
        at = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(begun + 5.5 * 3600.0 + 60.0 * minutes))
        browser.open(f"{client.dashboard.url}#/events?from={at}")
        browser.wait_text(".summary", "1 event" if is_there else "No event fits")
    browser.open(f"{client.dashboard.url}#/events?f_lo=600&f_hi=800")
    browser.wait_text(".summary", "1 event")
    csv = browser.run("return document.querySelector('a[download]').href")
    found = browser.driver.execute_async_script("fetch(arguments[0]).then((r) => r.text()).then(arguments[1])", csv)
    assert event_id in found
    assert browser.errors() == []


def test_what_a_node_says_is_never_markup(broker: Broker, fleet: SimulatedFleet, client: Client, browser: Browser) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    fleet.silence("hall1", "fan", evil)
    browser.open(client.dashboard.url)
    assert evil in browser.wait_text("a.machine.offline", "<img").text
    assert browser.all("main img") == []
    browser.open(f"{client.dashboard.url}#/event/hall1/%3Cimg%20src=x%3E/01HF")
    browser.wait("h1")
    assert browser.all("main img") == []
    assert browser.errors() == []


def test_script_that_is_not_the_page_s_does_not_run(fleet: SimulatedFleet, client: Client, browser: Browser) -> None:
    browser.open(client.dashboard.url)
    browser.wait("a.machine")
    with pytest.raises(Exception, match="TrustedHTML"):
        browser.run("document.body.innerHTML = '<img src=x>'")
    browser.run("const s = document.createElement('script'); try { s.text = 'window.evil = 1'; document.head.append(s); } catch {}")
    assert browser.run("return window.evil") is None
