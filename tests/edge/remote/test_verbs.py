"""What commands do to a source, without a broker: an hour of sound passes in a moment."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.audio.block import Block
from edge.config.schema import CommandsConfig
from edge.judgement.event import Event
from edge.mqtt.payloads import SourceInfo
from edge.mqtt.subscription import Delivery
from edge.mqtt.topics import Topics
from edge.node.source_report import source_health, source_info
from edge.node.source_worker import SourceWorker
from edge.remote import inbox
from edge.remote.remote import Remote
from tests.edge.node.scripted_source import RATE_HZ, Said, ScriptedSource, make_worker

HOP = RATE_HZ // 2
TOPICS = Topics("test")


class Site:
    """A node with one source that hears what a test wants."""

    def __init__(self, folder: Path) -> None:
        self.remote = Remote(CommandsConfig(enabled=True), folder / "state", TOPICS, None)
        self.source = ScriptedSource()
        self.worker: SourceWorker
        self.said: Said
        self.worker, self.said = make_worker(self.source, folder)
        self.worker.publisher.control = self.remote.control("pump1")
        self.is_reloading = False
        self.version: int | None = 2
        self.workers = {"pump1": self.worker}
        self.on_done: list[Callable[[str | None], None]] = []
        self.answers: list[dict[str, Any]] = []
        self.remote.serve(self, "test", folder / "config.yaml", lambda _topic, payload: self.answers.append(json.loads(payload)))
        self.worker.open()

    def source_infos(self) -> dict[str, SourceInfo]:
        """As the daemon's."""
        return {name: source_info(worker) for name, worker in self.workers.items()}

    def roll_back(self, source: str, on_done: Callable[[int | None, str | None], None]) -> None:
        """As the daemon's, of a source with two versions."""
        self.version = None if self.version is None else self.version - 1 or None
        on_done(self.version, None if source == "pump1" else "no such version")

    def accept(self, source: str) -> str | None:
        """As the daemon's, when something lasts in one source."""
        return None if source == "pump1" else "nothing to accept"

    def request_reload(self, on_done: Callable[[str | None], None]) -> None:
        """As the daemon's."""
        self.on_done.append(on_done)

    def hear(self, peaks: list[float]) -> None:
        """Half a second of sound for each peak; 0.5 is the alarm."""
        for start in range(0, len(peaks), 120):
            part = np.repeat(np.array(peaks[start : start + 120], np.float32), HOP)
            part[1::2] *= -1.0
            self.source.steps.append(Block(part))
            self.worker.step()

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Give a command and return its answer, which comes when what it has changed is written."""
        answered = len(self.answers)
        self.remote.subscription.deliver(Delivery(TOPICS.command(verb), json.dumps(fields).encode(), False))
        self.poll_until(lambda: len(self.answers) > answered)
        return self.answers[-1]

    def poll_until(self, is_so: Callable[[], bool]) -> None:
        """As the daemon does between windows."""
        deadline_s = time.monotonic() + 20.0
        while not is_so():
            assert time.monotonic() < deadline_s
            if not self.remote.poll():
                time.sleep(0.001)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(inbox, "BURST", 1000)
    return Site(tmp_path)


def normal(seconds: float, seed: int = 0) -> list[float]:
    rng = np.random.default_rng(seed)
    return [float(peak) for peak in np.minimum(0.2 + rng.exponential(0.02, round(2 * seconds)), 0.45)]


def test_recalibrate_sound_of_events_counts_only_when_they_were_false_alarms(site: Site) -> None:
    for seed in range(3):
        site.hear([*normal(1600, seed), *[0.6 + 0.1 * seed] * 4])
    site.hear(normal(60, 9))
    opened = [event["id"] for event in site.said.of("event") if event["type"] == "opened"]
    assert len(opened) == 3
    unmarked = site.ask("recalibrate-threshold", source="pump1")
    assert (unmarked["error"], unmarked["events_left_out"], unmarked["false_alarms"]) == (None, 3, 0)
    assert unmarked["note"] == (
        "the sound of events does not count as normal, unless they are marked as false alarms and could not be taught"
    )
    assert 40 < 3600 * (unmarked["hours_heard"] - unmarked["hours_used"]) < 130  # 2 s, and the windows around them, thrice
    site.ask("mark", event=opened[0], verdict="false_alarm")
    site.ask("mark", event=opened[1], verdict="false_alarm")
    site.ask("mark", event=opened[2], verdict="real")
    marked = site.ask("recalibrate-threshold", source="pump1")
    assert (marked["events_left_out"], marked["false_alarms"]) == (1, 2)
    assert marked["threshold_factor_before"] == unmarked["threshold_factor"]
    assert marked["threshold_factor"] > 1.1 > unmarked["threshold_factor"]  # a peak of 0.6 has to be normal now
    site.ask("mark", event=opened[0], verdict="real")  # somebody has thought better of it
    assert site.ask("recalibrate-threshold", source="pump1")["false_alarms"] == 1


def test_recalibrate_raises_no_threshold_above_an_event_that_was_real(site: Site) -> None:
    site.hear([*normal(1600, 0), *[0.6] * 4, *normal(1600, 1), *[0.95] * 4, *normal(1600, 2)])
    first, second = [event["id"] for event in site.said.of("event") if event["type"] == "opened"]
    site.ask("mark", event=second, verdict="false_alarm")
    assert site.ask("recalibrate-threshold", source="pump1")["threshold_factor"] > 1.6
    site.ask("mark", event=first, verdict="real")
    held = site.ask("recalibrate-threshold", source="pump1")
    assert held["threshold_factor"] == pytest.approx(1.5, rel=1e-3)  # the peak of all events of this listener
    assert "would not hear an event that is marked as real" in held["note"]


def test_mark_that_is_cleared_counts_as_none(site: Site) -> None:
    site.hear([*normal(1600, 0), *[0.6] * 4, *normal(3600, 1)])
    (event,) = [event["id"] for event in site.said.of("event") if event["type"] == "opened"]
    answer = site.ask("mark", event=event, verdict="false_alarm")
    assert (answer["status"], answer["taught"]) == ("ok", False)  # this listener knows no sound of its events
    assert site.ask("recalibrate-threshold", source="pump1")["false_alarms"] == 1
    assert site.ask("mark", event=event, verdict="clear")["verdict"] == "clear"
    cleared = site.ask("recalibrate-threshold", source="pump1")
    assert (cleared["false_alarms"], cleared["events_left_out"]) == (0, 1)


def test_recalibrate_moves_the_scores_at_once_and_closes_the_event_that_is_open(site: Site) -> None:
    site.hear([*normal(4000), 0.6, 0.6])
    assert site.said.of("state")[-1] == "ON"
    factor = site.ask("recalibrate-threshold", source="pump1", false_alarms_per_week=0.001)["threshold_factor"]
    assert site.said.of("state")[-1] == "OFF"
    site.hear([0.3])
    assert site.said.of("score")[-1]["score"] == pytest.approx(0.3 / 0.5 / factor, rel=1e-3)
    assert source_info(site.worker).threshold_factor == factor
    assert site.ask("recalibrate-threshold", source="pump1", reset=True)["threshold_factor"] == 1.0
    site.hear([0.3])
    assert site.said.of("score")[-1]["score"] == pytest.approx(0.6, rel=1e-3)


def test_recalibrate_sound_of_a_snoozed_event_is_left_out_and_the_event_cannot_be_marked(site: Site) -> None:
    site.hear(normal(3700))
    assert site.ask("snooze", source="pump1", minutes=60)["snoozed_until"] == source_health(site.worker).snoozed_until
    site.hear([0.8] * 10 + normal(100))
    assert site.said.of("event") == []
    answer = site.ask("recalibrate-threshold", source="pump1")
    assert (answer["events_left_out"], answer["hours_used"] < answer["hours_heard"]) == (1, True)
    assert answer["threshold_factor"] < 1.0


def test_recalibrate_far_beyond_the_bundles_own_is_clipped_and_says_so(site: Site) -> None:
    site.hear([0.01 * peak for peak in normal(4000)])
    answer = site.ask("recalibrate-threshold", source="pump1")
    assert (answer["threshold_factor"], answer["clipped"]) == (0.5, True)
    assert "a threshold is moved to between 0.5 and 3 times the bundle's own only" in answer["note"]


def test_recalibrate_waits_for_a_reload(site: Site) -> None:
    site.hear(normal(3700))
    site.is_reloading = True
    answer = site.ask("recalibrate-threshold", source="pump1")
    assert answer["error"] == "the configuration is being read again; send it again in a minute"
    site.is_reloading = False
    assert site.ask("recalibrate-threshold", source="pump1")["error"] is None


def test_snooze_event_within_it_ends_under_the_id_that_was_published(site: Site) -> None:
    site.hear([0.1, 0.8])
    site.ask("snooze", source="pump1", minutes=1)
    site.hear([0.8, 0.1])
    site.ask("snooze", source="pump1", minutes=0)
    site.hear([0.8, 0.1])
    told = [(event["type"], event["id"], event["seq"]) for event in site.said.of("event")]
    assert [kind for kind, _, _ in told] == ["opened", "closed", "opened", "closed"]
    assert told[0][1] == told[1][1] != told[2][1] == told[3][1]
    assert [seq for _, _, seq in told] == [1, 2, 3, 4]
    assert site.said.of("state") == ["OFF", "ON", "OFF", "ON", "OFF"]


def test_accept_answers_or_says_why_not(site: Site) -> None:
    answer = site.ask("accept", source="pump1")
    assert (answer["status"], answer["source"]) == ("ok", "pump1")
    assert site.ask("accept", source="pump2")["status"] == "error"


def test_rollback_answers_with_the_version_that_is_taken_over(site: Site) -> None:
    answers = [site.ask("rollback", transaction=number, source="pump1") for number in range(2)]
    assert [(answer["status"], answer["source"], answer["version"]) for answer in answers] == [("ok", "pump1", 1), ("ok", "pump1", None)]
    assert site.ask("rollback", transaction=3, source="pump2")["status"] == "error"


def test_reload_is_answered_when_it_is_done(site: Site) -> None:
    site.remote.subscription.deliver(Delivery(TOPICS.command("reload"), b'{"transaction": 1}', False))
    site.poll_until(lambda: bool(site.on_done))
    assert site.answers == []
    site.on_done.pop()(None)
    assert site.answers[-1] == {
        "schema": 1, "transaction": 1, "status": "ok", "error": None, "result": "the configuration holds",
    }  # fmt: skip
    site.remote.subscription.deliver(Delivery(TOPICS.command("reload"), b'{"transaction": 2}', False))
    site.poll_until(lambda: bool(site.on_done))
    site.on_done.pop()("config.yaml:3: node: expected text")
    assert (site.answers[-1]["error"], site.answers[-1]["result"]) == ("config.yaml:3: node: expected text", None)


def test_recalibrate_within_an_event_leaves_out_all_of_it(site: Site) -> None:
    site.hear(normal(3700))
    site.hear([0.9] * 600)  # five minutes of a fault that is not over
    within = site.ask("recalibrate-threshold", source="pump1")
    assert (within["error"], within["events_left_out"]) == (None, 1)
    assert 295 < 3600 * (within["hours_heard"] - within["hours_used"]) < 330
    assert within["threshold_factor"] < 1.0


def test_recalibrate_after_a_kill_within_an_event_leaves_out_all_that_was_heard_of_it(site: Site, tmp_path: Path) -> None:
    site.hear(normal(3000))
    site.hear([0.9] * 600)
    assert site.worker.publisher.control is not None
    site.worker.publisher.control.record.save()  # as it does every ten minutes
    site.remote.close()  # a command that is not answered yet would be all that a kill takes
    again = Site(tmp_path)
    again.hear(normal(700, 5))
    answer = again.ask("recalibrate-threshold", source="pump1")
    assert (answer["error"], answer["events_left_out"]) == (None, 1)
    assert 295 < 3600 * (answer["hours_heard"] - answer["hours_used"]) < 330
    assert answer["threshold_factor"] < 1.0


def test_recalibrate_event_that_a_snooze_has_cut_is_left_out_to_its_end_and_no_further(site: Site) -> None:
    site.hear([*normal(3700), *[0.9] * 20])
    site.ask("snooze", source="pump1", minutes=1)
    site.hear([0.9] * 200)
    site.ask("snooze", source="pump1", minutes=0)
    opened = site.said.of("event")[0]["id"]
    site.worker.publisher.event(Event(opened, 2, "updated", 3700.0, 3810.0, 1.8, 0.001, (), 0.0))  # told again, under another id
    site.hear([0.9] * 200 + normal(300))
    assert [event["type"] for event in site.said.of("event")] == ["opened", "closed", "opened", "closed"]
    answer = site.ask("recalibrate-threshold", source="pump1")
    assert (answer["events_left_out"], answer["threshold_factor"] < 1.0) == (2, True)
    assert 205 < 3600 * (answer["hours_heard"] - answer["hours_used"]) < 240


def test_recalibrate_without_the_file_of_events_uses_no_older_sound(site: Site, tmp_path: Path) -> None:
    site.hear([*normal(3700), *[0.9] * 20, *normal(60)])
    assert site.worker.publisher.control is not None
    site.worker.publisher.control.finish()
    site.remote.close()
    (tmp_path / "state" / "events.jsonl").unlink()
    again = Site(tmp_path)
    again.hear(normal(100))
    assert again.ask("recalibrate-threshold", source="pump1")["error"].startswith("2 minutes of its normal sound were heard")
    again.hear(normal(3700))
    answer = again.ask("recalibrate-threshold", source="pump1")
    assert (answer["error"], answer["threshold_factor"] < 1.0) == (None, True)
    assert answer["note"] == "older sound does not count, because the node does not know its events"


def test_snooze_and_recalibrate_that_are_not_kept_say_so(site: Site, tmp_path: Path) -> None:
    site.hear(normal(3700))
    for name in ("snoozes.json", "thresholds.json"):
        (tmp_path / "state" / name).mkdir(parents=True)  # in place of the file
    for answer in (
        site.ask("snooze", source="pump1", minutes=5),
        site.ask("recalibrate-threshold", source="pump1"),
        site.ask("recalibrate-threshold", source="pump1", reset=True),
    ):
        assert (answer["status"], answer["error"]) == ("ok", None)
        assert "cannot be written (Is a directory); it holds until the daemon stops" in answer["warning"]
    for name in ("snoozes.json", "thresholds.json"):
        (tmp_path / "state" / name).rmdir()
    assert site.ask("snooze", source="pump1", minutes=0)["warning"] is None
    assert site.ask("recalibrate-threshold", source="pump1")["warning"] is None


class SlowDisk:
    """Syncs when a test lets it, or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_syncing = threading.Event()
        self.goes_on = threading.Event()
        self.error: OSError | None = None
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, descriptor: int) -> None:
        """As the system's, some time later."""
        self.is_syncing.set()
        self.goes_on.wait(10.0)
        if self.error is not None:
            raise self.error
        self._fsync(descriptor)


