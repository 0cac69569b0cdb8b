"""The server, on a real Mosquitto, asked over real HTTP. What the nodes say is published by a simulated fleet."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.publish import single

from benchmarks.simulated_fleet import SimulatedFleet
from tests.broker import HOST, Broker, MakeBroker
from tests.certificates import Authority
from tests.edge.dashboard.served import Client, serving, wait_for

SOURCES = {"hall1": ["pump1", "fan"], "hall2": ["mill"]}


@pytest.fixture
def fleet(broker: Broker) -> Iterator[SimulatedFleet]:
    with SimulatedFleet(HOST, broker.port, SOURCES) as fleet:
        yield fleet


def machines(client: Client) -> dict[str, Any]:
    return {found["key"]: found for found in client.get("/api/fleet").json()["sources"]}


def need(client: Client, key: str, wanted: str) -> Any:
    """Wait until a machine has a need."""

    def look() -> Any:
        found = machines(client).get(key)
        return found if found is not None and found["need"] == wanted else None

    return wait_for(look)


def live(client: Client, query: str, kinds: set[str], seconds: float = 10.0) -> dict[str, Any]:
    """The first message of each kind that an open page is sent."""
    connection = client.connection()
    connection.request("GET", f"/api/live{query}", headers={"Cookie": client.cookie})
    response = connection.getresponse()
    assert response.status == 200
    found: dict[str, Any] = {}
    kind, deadline_s = "", time.monotonic() + seconds
    while kinds - set(found):
        assert time.monotonic() < deadline_s, f"{kinds - set(found)} did not come"
        line = response.readline().decode().strip()
        if line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: "):
            found.setdefault(kind, json.loads(line[6:]))
    connection.close()
    return found


def test_fleet_shows_what_needs_a_person_first_with_the_reason(fleet: SimulatedFleet, broker: Broker, tmp_path: Path) -> None:
    with serving(broker, tmp_path) as client:
        wait_for(lambda: len(machines(client)) == 3 or None)
        fleet.fail("hall1", "fan", 30.0, 2000.0, 3000.0)
        fleet.silence("hall2", "mill", "the microphone is silent")
        assert need(client, "hall1/fan", "alarm")["reason"] == "2.0 kHz to 3.0 kHz"
        assert need(client, "hall2/mill", "offline")["reason"] == "the microphone is silent"
        data = client.get("/api/fleet").json()
        assert [found["key"] for found in data["sources"]] == ["hall1/fan", "hall2/mill", "hall1/pump1"]
        assert data["broker"]["state"] == "connected"
        assert [row[1] for row in data["sparks"].get("hall1/fan", [])] == []  # not written yet: the batch is young
        fleet.leave("hall1")
        assert need(client, "hall1/pump1", "offline")["reason"] == "the node is offline"


def test_what_was_so_before_the_dashboard_came_is_not_dated_by_its_start(broker: Broker, tmp_path: Path) -> None:
    with SimulatedFleet(HOST, broker.port, SOURCES) as fleet:
        fleet.silence("hall1", "fan", "the microphone is silent")
        fleet.leave("hall2")
        publish(broker, "auscult/hall2/health", b'{"schema":1,"t":"2026-11-29T10:00:00.000Z","sources":{}}', retain=True)
        with serving(broker, tmp_path) as client:
            assert need(client, "hall1/fan", "offline")["since"] is None
            assert need(client, "hall2/mill", "offline")["since"] == 1795946400.0  # when the node was last heard
            began_s = time.time()
            fleet.leave("hall1")
            left = wait_for(
                lambda: next(
                    (one for one in machines(client).values() if one["reason"] == "the node is offline" and one["node"] == "hall1"), None
                )
            )
            assert left["since"] >= began_s - 1.0


def test_open_page_is_told_what_happens(fleet: SimulatedFleet, broker: Broker, tmp_path: Path) -> None:
    with serving(broker, tmp_path) as client:
        wait_for(lambda: len(machines(client)) == 3 or None)
        told = live(client, "", {"hello", "sources", "scores"})
        assert {found["key"] for found in told["sources"]["changed"]} == {"hall1/pump1", "hall1/fan", "hall2/mill"}
        assert told["hello"]["broker"]["state"] == "connected"


def test_source_that_is_shown_is_watched_and_no_longer(fleet: SimulatedFleet, broker: Broker, tmp_path: Path) -> None:
    with serving(broker, tmp_path) as client:
        wait_for(lambda: len(machines(client)) == 3 or None)
        told = live(client, "?node=hall1&source=pump1", {"hello", "score", "level", "cells", "watch"})
        assert told["cells"]["key"] == "hall1/pump1"
        assert len(told["cells"]["band_edges_hz"]) == 17
        assert set(told["score"]["heads"]) >= {"cnn14_moment", "profile"}
        assert told["watch"]["problem"] is None

        def watches() -> list[int]:
            return [asked["seconds"] for node, verb, asked in fleet.commands if (node, verb) == ("hall1", "watch")]

        wait_for(lambda: watches()[-1:] == [0] or None)
        assert watches()[0] == 60


def test_node_that_does_not_answer_is_told_to_the_page(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.watching.ANSWER_S", 0.5)
    with serving(broker, tmp_path) as client:
        publish(broker, "auscult/hall1/pump1/availability", b"online", retain=True)
        wait_for(lambda: len(machines(client)) == 1 or None)
        problem = live(client, "?node=hall1&source=pump1", {"watch"})["watch"]["problem"]
        assert "hall1 did not answer within" in problem
        assert "`commands.enabled`" in problem


def publish(broker: Broker, topic: str, payload: bytes, *, retain: bool = False) -> None:
    single(topic, payload, 1, retain, HOST, broker.port)


def test_event_is_kept_with_its_heads_and_picture_and_can_be_marked(fleet: SimulatedFleet, broker: Broker, tmp_path: Path) -> None:
    with serving(broker, tmp_path) as client:
        wait_for(lambda: len(machines(client)) == 3 or None)
        mailbox = client.connection()
        mailbox.request("GET", "/api/live?node=hall1&source=pump1", headers={"Cookie": client.cookie})
        page = mailbox.getresponse()
        wait_for(lambda: b"event: cells" in page.read1(65536) or None)
        event_id = fleet.fail("hall1", "pump1", 3.0, 2000.0, 3000.0)
        path = f"/api/event/hall1/pump1/{event_id}"

        def closed() -> Any:
            page.read1(65536)
            found = client.get(path)
            return found.json() if found.status == 200 and found.json()["type"] == "closed" else None

        event = wait_for(closed)
        assert event["regions"][0]["f_lo_hz"] == 2000.0
        assert event["heads"] is not None
        assert not event["is_open"]
        assert need(client, "hall1/pump1", "check")["reason"] == "1 event to judge"

        def picture() -> Any:
            page.read1(65536)
            return client.get(f"{path}/picture").json()["picture"]

        drawn = wait_for(picture)
        assert drawn["t_start"] < event["t_start"]
        assert drawn["anomaly"] is not None

        answer = client.post("/api/command/hall1/mark", {"event": event_id, "verdict": "real", "note": "bearing"})
        assert (answer.status, answer.json()["status"]) == (200, "ok")
        asked = next(asked for _, verb, asked in fleet.commands if verb == "mark")
        assert asked["transaction"]
        assert asked["sent_at"].endswith("Z")
        marked = client.get(path).json()
        assert (marked["verdict"], marked["note"]) == ("real", "bearing")
        need(client, "hall1/pump1", "fine")
        assert [one["id"] for one in client.get("/api/events?verdict=real").json()["events"]] == [event_id]
        assert event_id in client.get("/api/events.csv").body.decode()
        mailbox.close()


def test_command_that_somebody_else_gave_is_seen_too(fleet: SimulatedFleet, broker: Broker, tmp_path: Path) -> None:
    with serving(broker, tmp_path) as client:
        wait_for(lambda: len(machines(client)) == 3 or None)
        event_id = fleet.fail("hall1", "pump1", 1.0, 2000.0, 3000.0)
        path = f"/api/event/hall1/pump1/{event_id}"
        wait_for(lambda: client.get(path).status == 200 or None)
        publish(broker, "auscult/hall1/cmd/mark", json.dumps({"event": event_id, "verdict": "false_alarm"}).encode())
        wait_for(lambda: client.get(path).json()["verdict"] == "false_alarm" or None)


def test_commands_are_answered_or_refused(fleet: SimulatedFleet, broker: Broker, tmp_path: Path) -> None:
    with serving(broker, tmp_path) as client:
        wait_for(lambda: len(machines(client)) == 3 or None)
        snoozed = client.post("/api/command/hall1/snooze", {"source": "pump1", "minutes": 60}).json()
        assert snoozed["snoozed_until"] is not None
        wait_for(lambda: machines(client)["hall1/pump1"]["snoozed_until"])
        moved = client.post("/api/command/hall1/recalibrate-threshold", {"source": "pump1"}).json()
        assert moved["threshold_factor"] == 1.12
        for path, data, status, said in (
            ("/api/command/hall1/reload", {}, 400, "the page gives no such command"),
            ("/api/command/hall1/snooze", {"source": "pump1"}, 400, "the key 'minutes' is missing"),
            ("/api/command/hall1/snooze", {"source": "pump1", "minutes": 1, "x": 1}, 400, "unknown key 'x'"),
            ("/api/command/nowhere/snooze", {"source": "pump1", "minutes": 1}, 404, "no such node"),
        ):
            reply = client.post(path, data)
            assert reply.status == status
            assert said in reply.json()["error"]


def test_scores_of_a_source_have_the_broker_s_absence_as_a_gap(fleet: SimulatedFleet, broker: Broker, tmp_path: Path) -> None:
    with serving(broker, tmp_path) as client:
        path = "/api/source/hall1/pump1"
        wait_for(lambda: client.get(path).status == 200 or None)
        wait_for(lambda: len(client.get(path).json()["recent"]) > 2 or None)
        broker.stop()
        wait_for(lambda: client.get("/api/fleet").json()["broker"]["state"] != "connected" or None)
        lost = client.post("/api/command/hall1/snooze", {"source": "pump1", "minutes": 60})
        assert (lost.status, "no connection to the broker" in lost.json()["error"]) == (504, True)
        time.sleep(2.5)
        broker.start()
        wait_for(lambda: client.get("/api/fleet").json()["broker"]["state"] == "connected" or None)
        wait_for(lambda: client.get(f"{path}/scores").json()["gaps"] or None)
        scores = client.get(f"{path}/scores").json()
        assert "no connection to the broker" in scores["gaps"][0]["reason"]
        assert scores["gaps"][0]["t_end"] - scores["gaps"][0]["t_start"] > 2.0
        count = len(client.get(path).json()["recent"])
        wait_for(lambda: len(client.get(path).json()["recent"]) > count or None)
        assert {"day", "week", "month"} == {
            span for span in ("day", "week", "month") if client.get(f"{path}/scores?span={span}").json()["rows"]
        }
        assert client.get(f"{path}/scores?span=year").status == 400


def test_event_that_comes_while_no_dashboard_runs_is_there_afterwards(fleet: SimulatedFleet, broker: Broker, tmp_path: Path) -> None:
    with serving(broker, tmp_path) as client:
        wait_for(lambda: len(machines(client)) == 3 or None)
    event_id = fleet.fail("hall1", "pump1", 1.0, 2000.0, 3000.0)
    time.sleep(2.5)
    with serving(broker, tmp_path) as client:
        found = wait_for(lambda: client.get("/api/events").json()["events"] or None)
        assert [one["id"] for one in found] == [event_id]
        assert client.get("/api/source/hall1/pump1/scores").json()["gaps"][-1]["reason"] == "the dashboard did not run"


def test_tls_and_password_serve_another_address(fleet: SimulatedFleet, broker: Broker, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert_file, key_file = authority.issue("localhost")
    with serving(broker, tmp_path, cert_file=cert_file, key_file=key_file) as client:
        context = ssl.create_default_context(cafile=str(authority.ca_file))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        with urllib.request.urlopen(f"https://{client.host}/api/session", context=context, timeout=10) as reply:
            assert "; Secure" in reply.headers["set-cookie"]


def test_dashboard_starts_before_its_broker(make_broker: MakeBroker, tmp_path: Path) -> None:
    broker = make_broker(start=False)
    with serving(broker, tmp_path) as client:
        assert client.get("/api/fleet").json()["broker"]["state"] == "away"
        broker.start()
        wait_for(lambda: client.get("/api/fleet").json()["broker"]["state"] == "connected" or None)
