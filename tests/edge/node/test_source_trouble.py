from __future__ import annotations

import logging
import threading
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge import clock
from edge.audio.block import Block
from edge.errors import AudioError, BundleError, DeviceError
from edge.node import source_keeper
from edge.node.source_report import source_health, source_info
from edge.node.source_worker import SourceWorker
from edge.node.stream import MOST_LAG_S
from tests.edge.node.scripted_source import RATE_HZ, ScriptedSource, make_worker, noise
from tests.edge.node.tiny_daemon import LoudnessListener


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_keeper, "RETRY_FIRST_S", 0.0)
    monkeypatch.setattr(source_keeper, "RETRY_LONGEST_S", 0.0)


def settle(worker: SourceWorker, source: ScriptedSource) -> None:
    """Until the source has been tried once more."""
    opened = source.opened
    while source.opened == opened:
        worker.step()
    if worker.keeper._opening is not None:
        worker.keeper._opening.wait(10.0)
        worker.step()


def test_worker_device_that_is_not_there_is_offline_with_a_reason_and_comes_later(tmp_path: Path) -> None:
    gone = DeviceError('device "usb"', "no such input device")
    source = ScriptedSource([noise(1.5)], [gone, gone, RATE_HZ])
    worker, said = make_worker(source, tmp_path)
    worker.open()
    assert said.of("availability") == ["offline"]
    assert source_health(worker).reason == 'device "usb": no such input device'
    assert (source_health(worker).rate_hz, source_health(worker).lost_s, source_health(worker).lag_s) == (None, 0.0, None)
    assert source_info(worker).rate_hz == 0
    settle(worker, source)
    assert source_health(worker).reason == 'device "usb": no such input device'
    settle(worker, source)
    assert worker.step()
    assert said.of("availability") == ["offline", "online"]
    health = source_health(worker)
    assert (health.reason, health.rate_hz) == (None, RATE_HZ)
    assert len(said.of("score")) == 3


def test_worker_device_that_fails_again_and_again_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource([], [DeviceError("usb", "gone")])
    worker, _ = make_worker(source, tmp_path)
    with caplog.at_level(logging.INFO):
        worker.open()
        for _ in range(5):
            settle(worker, source)
    assert [record.getMessage() for record in caplog.records] == ["pump1: usb: gone; trying again, every 0 s at the latest"]


def test_worker_file_that_does_not_exist_or_bundle_that_does_not_fit_is_raised_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(AudioError):
        make_worker(ScriptedSource([], [AudioError("a.wav", "no such file")]), tmp_path)[0].open()

    def refuse(rate_hz: int) -> LoudnessListener:
        raise BundleError("pump1.auscult", f"{rate_hz} Hz is too low")

    with pytest.raises(BundleError):
        make_worker(ScriptedSource(), tmp_path, refuse)[0].open()


