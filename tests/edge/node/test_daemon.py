from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile

from edge.commands.schema import schema_document
from tests.broker import USERNAME, Broker, MakeBroker, Received, Subscriber
from tests.certificates import Authority

RATE_HZ = 16000
PROJECT = Path(__file__).parents[3]
TOPIC = "auscult/test/pump1"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Ten seconds: quiet, and loud from 4 s to 6 s."""
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.1, 0.1, 10 * RATE_HZ)
    samples[4 * RATE_HZ : 6 * RATE_HZ] *= 7.0
    path = tmp_path / "sound.wav"
    soundfile.write(path, samples, RATE_HZ)
    return path


@contextmanager
def daemon(folder: Path, port: int, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The tiny daemon in a process of its own, killed in the end if it still runs."""
    file = folder / "settings.json"
    file.write_text(json.dumps({"port": port, "folder": str(folder), "realtime": False, "loop": False, **settings}))
    command = [sys.executable, "-m", "tests.edge.node.tiny_daemon", str(file)]
    process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finished(process: subprocess.Popen[bytes], sound: bytes | None = None) -> tuple[int, str]:
    _, log = process.communicate(sound, timeout=30.0)
    return process.returncode, log.decode()


def check_payloads(messages: list[Received]) -> None:
    schemas = {topic: entry for topic, entry in schema_document()["topics"].items()}
    for message in messages:
        topic = message.topic.replace("auscult/test/pump1", "auscult/<node>/<source>").replace("auscult/test", "auscult/<node>")
        entry = schemas[topic]
        payload = message.text if entry["content_type"] == "text/plain" else json.loads(message.text)
        jsonschema.validate(payload, entry["payload"])
        assert (message.qos, message.retained) == (entry["qos"], entry["retained"]), message.topic


def decoded(subscriber: Subscriber, topic: str) -> list[dict[str, Any]]:
    return [json.loads(text) for text in subscriber.texts(topic)]


def test_daemon_file_every_topic_is_published_as_the_schema_says(broker: Broker, sound: Path, tmp_path: Path) -> None:
    with broker.subscriber() as subscriber, daemon(tmp_path, broker.port, files=[str(sound)]) as process:
        code, log = finished(process)
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])
    assert code == 0, log
    assert "Traceback" not in log
    check_payloads(subscriber.messages)
    assert {message.topic for message in subscriber.messages} == {
        *(f"auscult/test/{name}" for name in ("status", "info", "health")),
        *(f"{TOPIC}/{name}" for name in ("availability", "score", "state", "event", "level")),
    }
    scores = decoded(subscriber, "/score")
    assert [score["anomalous"] for score in scores] == [False] * 8 + [True] * 4 + [False] * 8
    assert scores[0]["localization"]["time_scores"][1] is None  # not a number there
    events = decoded(subscriber, "/event")
    assert [event["type"] for event in events] == ["opened", "closed"]
    assert events[0]["id"] == events[1]["id"]
    assert events[0]["t_start"] == events[1]["t_start"] == scores[8]["t_start"]
    assert subscriber.texts("/state") == ["OFF", "ON", "OFF"]
    assert subscriber.texts("/availability") == ["offline", "online", "offline"]
    assert len(decoded(subscriber, "/level")) == 10
    info = decoded(subscriber, "/info")[-1]
    assert info["sources"]["pump1"]["bundle"] == events[0]["bundle"]
    health = decoded(subscriber, "/health")[-1]
    assert health["outbox"]["dropped"] == 0
    assert health["inference_p95_ms"] >= health["inference_p50_ms"] > 0
    assert 10 < health["rss_mb"] < 1000


def test_daemon_dead_signal_is_unavailable_and_its_level_null(broker: Broker, tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(5 * RATE_HZ), RATE_HZ)
    with broker.subscriber() as subscriber, daemon(tmp_path, broker.port, files=[str(silence)]) as process:
        assert finished(process)[0] == 0
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])
    assert subscriber.texts("/availability") == ["offline"]
    levels = decoded(subscriber, "/level")
    assert len(levels) == 5
    assert all(level["dbfs"] is None and level["peak_dbfs"] is None for level in levels)
    check_payloads(subscriber.messages)