WRITING = ("snooze", "mark", "recalibrate-threshold")


@pytest.fixture
def alarmed(site: Site) -> Site:
    """It has heard an hour, and an event after it."""
    site.hear([*normal(3700), 0.8, 0.8, 0.1])
    site.remote.close()  # so that nothing but the command is written
    return site


def asked(site: Site, verb: str) -> dict[str, Any]:
    """What a command says."""
    if verb == "mark":
        return {"event": site.said.of("event")[0]["id"], "verdict": "false_alarm"}
    return {"source": "pump1", "minutes": 5} if verb == "snooze" else {"source": "pump1"}


@pytest.mark.parametrize("verb", WRITING)
def test_command_that_waits_for_a_slow_disk_keeps_no_window_waiting(alarmed: Site, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    for name, fields in ((verb, asked(alarmed, verb)), ("info", {})):
        alarmed.remote.subscription.deliver(Delivery(TOPICS.command(name), json.dumps(fields).encode(), False))
    alarmed.poll_until(disk.is_syncing.is_set)
    scores, events = len(alarmed.said.of("score")), len(alarmed.said.of("event"))
    for _ in range(3):
        alarmed.hear([0.9, 0.1])
        alarmed.remote.poll()
    assert alarmed.answers == []  # nothing is promised that is not on disk, and commands keep their order
    assert len(alarmed.said.of("score")) == scores + 6
    assert len(alarmed.said.of("event")) == (events if verb == "snooze" else events + 6)  # a snooze holds already
    if verb == "recalibrate-threshold":
        assert alarmed.said.of("score")[-2]["score"] > 0.9 / 0.5  # and so does a lower threshold
    disk.goes_on.set()
    alarmed.poll_until(lambda: len(alarmed.answers) == 2)
    assert [(answer["status"], "config" in answer) for answer in alarmed.answers] == [("ok", False), ("ok", True)]


@pytest.mark.parametrize("verb", WRITING)
def test_command_whose_sync_fails_says_so_and_changes_no_file(
    alarmed: Site, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    disk.error = OSError(errno.EIO, "Input/output error")
    disk.goes_on.set()
    answer = alarmed.ask(verb, **asked(alarmed, verb))
    if verb == "mark":
        assert (answer["status"], answer["event"]) == ("error", None)
        assert answer["error"].endswith("marks.jsonl cannot be written (Input/output error); make room and send it again")
        assert alarmed.ask("recalibrate-threshold", source="pump1")["false_alarms"] == 0
    else:
        assert (answer["status"], answer["error"]) == ("ok", None)
        assert "cannot be written (Input/output error); it holds until the daemon stops" in answer["warning"]
        assert not (tmp_path / "state" / {"snooze": "snoozes.json"}.get(verb, "thresholds.json")).exists()


def test_command_that_waits_when_the_daemon_stops_is_written_and_answered(
    alarmed: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    disk = SlowDisk(monkeypatch)
    alarmed.remote.subscription.deliver(Delivery(TOPICS.command("snooze"), json.dumps(asked(alarmed, "snooze")).encode(), False))
    alarmed.poll_until(disk.is_syncing.is_set)
    disk.goes_on.set()
    alarmed.remote.close()
    assert [answer["warning"] for answer in alarmed.answers] == [None]
    assert "pump1" in json.loads((tmp_path / "state" / "snoozes.json").read_text())["content"]