def test_worker_stream_that_fails_ends_alone_and_closes_its_event(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    damaged = AudioError("a.wav", "damaged: ends after 2.00 of 3.00 s")
    worker, said = make_worker(ScriptedSource([noise(1.0, 0.9), damaged]), tmp_path)
    worker.open()
    assert worker.step()
    assert worker.step()
    assert worker.finished
    assert worker.error is damaged
    assert [event["type"] for event in said.of("event")] == ["opened", "closed"]
    assert said.of("state") == ["OFF", "ON", "OFF"]
    assert said.of("availability") == ["offline", "online", "offline"]
    assert source_health(worker).reason == str(damaged)
    assert f"pump1: {damaged}; this source has ended" in caplog.messages
    assert not worker.step()


def test_worker_device_that_comes_back_with_another_rate_begins_a_new_stream(tmp_path: Path) -> None:
    steps: list[Block | Exception | None] = [noise(1.0, 0.9), DeviceError("usb", "pulled out")]
    source = ScriptedSource(steps, [RATE_HZ, 8000])
    worker, said = make_worker(source, tmp_path)
    worker.open()
    worker.step()
    settle(worker, source)
    source.steps = [noise(1.5, 0.9, 8000)]
    assert source_health(worker).rate_hz == 8000
    assert worker.step()
    events = said.of("event")
    assert [event["type"] for event in events] == ["opened", "closed", "opened"]
    assert [event["seq"] for event in events] == [1, 2, 3]
    assert len(said.of("score")) == 2 + 3
    assert said.of("availability") == ["offline", "online", "offline", "online"]


def test_worker_device_whose_new_rate_the_bundle_does_not_take_is_offline(tmp_path: Path) -> None:
    def make_listener(rate_hz: int) -> LoudnessListener:
        if rate_hz < RATE_HZ:
            raise BundleError("pump1.auscult", f"{rate_hz} Hz is too low")
        return LoudnessListener(rate_hz)

    source = ScriptedSource([noise(1.0), DeviceError("usb", "pulled out")], [RATE_HZ, 8000, RATE_HZ])
    worker, said = make_worker(source, tmp_path, make_listener)
    worker.open()
    worker.step()
    settle(worker, source)
    source.steps = [noise(1.0)]
    assert source_health(worker).reason == "pump1.auscult: 8000 Hz is too low"
    settle(worker, source)
    worker.step()
    assert said.of("availability") == ["offline", "online", "offline", "online"]


def test_worker_overload_sheds_the_oldest_in_whole_hops_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource([noise(0.5)] * 12)
    worker, said = make_worker(source, tmp_path)
    worker.open()
    shed = []
    for _ in range(12):  # each block takes twice as long as it lasts: one more waits behind it
        source.waiting_s += 1.0
        before_s = source_health(worker).shed_s
        worker.step()
        source.waiting_s -= 0.5
        shed.append(source_health(worker).shed_s - before_s)
        assert source.waiting_s <= MOST_LAG_S
    # Of a backlog of 5.5 s one hop is kept, beside the half second that is read.
    assert [round(part, 3) for part in shed] == [0.0] * 9 + [5.0, 0.0, 0.0]
    assert source_health(worker).lost_s == source_health(worker).shed_s == 5.0
    assert [score["lost_s"] for score in said.of("score")] == [0.0] * 9 + [5.0, 0.0, 0.0]
    assert "inference is slower than the sound; 5.00 s were left out" in caplog.text


def test_worker_suspension_of_the_machine_is_lost_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, said = make_worker(ScriptedSource([noise(0.5), noise(0.5), noise(0.5)]), tmp_path)
    worker.open()
    worker.step()
    before_s = clock.suspended_s()
    monkeypatch.setattr(clock, "suspended_s", lambda: before_s + 7200.0)
    worker.step()
    worker.step()
    assert source_health(worker).lost_s == pytest.approx(7200.0, abs=0.01)
    assert [score["lost_s"] for score in said.of("score")] == [0.0, pytest.approx(7200.0, abs=0.01), 0.0]


def test_worker_outage_is_passed_to_the_listener_while_it_lasts_and_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.node.stream_position.OUTAGE_S", 0.0)
    source = ScriptedSource([noise(0.5), DeviceError("usb", "pulled out")], [RATE_HZ, DeviceError("usb", "gone"), RATE_HZ])
    worker, said = make_worker(source, tmp_path)
    worker.open()
    worker.step()
    assert worker._stream is not None
    worker._stream.position._block_at_s -= 100.0
    worker.step()
    assert source_health(worker).lost_s == pytest.approx(99.0, abs=0.9)  # one second is left for the source to tell
    source.steps = [noise(0.5, lost_samples=101 * RATE_HZ)]
    settle(worker, source)
    settle(worker, source)
    worker.step()
    assert source_health(worker).lost_s == pytest.approx(101.0, abs=0.01)
    assert [score["lost_s"] for score in said.of("score")] == [0.0, pytest.approx(101.0, abs=0.01)]


@pytest.mark.parametrize(
    ("samples", "reason"),
    [(np.zeros(RATE_HZ), "digital silence"), (np.full(RATE_HZ, 0.3), "same value"), (np.sign(np.sin(np.arange(RATE_HZ))), "full scale")],
)
def test_worker_signal_that_is_no_sound_is_offline_with_its_reason_and_then_opened_again(
    tmp_path: Path, samples: NDArray[np.float64], reason: str
) -> None:
    source = ScriptedSource([noise(1.0)] + [Block(samples.astype(np.float32)) for _ in range(61)])
    worker, said = make_worker(source, tmp_path)
    worker.open()
    for _ in range(5):
        worker.step()
    assert said.of("availability") == ["offline", "online", "offline"]
    assert reason in (source_health(worker).reason or "")
    for _ in range(56):
        worker.step()
    source.steps = [noise(1.0)]
    settle(worker, source)
    worker.step()
    assert source.opened == 2
    assert said.of("availability") == ["offline", "online", "offline", "online"]


def test_worker_clipping_and_drift_are_warnings_of_a_source_that_is_online(tmp_path: Path) -> None:
    loud = Block(np.clip(noise(1.0, 1.05).samples, -1.0, 1.0))
    worker, _ = make_worker(ScriptedSource([loud, loud]), tmp_path)
    worker.open()
    worker.step()
    worker.clock._drift.slope = 0.002
    health = source_health(worker)
    assert health.availability == "online"
    assert health.clipped_fraction == pytest.approx(0.05, abs=0.01)
    assert health.measured_rate_hz == pytest.approx(15968.1)
    assert health.warnings == [
        "clipping: lower the gain, then calibrate again",
        "the device gives 15968 samples a second instead of 16000",
    ]


def test_worker_device_that_hangs_while_it_is_opened_delays_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    source = ScriptedSource([noise(1.5)])
    monkeypatch.setattr(source_keeper, "OPEN_WAIT_S", 0.01)

    def open_slowly() -> None:
        answers.wait(10.0)
        ScriptedSource.open(source)

    monkeypatch.setattr(source, "open", open_slowly)
    worker, said = make_worker(source, tmp_path)
    worker.open()
    assert not worker.step()
    assert source_health(worker).reason == "scripted does not answer"
    answers.set()
    settle(worker, source)
    while worker.step():
        pass
    assert said.of("availability") == ["offline", "online"]


def test_worker_event_keeps_its_time_when_the_wall_clock_jumps(tmp_path: Path) -> None:
    worker, said = make_worker(
        ScriptedSource([noise(0.5, level, heard_at_s=1000.0 + 0.5 * at) for at, level in enumerate((0.9, 0.9, 0.1, 0.9))]), tmp_path
    )
    worker.open()
    worker.step()
    worker.step()
    jumped_s = worker.clock._wall() - 5 * 3600.0
    worker.clock._wall = lambda: jumped_s
    worker.step()
    worker.step()
    opened, closed, next_one = said.of("event")
    assert opened["t_start"] == closed["t_start"]
    assert parsed(closed["t_end"]) - parsed(closed["t_start"]) == pytest.approx(1.5, abs=0.2)
    assert parsed(opened["t_start"]) - parsed(next_one["t_start"]) == pytest.approx(5 * 3600.0, abs=10.0)


def parsed(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
