"""The parts of the demo, each alone: what it plays, its broker and subscriber, its judgement and its picture."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import paho.mqtt.client as mqtt
import pytest
import soundfile
from paho.mqtt.enums import CallbackAPIVersion

from calibrate.commands import demo as command
from calibrate.demo.broker import DemoBroker
from calibrate.demo.picture import ScoreTrace, draw_picture
from calibrate.demo.replay import Replay
from calibrate.demo.scene import STREAM_S, TONE_HZ, Injection, Scene, build_scene
from calibrate.demo.show import DemoResult, Message
from calibrate.demo.subscriber import DemoSubscriber
from calibrate.demo.verdict import Alert, failures
from edge.features.frontend import PANNS
from edge.judgement.window import Region
from edge.mqtt.payloads import EventPayload, RegionPayload

pytest.importorskip("amqtt")

KNOCK = Injection("knock", "a knock", 130.0, 130.2, 600.0, 14000.0)
TONE = Injection("tone", "a tone at 3150 Hz", 165.0, 170.0, 3150.0, 3150.0)
SCENE = Scene((Path("a.flac"),), Path("stream.flac"), (KNOCK, TONE), normal_s=120.0, stream_s=235.0)


def alert(start_s: float, end_s: float, f_lo_hz: float = 2900.0, f_hi_hz: float = 3500.0, name: str = "A") -> Alert:
    return Alert(name, start_s, end_s, 2.0, (Region(0.0, end_s - start_s, f_lo_hz, f_hi_hz, 2.0),), closed=True)


GOOD = [alert(129.9, 131.0, name="A"), alert(165.2, 169.0, name="B")]


def test_verdict_when_each_fault_has_one_event_passes() -> None:
    assert failures(GOOD, SCENE) == []


@pytest.mark.parametrize(
    ("alerts", "complaint"),
    [
        ([], "0 events instead of one"),
        (GOOD[:1], "a tone at 3150 Hz at 165.0 s: 0 events"),
        ([*GOOD, alert(168.0, 172.0)], "2 events instead of one"),
        ([*GOOD, alert(20.0, 22.0)], "false alarm in the normal part: event at 20.0-22.0 s"),
        ([*GOOD, alert(150.0, 151.0)], "false alarm between the faults"),
        ([GOOD[0], alert(165.0, 170.0, 5000.0, 6000.0)], "its regions are elsewhere (5000-6000 Hz)"),
        ([GOOD[0], replace(GOOD[1], regions=())], "no region of its event is there"),
        ([GOOD[0], replace(GOOD[1], closed=False)], "never closed"),
        ([alert(128.0, 129.4), GOOD[1]], "a knock at 130.0 s: 0 events"),  # more than half a second too early
    ],
)
def test_verdict_when_a_promise_is_broken_says_which(alerts: list[Alert], complaint: str) -> None:
    assert any(complaint in failure for failure in failures(alerts, SCENE)), failures(alerts, SCENE)


def test_scene_is_as_long_as_asked_and_holds_its_faults(tmp_path: Path) -> None:
    heard_s: list[float] = []
    scene = build_scene(tmp_path, 0.5, 3, heard_s.append)
    infos = [soundfile.info(path) for path in scene.recordings]
    assert len(infos) >= 5
    assert sum(info.frames for info in infos) == pytest.approx(30 * 32000, abs=len(infos))
    assert {info.samplerate for info in infos} == {32000}
    assert sum(heard_s) == pytest.approx(30.0 + STREAM_S, abs=0.01)
    assert [injection.kind for injection in scene.injections] == ["knock", "tone", "bearing"]
    assert scene.injections[0].start_s > scene.normal_s
    samples, rate_hz = soundfile.read(scene.stream, dtype="float32")
    assert len(samples) == round(STREAM_S * rate_hz)
    assert 0.01 < np.max(np.abs(samples)) < 1.0
    tone = scene.injections[1]
    inside = np.abs(np.fft.rfft(samples[round((tone.start_s + 0.5) * rate_hz) :][: 4 * rate_hz]))
    before = np.abs(np.fft.rfft(samples[round((tone.start_s - 5.0) * rate_hz) :][: 4 * rate_hz]))
    line = slice(round(4 * (TONE_HZ - 5)), round(4 * (TONE_HZ + 5)))  # 0.25 Hz per bin
    assert inside[line].max() > 5 * before[line].max()


def event(seq: int) -> EventPayload:
    return EventPayload(
        schema=1,
        id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        epoch="5e",
        seq=seq,
        type="opened",
        source="machine",
        t_start="2026-11-20T10:00:00.000Z",
        t_end="2026-11-20T10:00:10.000Z",
        peak_score=1.5,
        p_value=0.001,
        regions=[RegionPayload(t0_s=0.0, t1_s=1.0, f_lo_hz=100.0, f_hi_hz=200.0, score=1.5)],
        detector="patchcore",
        bundle="sha256:" + "0" * 64,
        lost_s=0.0,
        clock_synced=True,
        replayed=False,
        interrupted=False,
        clip=None,
    )


def test_subscriber_hears_events_in_order_and_the_nodes_last_word() -> None:
    with DemoBroker() as broker:
        node = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        node.connect(broker.host, broker.port)
        node.loop_start()
        node.publish("auscult/demo/status", "offline", qos=1, retain=True).wait_for_publish(10)  # left by an earlier run
        with DemoSubscriber(broker.host, broker.port, "demo", "machine") as subscriber:
            node.publish("auscult/demo/status", "online", qos=1, retain=True)
            for seq in range(3):
                node.publish("auscult/demo/machine/event", msgspec.json.encode(event(seq)), qos=1)
            assert not subscriber.wait_until_offline(0.2)
            node.publish("auscult/demo/status", "offline", qos=1, retain=True)
            assert subscriber.wait_until_offline(10)
            assert subscriber.events == [event(seq) for seq in range(3)]
        node.disconnect()
        node.loop_stop()


def test_broker_after_its_block_no_longer_listens() -> None:
    with DemoBroker() as broker:
        pass
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    with pytest.raises(OSError, match="refused"):
        client.connect(broker.host, broker.port)


def test_picture_of_any_map_is_a_large_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    ends_s = np.arange(10.0, 235.0, 0.5)
    scores = rng.uniform(0.3, 1.4, len(ends_s))
    scores[5] = np.nan
    anomaly_map = rng.uniform(0.0, 2.0, (5875, 16)).astype(np.float32)
    anomaly_map[:40] = np.nan
    log_mel = rng.normal(-20.0, 5.0, (23500, 64)).astype(np.float32)
    started_s = time.monotonic()
    draw_picture(tmp_path / "demo.png", Replay(PANNS, log_mel, anomaly_map), ScoreTrace(ends_s, scores), SCENE, GOOD)
    assert time.monotonic() - started_s < 20.0
    content = (tmp_path / "demo.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 50_000


def result(alerts: list[Alert], broken: list[str]) -> DemoResult:
    messages = tuple(Message("closed", each) for each in alerts)
    return DemoResult(SCENE, Path("machine.auscult"), Path("demo.png"), messages, tuple(alerts), tuple(broken), 450)


def test_command_text_shows_a_row_per_message_and_the_verdict() -> None:
    text = "\n".join(command._text(result(GOOD, [])))
    assert "auscult/demo/machine/event" in text
    assert "2900-3500 Hz" in text
    assert "a tone at 3150 Hz (165.0-170.0 s)" in text
    assert "passed: silent for 120 s" in text
    failed = "\n".join(command._text(result([], ["a knock: 0 events instead of one"])))
    assert "FAILED: a knock" in failed
    assert "passed" not in failed


@pytest.mark.parametrize(
    ("minutes", "problem"),
    [
        *((minutes, f"must be from 3 to 600, not {minutes}") for minutes in ("0", "-5", "nan", "inf", "1e9")),
        ("many", "must be a number, not 'many'"),
    ],
)
def test_command_with_impossible_minutes_is_refused(minutes: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["--minutes", minutes])
    assert stop.value.code == 2
    assert f"argument --minutes: {problem}" in capsys.readouterr().err