def test_daemon_source_that_fails_says_so_and_ends_the_others_properly(broker: Broker, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.wav"
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, 3 * RATE_HZ)
    samples[-1] = np.nan
    soundfile.write(damaged, samples, RATE_HZ, subtype="FLOAT")
    with broker.subscriber() as subscriber, daemon(tmp_path, broker.port, files=[str(damaged)]) as process:
        code, log = finished(process)
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])
    assert code == 2
    assert (
        log.splitlines()[-1]
        == f"auscult: {damaged}: holds samples that are not sound (NaN, infinite or far beyond full scale); record or convert it again"
    )
    assert subscriber.texts("/availability") == ["offline", "online", "offline"]
    assert subscriber.texts("/state") == ["OFF", "ON", "OFF"]


def test_daemon_source_that_cannot_be_opened_is_one_line_and_nothing_is_published(broker: Broker, tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound", encoding="utf-8")
    with broker.subscriber() as subscriber, daemon(tmp_path, broker.port, files=[str(text)]) as process:
        code, log = finished(process)
    assert (code, log.count("\n")) == (2, 1)
    assert log.startswith(f"auscult: {text}: not a WAV, FLAC or OGG file")
    assert subscriber.messages == []


def test_daemon_killed_broker_publishes_the_will(broker: Broker, sound: Path, tmp_path: Path) -> None:
    with broker.subscriber() as subscriber, daemon(tmp_path, broker.port, files=[str(sound)], realtime=True, loop=True) as process:
        subscriber.wait_for(lambda s: s.texts("/availability")[-1:] == ["online"])
        process.kill()
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_daemon_signal_closes_events_and_says_goodbye(broker: Broker, tmp_path: Path, number: signal.Signals, code: int) -> None:
    loud = tmp_path / "loud.wav"
    soundfile.write(loud, np.random.default_rng(0).uniform(-0.9, 0.9, RATE_HZ), RATE_HZ)
    with broker.subscriber() as subscriber, daemon(tmp_path, broker.port, files=[str(loud)], realtime=True, loop=True) as process:
        subscriber.wait_for(lambda s: s.texts("/state")[-1:] == ["ON"] and s.texts("/availability")[-1:] == ["online"])
        os.kill(process.pid, number)
        assert finished(process)[0] == code
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])
    assert [event["type"] for event in decoded(subscriber, "/event")] == ["opened", "closed"]
    assert subscriber.texts("/state") == ["OFF", "ON", "OFF"]
    assert subscriber.texts("/availability") == ["offline", "online", "offline"]
    health = decoded(subscriber, "/health")
    assert 0.0 <= health[-2]["lag_s"] < 1.0


def test_daemon_stdin_ends_with_the_pipe(broker: Broker, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-3000, 3000, 3 * RATE_HZ).astype("<i2")
    with broker.subscriber() as subscriber, daemon(tmp_path, broker.port, rate_hz=RATE_HZ) as process:
        assert finished(process, samples.tobytes())[0] == 0
        subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])
    assert len(decoded(subscriber, "/score")) == 6


def test_daemon_broker_away_at_start_events_arrive_when_it_comes(make_broker: MakeBroker, sound: Path, tmp_path: Path) -> None:
    broker = make_broker(start=False)
    with daemon(tmp_path, broker.port, files=[str(sound)]) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if b"end of the stream" in line:
                break
        # The subscriber's session must exist before the daemon comes back, which is within 0.2 s: so stop it for that long.
        os.kill(process.pid, signal.SIGSTOP)
        broker.start()
        with broker.subscriber() as subscriber:
            os.kill(process.pid, signal.SIGCONT)
            subscriber.wait_for(lambda s: s.texts("/status") == ["online", "offline"])
            assert [event["type"] for event in decoded(subscriber, "/event")] == ["opened", "closed"]
            assert subscriber.of("/score") == []
            check_payloads(subscriber.messages)
        assert process.wait(10.0) == 0


def test_daemon_login_refused_is_one_line_and_exit_2(make_broker: MakeBroker, sound: Path, tmp_path: Path) -> None:
    broker = make_broker(password=True)
    with daemon(tmp_path, broker.port, files=[str(sound)], username=USERNAME, password="wrong") as process:
        code, log = finished(process)
    assert code == 2
    assert log.count("\n") == 1
    assert log.startswith(f"auscult: mqtt://127.0.0.1:{broker.port}: the broker refused us")


def test_daemon_certificate_untrusted_is_one_line_and_exit_2(make_broker: MakeBroker, sound: Path, tmp_path: Path) -> None:
    broker = make_broker(authority=Authority(tmp_path))
    other = Authority(tmp_path, "somebody else")
    with daemon(tmp_path, broker.port, files=[str(sound)], ca_file=str(other.ca_file)) as process:
        code, log = finished(process)
    assert code == 2
    assert log.count("\n") == 1
    assert "certificate is not trusted" in log
