"""`auscult run` reads its configuration again (SIGHUP): nothing of the sound is lost, and a mistake changes nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from edge.config.load import load_config
from edge.judgement.window import Window
from edge.model import Model
from edge.node.assembly import Assembly
from edge.node.plan import Plan
from edge.pipeline import Listener
from tests.broker import HOST, Broker, Subscriber
from tests.bundles import RATE_HZ, CalibratedMachine, Float32, tampered
from tests.pulse import MICROPHONE, SINK_RATE_HZ, SPARE_MICROPHONE, PulseServer
from tests.stream_server import require_ffmpeg

PROJECT = Path(__file__).parents[3]
Config = dict[str, Any]


class Running:
    """A daemon that can be told to reload."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path, config: Config, subscriber: Subscriber) -> None:
        self.process = process
        self.path = path
        self.config = config
        self.subscriber = subscriber
        self._reloads = 0

    def hear(self, samples: Float32) -> None:
        """Sound on standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(samples.astype("<f4").tobytes())
        self.process.stdin.flush()

    def wait_for_scores(self, count: int, source: str = "pump1") -> None:
        self.subscriber.wait_for(lambda s: len(s.of(f"/{source}/score")) >= count, 30.0)

    def reload(self, text: str | None = None, pid: int | None = None) -> dict[str, Any]:
        """Tell it to read `text`, or `config`; return what `health` says of it."""
        self.path.write_text(yaml.safe_dump(self.config) if text is None else text)
        seen = self.last_reload()
        os.kill(pid or self.process.pid, signal.SIGHUP)
        self.subscriber.wait_for(lambda _: self.last_reload() != seen, 30.0)
        return self.last_reload()

    def last_reload(self) -> dict[str, Any]:
        told = self.subscriber.texts("/health")
        reload: dict[str, Any] = (json.loads(told[-1])["reload"] if told else None) or {}
        return reload

    def finish(self) -> list[str]:
        """End the sound and return the log."""
        _, log = self.process.communicate(timeout=60.0)
        assert b"Traceback" not in log
        self.subscriber.wait_for(lambda s: s.texts("/status")[-2:] == ["online", "offline"])
        return log.decode().splitlines()

    def stop(self) -> list[str]:
        """SIGTERM; return the log."""
        os.kill(self.process.pid, signal.SIGTERM)
        return self.finish()


@contextmanager
def running(folder: Path, broker: Broker, sources: dict[str, Any]) -> Iterator[Running]:
    config: Config = {
        "node": "test",
        "mqtt": {"host": HOST, "port": broker.port},
        "outbox": {"path": str(folder / "outbox.sqlite")},
        "health": {"interval_s": 0.5},
        "sources": sources,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    command: list[str | Path] = [sys.executable, PROJECT / "auscult.py", "run", "--config", path]
    with broker.subscriber() as subscriber:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            yield Running(process, path, config, subscriber)
        finally:
            process.kill()
            process.communicate()


def stdin(bundle: Path) -> dict[str, Any]:
    return {"bundle": str(bundle), "stdin": {"rate_hz": RATE_HZ, "format": "f32le"}}


def files(bundle: Path, path: Path, **more: Any) -> dict[str, Any]:
    return {"bundle": str(bundle), "files": {"paths": [str(path)], **more}}


def half_as_strict(machine: CalibratedMachine, path: Path) -> Path:
    """A bundle whose scores are other ones."""

    def change(manifest: dict[str, Any], *_: object) -> None:
        manifest["threshold"]["score_scale"] *= 2.0

    return tampered(machine.bundle, path, change)


def scores_offline(bundle: Path, samples: Float32) -> list[float]:
    listener = Listener(Model.load(bundle), RATE_HZ)
    windows = [result for result in [*listener.push(samples), *listener.finish()] if isinstance(result, Window)]
    return [round(window.score, 4) for window in windows if window.score is not None]


def scores(subscriber: Subscriber, source: str = "pump1") -> list[float]:
    return [json.loads(text)["score"] for text in subscriber.texts(f"/{source}/score")]


def lines(log: list[str], part: str) -> list[str]:
    return [line for line in log if part in line]


def test_reload_another_bundle_in_the_middle_scores_each_hop_once_as_if_it_had_heard_all(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    other = half_as_strict(machine, tmp_path / "other.auscult")
    samples = machine.samples[: 20 * RATE_HZ]
    with running(tmp_path, broker, {"pump1": stdin(machine.bundle)}) as daemon:
        daemon.hear(samples[: 14 * RATE_HZ])
        daemon.wait_for_scores(6)
        daemon.config["sources"]["pump1"]["bundle"] = str(other)
        told = daemon.reload()
        daemon.hear(samples[14 * RATE_HZ :])
        log = daemon.finish()
        old, new, found = scores_offline(machine.bundle, samples), scores_offline(other, samples), scores(daemon.subscriber)
        swap = next(index for index, score in enumerate(found) if score != old[index])
        assert 6 <= swap <= 9
        assert found == old[:swap] + new[swap:]
        info = json.loads(daemon.subscriber.texts("/info")[-1])["sources"]["pump1"]
    assert (told["result"], told["problem"]) == ("applied", None)
    assert info["bundle"] == f"sha256:{Model.load(other).bundle.sha256}"
    assert len(lines(log, "reloaded; pump1: bundle")) == 1


def test_reload_mistake_is_one_line_and_changes_nothing(broker: Broker, machine: CalibratedMachine, tmp_path: Path) -> None:
    samples = machine.samples[: 14 * RATE_HZ]
    damaged = tmp_path / "damaged.auscult"
    content = bytearray(machine.bundle.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    key = tmp_path / "key.pem"
    key.write_text("no key")
    with running(tmp_path, broker, {"pump1": stdin(machine.bundle)}) as daemon:
        daemon.hear(samples[: 11 * RATE_HZ])
        daemon.wait_for_scores(1)
        good = dict(daemon.config)
        pump1 = good["sources"]["pump1"]
        mistakes: list[tuple[Config | str, str]] = [
            ("node: [", "config.yaml:"),
            ({**good, "event": {}}, "event: unknown key; did you mean 'events'?"),
            ({**good, "sources": {"pump1": {**pump1, "bundle": "none.auscult"}}}, "none.auscult: no such bundle"),
            ({**good, "sources": {"pump1": {**pump1, "bundle": str(damaged)}}}, "damaged.auscult: "),
            ({**good, "sources": {"pump1": stdin(machine.bundle), "fan2": files(machine.bundle, key)}}, "key.pem: not a WAV"),
            ({**good, "bundles": {"require_signature": True, "trusted_keys": [str(key)]}}, "key.pem: "),
            ({**good, "mqtt": {**good["mqtt"], "host": "localhost"}}, "mqtt.host has changed, which needs a restart: sudo systemctl"),
            ({**good, "node": "test2"}, "node (and 1 more) has changed, which needs a restart"),
        ]
        for text, problem in mistakes:
            told = daemon.reload(text if isinstance(text, str) else yaml.safe_dump(text))
            assert told["result"] == "refused"
            assert problem in told["problem"]
            assert daemon.process.poll() is None
        daemon.hear(samples[11 * RATE_HZ :])
        log = daemon.finish()
        assert scores(daemon.subscriber) == scores_offline(machine.bundle, samples)
        assert daemon.subscriber.texts("/pump1/availability") == ["offline", "online", "offline"]
        assert daemon.subscriber.texts("/fan2/availability") == []
    told_lines = lines(log, "not reloaded, the old configuration stays: ")
    assert len(told_lines) == len(mistakes)
    assert all(problem in line for (_, problem), line in zip(mistakes, told_lines, strict=True))
    assert len(log) == len(mistakes) + len(lines(log, " INFO "))


def test_reload_source_removed_midway_is_cleared_and_the_other_scores_as_alone(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    endless = tmp_path / "endless.wav"
    soundfile.write(endless, machine.samples, RATE_HZ, subtype="FLOAT")
    samples = machine.samples[: 20 * RATE_HZ]
    sources = {"pump1": stdin(machine.bundle), "fan2": files(machine.bundle, endless, realtime=True, loop=True)}
    with running(tmp_path, broker, sources) as daemon:
        daemon.subscriber.wait_for(lambda s: s.texts("/fan2/availability") == ["offline", "online"])
        daemon.hear(samples[: 12 * RATE_HZ])
        daemon.wait_for_scores(2)
        del daemon.config["sources"]["fan2"]
        assert daemon.reload()["result"] == "applied"
        daemon.subscriber.wait_for(lambda s: s.texts("/fan2/state")[-1] == "")
        with broker.subscriber("auscult/test/fan2/#") as later, broker.subscriber("auscult/test/health") as health:
            health.wait_for(lambda s: s.messages)
            assert later.messages == []  # nothing of it is retained
        daemon.hear(samples[12 * RATE_HZ :])
        log = daemon.finish()
        assert scores(daemon.subscriber) == scores_offline(machine.bundle, samples)
        assert daemon.subscriber.texts("/fan2/availability") == ["offline", "online", "offline", ""]
        assert json.loads(daemon.subscriber.texts("/info")[-1])["sources"].keys() == {"pump1"}
    assert len(lines(log, "reloaded; fan2: removed")) == 1


def test_reload_in_the_middle_of_a_file_leaves_no_gap_and_no_hop_twice(broker: Broker, machine: CalibratedMachine, tmp_path: Path) -> None:
    endless = tmp_path / "endless.wav"
    soundfile.write(endless, machine.samples, RATE_HZ, subtype="FLOAT")
    other = half_as_strict(machine, tmp_path / "other.auscult")
    with running(tmp_path, broker, {"pump1": files(machine.bundle, endless, loop=True)}) as daemon:
        for bundle in (other, machine.bundle, other):
            daemon.wait_for_scores(len(scores(daemon.subscriber)) + 60)
            daemon.config["sources"]["pump1"]["bundle"] = str(bundle)
            assert daemon.reload()["result"] == "applied"
        daemon.wait_for_scores(len(scores(daemon.subscriber)) + 20)
        daemon.stop()
        ends_ms = [timestamp_ms(json.loads(text)["t_end"]) for text in daemon.subscriber.texts("/pump1/score")]
    steps_ms = np.diff(ends_ms[:-1])  # the last window ends where the stream does
    assert len(steps_ms) > 200
    assert steps_ms.min() >= 480  # windows end on whole cells of 40 ms
    assert steps_ms.max() <= 520
    assert ends_ms[-2] - ends_ms[0] == pytest.approx(500 * (len(ends_ms) - 2), abs=40)


def timestamp_ms(text: str) -> int:
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def test_reload_in_the_middle_of_an_event_closes_it_and_other_rules_alone_do_not(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    other = half_as_strict(machine, tmp_path / "other.auscult")
    rng = np.random.default_rng(0)
    samples = machine.samples[: 24 * RATE_HZ].copy()
    samples[11 * RATE_HZ :] += rng.normal(0.0, 0.3, len(samples) - 11 * RATE_HZ).astype(np.float32)
    with running(tmp_path, broker, {"pump1": stdin(machine.bundle)}) as daemon:
        daemon.hear(samples[: 14 * RATE_HZ])
        daemon.subscriber.wait_for(lambda s: s.texts("/pump1/state")[-1:] == ["ON"])
        daemon.config["events"] = {"update_interval_s": 0.5}
        assert daemon.reload()["result"] == "applied"
        daemon.hear(samples[14 * RATE_HZ : 17 * RATE_HZ])
        daemon.subscriber.wait_for(lambda s: len(s.of("/pump1/event")) >= 4)
        daemon.config["sources"]["pump1"]["bundle"] = str(other)
        assert daemon.reload()["result"] == "applied"
        daemon.hear(samples[17 * RATE_HZ :])
        daemon.finish()
        events = [json.loads(text) for text in daemon.subscriber.texts("/pump1/event")]
        states = daemon.subscriber.texts("/pump1/state")
    first = events[0]["seq"]
    assert [event["seq"] for event in events] == list(range(first, first + len(events)))
    first = [event for event in events if event["id"] == events[0]["id"]]
    second = events[len(first) :]
    assert [first[0]["type"], *{event["type"] for event in first[1:-1]}, first[-1]["type"]] == ["opened", "updated", "closed"]
    assert {event["bundle"] for event in first} == {f"sha256:{machine.model.bundle.sha256}"}
    assert (second[0]["type"], second[-1]["type"]) == ("opened", "closed")
    assert {event["bundle"] for event in second} == {f"sha256:{Model.load(other).bundle.sha256}"}
    assert states == ["OFF", "ON", "OFF", "ON", "OFF"]


def test_reload_source_added_and_another_input_begin_in_the_running_daemon(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{name}.wav" for name in ("first", "second", "added")]
    for path in paths:
        soundfile.write(path, machine.samples[: 12 * RATE_HZ], RATE_HZ, subtype="FLOAT")
    alone = scores_offline(machine.bundle, machine.samples[: 12 * RATE_HZ])
    with running(tmp_path, broker, {"pump1": stdin(machine.bundle), "fan2": files(machine.bundle, paths[0])}) as daemon:
        daemon.subscriber.wait_for(lambda s: s.texts("/fan2/availability") == ["offline", "online", "offline"])
        daemon.config["sources"]["fan2"] = files(machine.bundle, paths[1])
        daemon.config["sources"]["line3"] = files(machine.bundle, paths[2])
        daemon.config["health"]["interval_s"] = 0.6
        daemon.config["log"] = {"level": "warning"}
        assert daemon.reload()["result"] == "applied"
        for source, heard in (("fan2", [*alone, *alone]), ("line3", alone)):
            daemon.wait_for_scores(len(heard), source)
            assert scores(daemon.subscriber, source) == heard
        daemon.hear(machine.samples[: 12 * RATE_HZ])
        log = daemon.finish()
        assert scores(daemon.subscriber) == alone
        info = json.loads(daemon.subscriber.texts("/info")[-1])["sources"]
    assert {name: source["device"] for name, source in info.items()}["fan2"] == str(paths[1])
    assert set(info) == {"pump1", "fan2", "line3"}
    assert lines(log, "end of the stream") == lines(log, "fan2: end of the stream")[:1]  # what follows is below the new level


@pytest.mark.slow  # half a minute of real time
def test_reload_microphone_continues_with_another_bundle_and_nothing_is_lost(
    pulse: PulseServer, broker: Broker, machine: CalibratedMachine, tmp_path: Path
) -> None:
    other = half_as_strict(machine, tmp_path / "other.auscult")
    microphone = {"bundle": str(machine.bundle), "microphone": {"device": MICROPHONE}}
    pulse.play(np.tile(machine.samples, 3), RATE_HZ)
    with running(tmp_path, broker, {"pump1": microphone}) as daemon:
        daemon.wait_for_scores(5)
        before = json.loads(daemon.subscriber.texts("/health")[-1])["sources"]["pump1"]
        for bundle in (other, machine.bundle):
            daemon.config["sources"]["pump1"]["bundle"] = str(bundle)
            assert daemon.reload()["result"] == "applied"
            daemon.wait_for_scores(len(scores(daemon.subscriber)) + 6)
        after = json.loads(daemon.subscriber.texts("/health")[-1])["sources"]["pump1"]
        payloads = [json.loads(text) for text in daemon.subscriber.texts("/pump1/score")]
        assert daemon.subscriber.texts("/pump1/availability") == ["offline", "online"]
        daemon.config["sources"]["pump1"]["microphone"] = {"device": SPARE_MICROPHONE}
        assert daemon.reload()["result"] == "applied"
        daemon.subscriber.wait_for(lambda s: SPARE_MICROPHONE in json.loads(s.texts("/info")[-1])["sources"]["pump1"]["device"])
        assert daemon.subscriber.texts("/pump1/availability") == ["offline", "online", "offline", "offline"]  # the other one is silent
        log = daemon.stop()
    assert (after["xruns"], after["lost_s"]) == (before["xruns"], before["lost_s"])
    ends_ms = [timestamp_ms(payload["t_end"]) for payload in payloads]
    assert np.diff(ends_ms).min() > 400  # by the clock, which follows the device
    assert np.diff(ends_ms).max() < 600
    assert {payload["lost_s"] for payload in payloads[-6:]} == {payloads[-1]["lost_s"]}
    assert len(lines(log, "reloaded; pump1: another input")) == 1


def test_source_that_vanished_between_two_runs_is_cleared(broker: Broker, machine: CalibratedMachine, tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, machine.samples[: 2 * RATE_HZ], RATE_HZ, subtype="FLOAT")
    with running(tmp_path, broker, {"pump1": files(machine.bundle, sound), "fan2": files(machine.bundle, sound)}) as daemon:
        daemon.finish()
    with running(tmp_path, broker, {"pump1": files(machine.bundle, sound)}) as daemon:
        daemon.finish()
        assert daemon.subscriber.texts("/fan2/availability")[-1] == ""
    with broker.subscriber() as later:
        later.wait_for(lambda s: s.texts("/pump1/state"))
        later.wait_for(lambda s: s.texts("/status"))
    assert not [message.topic for message in later.messages if "fan2" in message.topic]


def test_request_reload_from_code_says_how_it_went(
    broker: Broker, machine: CalibratedMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, machine.samples[: 2 * RATE_HZ], RATE_HZ, subtype="FLOAT")
    path = tmp_path / "config.yaml"
    config = {
        "node": "test",
        "mqtt": {"host": HOST, "port": broker.port},
        "outbox": {"path": str(tmp_path / "outbox.sqlite")},
        "sources": {"pump1": files(machine.bundle, sound, realtime=True, loop=True)},
    }
    path.write_text(yaml.safe_dump(config))
    told: list[str | None] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        daemon = Assembly(Plan.of(load_config(path))).daemon(path)

        def then_break(problem: str | None) -> None:
            told.append(problem)
            path.write_text("node:")
            daemon.request_reload(then_stop)

        def then_stop(problem: str | None) -> None:
            told.append(problem)
            daemon.request_reload(told.append)  # too late
            os.kill(os.getpid(), signal.SIGTERM)

        daemon.request_reload(then_break)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        try:
            assert daemon.run() == 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        said = [systemd.recv(200) for _ in range(6)]
    assert told[0] is None
    assert told[1] is not None
    assert told[1].startswith(f"{path}:1: node: ")
    assert told[2] == "the daemon is stopping"
    assert [message.split(b"=")[0] for message in said] == [b"READY", b"RELOADING", b"READY", b"RELOADING", b"READY", b"STOPPING"]
    assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", said[1])


def test_run_whose_terminal_is_closed_ends(broker: Broker, machine: CalibratedMachine, tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, machine.samples[: 2 * RATE_HZ], RATE_HZ, subtype="FLOAT")
    with running(tmp_path, broker, {"pump1": files(machine.bundle, sound, realtime=True, loop=True)}) as daemon:
        daemon.subscriber.wait_for(lambda s: s.texts("/status") == ["online"])
        daemon.stop()
        command = [sys.executable, str(PROJECT / "auscult.py"), "run", "--config", str(daemon.path)]
        spawn = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])", *command]
        with subprocess.Popen(spawn, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as terminal:
            daemon.subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline", "online"])
            (pid,) = map(int, Path(f"/proc/{terminal.pid}/task/{terminal.pid}/children").read_text().split())
            assert daemon.reload(pid=pid)["result"] == "applied"
            daemon.subscriber.wait_for(lambda s: s.texts("/pump1/availability")[-1] == "online")
            terminal.kill()
        daemon.subscriber.wait_for(lambda s: s.texts("/status")[-1] == "offline")
        assert daemon.subscriber.texts("/pump1/availability")[-1] == "offline"  # it said goodbye; the will says only `status`


@pytest.mark.slow  # a minute of real time
def test_run_reload_adds_a_source_to_a_device_that_others_hear_and_pulling_it_out_takes_all_of_them(
    pulse: PulseServer, machine: CalibratedMachine, broker: Broker, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (90 * SINK_RATE_HZ, 8)).astype(np.float32)

    def plug() -> None:
        pulse.plug("array_microphone", channels=8)
        pulse.play(noise, sink="array_microphone")

    def channel(number: int) -> dict[str, Any]:
        return {"bundle": str(machine.bundle), "microphone": {"device": "array_", "rate_hz": 48000, "channels": 8, "channel": number}}

    plug()
    with running(tmp_path, broker, {f"pump{number}": channel(number) for number in range(3)}) as node:

        def health(name: str) -> dict[str, Any]:
            found: dict[str, Any] = json.loads(node.subscriber.texts("/health")[-1])["sources"][name]
            return found

        def is_gone(name: str) -> bool:
            return "no such input device" in (health(name)["reason"] or "")

        def is_back(name: str) -> bool:
            return node.subscriber.texts(f"/{name}/availability") == ["offline", "online"] * 2

        for name in node.config["sources"]:
            node.wait_for_scores(4, name)
        node.config["sources"]["pump7"] = channel(7)
        assert node.reload()["result"] == "applied"
        node.wait_for_scores(1, "pump7")
        assert pulse.streams("array_microphone") == 1
        assert {name: (health(name)["lost_s"], health(name)["xruns"]) for name in node.config["sources"]} == dict.fromkeys(
            node.config["sources"], (0.0, 0)
        )
        for name in node.config["sources"]:
            assert node.subscriber.texts(f"/{name}/availability") == ["offline", "online"]
        pulse.unplug("array_microphone")
        for name in node.config["sources"]:
            node.subscriber.wait_for(lambda _: is_gone(name), 30.0)  # noqa: B023
        plug()
        for name in node.config["sources"]:
            node.subscriber.wait_for(lambda _: is_back(name), 60.0)  # noqa: B023
            assert health(name)["lost_s"] > 3.0
        assert pulse.streams("array_microphone") == 1
        node.stop()


def test_run_reload_to_a_stream_that_is_away_is_applied_and_says_why_it_is(
    machine: CalibratedMachine, broker: Broker, tmp_path: Path
) -> None:
    require_ffmpeg()
    with running(tmp_path, broker, {"pump1": stdin(machine.bundle)}) as node:
        node.subscriber.wait_for(lambda s: s.texts("/health"))
        node.config["sources"]["camera"] = {"bundle": str(machine.bundle), "url": {"address": "http://127.0.0.1:1/x", "rate_hz": 8000}}
        assert "8000 Hz" in node.reload()["problem"]  # less than the bundle needs
        node.config["sources"]["camera"]["url"]["rate_hz"] = RATE_HZ
        assert node.reload()["result"] == "applied"
        node.subscriber.wait_for(
            lambda s: json.loads(s.texts("/health")[-1])["sources"]["camera"]["reason"] == "http://127.0.0.1:1/x: Connection refused"
        )
        node.stop()
