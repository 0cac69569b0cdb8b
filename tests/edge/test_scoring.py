from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.errors import AudioError, BundleError
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.pipeline import Listener
from edge.scoring import listen, score_file
from export.synthesis import inject, tone_fault
from tests.bundles import RATE_HZ, CalibratedMachine


@pytest.fixture
def faulty(machine: CalibratedMachine, tmp_path: Path) -> Path:
    samples = inject(machine.samples[: 14 * RATE_HZ], tone_fault(RATE_HZ, 1, 3.0, 5200.0, -30.0), 4.0)
    soundfile.write(tmp_path / "faulty.wav", samples, RATE_HZ, subtype="FLOAT")
    return tmp_path / "faulty.wav"


def test_score_file_is_that_of_its_highest_window(machine: CalibratedMachine, faulty: Path) -> None:
    result = score_file(machine.model, faulty)
    assert result.file == faulty
    assert result.seconds == pytest.approx(14.0)
    assert result.score == max(window.score or 0.0 for window in result.windows)
    assert result.score > 1.0


def test_score_file_equals_the_same_audio_pushed_as_the_daemon_does(machine: CalibratedMachine, faulty: Path) -> None:
    samples = soundfile.read(faulty, dtype="float32")[0]
    listener = Listener(machine.model, RATE_HZ)
    results: list[Window | Event] = []
    for start in range(0, len(samples), 3200):
        results += listener.push(samples[start : start + 3200])
    results += listener.finish()
    pushed = [result for result in results if isinstance(result, Window)]
    scored = score_file(machine.model, faulty).windows
    assert [(window.t_end_s, window.score, window.heads) for window in pushed] == [
        (window.t_end_s, window.score, window.heads) for window in scored
    ]


def test_score_file_normal_recordings_are_below_the_threshold(machine: CalibratedMachine) -> None:
    assert max(score_file(machine.model, path).score for path in machine.recordings) < 1.0


def test_score_file_channel_is_picked(machine: CalibratedMachine, faulty: Path, tmp_path: Path) -> None:
    wrong = soundfile.read(faulty, dtype="float32")[0]
    right = machine.samples[: len(wrong)]
    soundfile.write(tmp_path / "two.wav", np.stack([right, wrong], axis=1), RATE_HZ, subtype="FLOAT")
    assert score_file(machine.model, tmp_path / "two.wav", 0).score < 1.0
    assert score_file(machine.model, tmp_path / "two.wav", 1).score == score_file(machine.model, faulty).score


@pytest.mark.parametrize(
    ("samples", "rate_hz", "says"),
    [(np.full(3000, 0.1), RATE_HZ, "at least 0.25 s"), (np.zeros(3 * RATE_HZ), RATE_HZ, "digital silence")],
)
def test_score_file_without_enough_sound_is_refused(
    machine: CalibratedMachine, tmp_path: Path, samples: np.ndarray[tuple[int], np.dtype[np.float64]], rate_hz: int, says: str
) -> None:
    soundfile.write(tmp_path / "a.wav", samples, rate_hz)
    with pytest.raises(AudioError, match=says):
        score_file(machine.model, tmp_path / "a.wav")


def test_score_file_with_a_silent_channel_names_the_loudest(machine: CalibratedMachine, tmp_path: Path) -> None:
    sound = machine.samples[: 3 * RATE_HZ]
    soundfile.write(tmp_path / "a.wav", np.stack([np.zeros_like(sound), sound / 10, sound], axis=1), RATE_HZ)
    with pytest.raises(AudioError, match=r"a\.wav: holds too little sound .*; its channel 2 is the loudest, at -\d+ dBFS: --channel 2$"):
        score_file(machine.model, tmp_path / "a.wav")
    assert score_file(machine.model, tmp_path / "a.wav", 2).score > 0.0


def test_score_file_that_is_too_narrow_is_refused(machine: CalibratedMachine, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "narrow.wav", machine.samples[:32000], 16000)
    with pytest.raises(BundleError, match=r"narrow\.wav carries only 8000 Hz"):
        score_file(machine.model, tmp_path / "narrow.wav")


def test_listen_tells_windows_and_events_in_order(machine: CalibratedMachine, faulty: Path) -> None:
    results = list(listen(Listener(machine.model, RATE_HZ), faulty))
    kinds = [result.type if isinstance(result, Event) else "window" for result in results]
    assert kinds[0] == "window"
    assert [kind for kind in kinds if kind != "window"] == ["opened", "updated", "closed"]
    assert kinds[-1] == "closed"
