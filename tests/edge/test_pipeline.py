from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibrate.calibration import calibrate
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.settings import CalibrationSettings
from edge.errors import BundleError
from edge.features.backbone import BUILT_IN, DEFAULT_BACKBONE
from edge.judgement.event import Event
from edge.judgement.event_tracker import EventSettings
from edge.judgement.head_names import head_names
from edge.judgement.overhearing import HeardWindow
from edge.judgement.steady import STEADY_HEADS
from edge.judgement.threshold import Moved
from edge.judgement.window import Window
from edge.model import Model
from edge.pipeline import Listener
from export.synthesis import inject, knock_fault, tone_fault
from tests.bundles import HEARD_S, MACHINE_S, RATE_HZ, CalibratedMachine, resampled

Float32 = NDArray[np.float32]


def listened(machine: CalibratedMachine, steps: Iterable[Float32 | int], rate_hz: int = RATE_HZ) -> list[Window | Event]:
    """All results of pushing arrays and losing numbers of samples."""
    ids = iter(f"id{number}" for number in range(1000))
    listener = Listener(machine.model, rate_hz, new_id=lambda: next(ids))
    results: list[Window | Event] = []
    for step in steps:
        results += listener.lose(step) if isinstance(step, int) else listener.push(step)
    return results + listener.finish()


def windows_of(results: Sequence[Window | Event]) -> list[Window]:
    found = [result for result in results if isinstance(result, Window)]
    for window in found:
        assert 0.0 <= window.t_start_s < window.t_end_s
        cells = round((window.t_end_s - window.t_start_s) / 0.04)
        assert len(window.localization.time_scores) == cells
        numbers = [*window.heads.values(), window.lost_s, *(() if window.score is None else (window.score, window.p_value))]
        assert np.isfinite(np.array(numbers, float)).all()
        assert int(np.isnan(window.localization.time_scores).sum()) == round(window.lost_s / 0.04)
        assert all(part >= 0.0 for part in window.heads.values())
        if window.score is None:
            assert window.heads == {}
        else:
            assert sum(window.heads.values()) == pytest.approx(window.score)
            assert np.nanmax(window.localization.time_scores) <= window.score * (1 + 1e-5)
        assert window.anomalous == (window.score is not None and window.score >= 1.0) == bool(window.localization.regions)
    return found


def scores_of(results: Sequence[Window | Event]) -> list[float]:
    return [window.score for window in windows_of(results) if window.score is not None]


def as_comparable(results: Sequence[Window | Event]) -> list[Any]:
    return [
        (
            *(getattr(result, name) for name in ("t_start_s", "t_end_s", "score", "p_value", "heads", "lost_s")),
            result.localization.regions,
            result.localization.time_scores.tobytes(),
        )
        if isinstance(result, Window)
        else result
        for result in results
    ]


def seconds(machine: CalibratedMachine, start_s: float, end_s: float) -> Float32:
    return machine.samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]


@pytest.fixture(scope="module")
def faulty(machine: CalibratedMachine) -> Float32:
    """Thirteen seconds; a tone sounds from 4 to 7 s."""
    return inject(seconds(machine, 0, 13), tone_fault(RATE_HZ, 1, 3.0, 5200.0, -30.0), 4.0)


def test_listener_new_sound_of_the_same_machine_is_normal(machine: CalibratedMachine) -> None:
    results = listened(machine, [seconds(machine, 0, 20)])
    assert max(scores_of(results)) < 1.0
    assert not any(isinstance(result, Event) for result in results)


def test_listener_hottest_moment_of_an_alarm_has_the_score_of_its_window(machine: CalibratedMachine, faulty: Float32) -> None:
    windows = windows_of(listened(machine, [faulty]))
    assert all(window.anomalous for window in windows)
    for window in windows:
        assert window.localization.regions[0].score == pytest.approx(window.score, rel=1e-5)
        hottest_s = window.t_start_s + 0.04 * float(np.nanargmax(window.localization.time_scores))
        assert 4.0 < hottest_s < 7.0


def test_listener_tone_is_one_event_at_its_time_and_frequency(machine: CalibratedMachine, faulty: Float32) -> None:
    results = listened(machine, [faulty])
    assert max(scores_of(results)) > 1.5
    opened, *_, closed = [result for result in results if isinstance(result, Event)]
    assert (opened.type, closed.type, opened.id) == ("opened", "closed", closed.id)
    assert closed.t_start_s == pytest.approx(4.0, abs=0.5)
    assert closed.t_end_s == pytest.approx(7.0, abs=0.5)
    assert closed.regions[0].f_lo_hz < 5200.0 < closed.regions[0].f_hi_hz


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 13 * RATE_HZ), max_size=30))
def test_listener_any_sizes_of_pushes_give_the_same_results_bit_for_bit(
    machine: CalibratedMachine, faulty: Float32, cuts: list[int]
) -> None:
    assert as_comparable(listened(machine, np.split(faulty, sorted(cuts)))) == as_comparable(listened(machine, [faulty]))


def test_listener_sample_by_sample_gives_the_same_results(machine: CalibratedMachine) -> None:
    samples = seconds(machine, 0, 0.3)
    assert as_comparable(listened(machine, samples[:, None])) == as_comparable(listened(machine, [samples]))


@settings(max_examples=8, deadline=None)
@given(
    gaps=st.lists(st.tuples(st.integers(0, 12 * RATE_HZ), st.integers(1, 2 * RATE_HZ), st.sampled_from([0.0, np.nan])), max_size=5),
    cuts=st.lists(st.integers(0, 13 * RATE_HZ), max_size=10),
)
def test_listener_sound_with_holes_gives_the_same_results_for_any_pushes(
    machine: CalibratedMachine, faulty: Float32, gaps: list[tuple[int, int, float]], cuts: list[int]
) -> None:
    holed = faulty.copy()
    for start, length, value in gaps:
        holed[start : start + length] = value
    results = listened(machine, np.split(holed, sorted(cuts)))
    windows_of(results)
    assert as_comparable(results) == as_comparable(listened(machine, [holed]))


def test_listener_windows_lie_on_the_half_second_grid_and_end_with_the_sound(machine: CalibratedMachine) -> None:
    windows = windows_of(listened(machine, [seconds(machine, 0, 12.3)]))
    ends_s = [window.t_end_s for window in windows]
    assert ends_s[:-1] == pytest.approx([10.0, 10.48, 11.0, 11.48, 12.0])  # the last whole cell before each half second
    assert ends_s[-1] == pytest.approx(12.28)
    assert [window.t_end_s - window.t_start_s for window in windows] == pytest.approx([10.0] * 6)


def test_listener_windows_come_as_soon_as_their_sound_was_heard(machine: CalibratedMachine) -> None:
    listener = Listener(machine.model, RATE_HZ)
    heard_s = []
    for part in np.split(seconds(machine, 0, 14), 140):
        heard_s += [listener.heard_s - result.t_end_s for result in listener.push(part) if isinstance(result, Window)]
    assert len(heard_s) == 7
    assert max(heard_s) < 1.1  # two blocks of 0.32 s, half a hop and the push itself


@pytest.mark.parametrize("length_s", [0.25, 0.3, 1.0, 1.27, 1.3, 5.0, 9.99, 10.0])
def test_listener_short_sound_is_one_window_of_its_own_length(machine: CalibratedMachine, length_s: float) -> None:
    (window,) = windows_of(listened(machine, [seconds(machine, 2, 2 + length_s)]))
    assert window.t_start_s == 0.0
    assert window.t_end_s == pytest.approx(length_s, abs=0.041)
    assert window.score is not None
    assert set(window.heads) == {*head_names(machine.model.detector.features), *STEADY_HEADS}


def test_listener_normal_clip_of_one_second_is_normal(machine: CalibratedMachine) -> None:
    for start_s in range(0, 20, 2):
        assert max(scores_of(listened(machine, [seconds(machine, start_s, start_s + 1)]))) < 1.0


@pytest.mark.parametrize("samples", [0, 1, 2, 100, 959])
def test_listener_less_than_a_cell_gives_nothing(machine: CalibratedMachine, samples: int) -> None:
    assert listened(machine, [machine.samples[:samples]]) == []


def test_listener_lost_audio_is_counted_and_the_rest_judged_as_before(machine: CalibratedMachine) -> None:
    whole = windows_of(listened(machine, [seconds(machine, 0, 20)]))
    windows = windows_of(listened(machine, [seconds(machine, 0, 6), 2 * RATE_HZ, seconds(machine, 8, 20)]))
    assert [window.t_end_s for window in windows] == [window.t_end_s for window in whole]
    assert windows[0].lost_s == pytest.approx(2.0)
    lost = np.isnan(windows[0].localization.time_scores)
    np.testing.assert_array_equal(np.flatnonzero(lost), np.arange(150, 200))
    assert windows[-1].lost_s == 0.0
    assert max(scores_of(windows)) < 1.0


def test_listener_window_of_which_more_than_half_was_lost_has_no_score(machine: CalibratedMachine) -> None:
    for window in windows_of(listened(machine, [seconds(machine, 0, 11), 7 * RATE_HZ, seconds(machine, 11, 20)])):
        assert (window.score is None) == (window.lost_s > 5.0)
        assert (window.p_value is None) == (window.score is None)
        if window.score is None:
            assert not window.anomalous


@pytest.mark.parametrize("gap_s", [10, 60, 3600, 86_400])
def test_listener_continues_after_a_gap_longer_than_everything_it_holds(machine: CalibratedMachine, gap_s: int) -> None:
    windows = windows_of(listened(machine, [seconds(machine, 0, 11), gap_s * RATE_HZ, seconds(machine, 11, 22)]))
    assert windows[-1].t_end_s == pytest.approx(22.0 + gap_s, abs=0.04)
    assert windows[-1].score is not None
    assert windows[-1].lost_s == 0.0
    assert len(windows) < 60  # windows in which nothing was heard are left out
    heard = [window for window in windows if window.t_end_s > 11.1 and window.t_start_s < 10.9]
    assert len(heard) == 19  # those that reach into the gap still hold the sound before it
    assert all(window.lost_s < 10.0 for window in windows)
    grid = [window.t_end_s % 0.5 for window in windows[:-1]]
    assert all(rest < 1e-6 or rest > 0.459 for rest in grid)


def test_listener_many_small_gaps_are_survived(machine: CalibratedMachine) -> None:
    rng = np.random.default_rng(3)
    steps: list[Float32 | int] = []
    at, lost = 0, 0
    while at < 20 * RATE_HZ:
        length, gap = int(rng.integers(1, 24_000)), int(rng.integers(1, 6000))
        steps += [machine.samples[at : at + length], gap]
        at, lost = at + length + gap, lost + gap
    windows = windows_of(listened(machine, steps))
    assert windows[-1].t_end_s == pytest.approx(at / RATE_HZ, abs=0.05)
    assert any(window.score is not None for window in windows)
    assert max(window.lost_s for window in windows) <= 10.0
    assert len(windows) in (21, 22, 23)


def test_listener_stream_that_begins_or_ends_with_a_gap_is_whole(machine: CalibratedMachine) -> None:
    windows = windows_of(listened(machine, [RATE_HZ, seconds(machine, 0, 11), RATE_HZ]))
    assert windows[0].lost_s == pytest.approx(1.0)
    assert windows[-1].t_end_s == pytest.approx(13.0)
    assert listened(machine, [30 * RATE_HZ]) == []
    assert listened(machine, [0, -5]) == []


def test_listener_digital_silence_is_lost_neither_normal_nor_a_fault(machine: CalibratedMachine) -> None:
    assert listened(machine, [np.zeros(15 * RATE_HZ, np.float32)]) == []
    windows = windows_of(listened(machine, [np.zeros(2 * RATE_HZ, np.float32), seconds(machine, 0, 12)]))
    assert windows[0].lost_s == pytest.approx(2.0)
    assert max(scores_of(windows)) < 1.0  # a microphone that begins with zeros raises no alarm
    muted = seconds(machine, 0, 20).copy()
    muted[5 * RATE_HZ : 7 * RATE_HZ] = 0.0
    windows = windows_of(listened(machine, [muted]))
    assert windows[0].lost_s == pytest.approx(2.0, abs=0.05)
    assert max(scores_of(windows)) < 1.0


@pytest.mark.parametrize("value", [0.3, 1.0, -1e-9])
def test_listener_stuck_signal_is_lost_neither_normal_nor_a_fault(machine: CalibratedMachine, value: float) -> None:
    assert listened(machine, [np.full(11 * RATE_HZ, value, np.float32)]) == []  # too little was heard for a window
    stuck = seconds(machine, 0, 20).copy()
    stuck[5 * RATE_HZ : 7 * RATE_HZ] = value
    windows = windows_of(listened(machine, [stuck]))
    assert windows[0].lost_s == pytest.approx(2.0, abs=0.05)
    assert max(scores_of(windows)) < 1.0


def test_listener_gain_that_is_changed_is_reported_by_the_level_alone(machine: CalibratedMachine) -> None:
    for window in windows_of(listened(machine, [8.0 * seconds(machine, 0, 20)])):
        assert window.anomalous
        assert max(window.heads, key=lambda head: window.heads[head]) == "level"


def test_listener_event_ends_in_a_gap_without_waiting_for_what_comes_after(machine: CalibratedMachine, faulty: Float32) -> None:
    listener = Listener(machine.model, RATE_HZ)
    results = listener.push(faulty)
    assert any(isinstance(result, Event) for result in results)
    assert not [result for result in listener.lose(10 * RATE_HZ) if isinstance(result, Event)]  # may go on yet
    (closed,) = [result for result in listener.lose(10 * RATE_HZ) if isinstance(result, Event)]
    assert closed.type == "closed"
    assert closed.t_end_s == pytest.approx(7.0, abs=0.5)
    assert not [result for result in listener.push(seconds(machine, 0, 11)) if isinstance(result, Event)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_listener_samples_that_are_no_numbers_are_lost_and_forgotten(machine: CalibratedMachine, bad: float) -> None:
    samples = seconds(machine, 0, 25).copy()
    samples[3 * RATE_HZ : 3 * RATE_HZ + 50] = bad
    windows = windows_of(listened(machine, [samples]))
    assert 0.0 < windows[0].lost_s <= 0.08
    assert windows[-1].lost_s == 0.0
    assert max(scores_of(windows)) < 1.0


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 48000])
def test_listener_native_rate_scores_about_the_same(narrow_machine: CalibratedMachine, rate_hz: int) -> None:
    samples = seconds(narrow_machine, 0, 12)
    native = resampled(samples, RATE_HZ, rate_hz)
    if rate_hz / 2 < narrow_machine.model.bandwidth_hz:
        with pytest.raises(BundleError, match="use a rate of at least"):
            Listener(narrow_machine.model, rate_hz)
        return
    found = windows_of(listened(narrow_machine, [native], rate_hz))
    expected = windows_of(listened(narrow_machine, [samples]))
    assert [window.t_end_s for window in found] == pytest.approx([window.t_end_s for window in expected], abs=0.041)
    assert scores_of(found) == pytest.approx(scores_of(expected), abs=0.05)


def test_listener_wider_microphone_does_not_hear_more_than_the_bundle_knows(narrow_machine: CalibratedMachine) -> None:
    assert narrow_machine.model.bandwidth_hz <= 8000.0
    native = resampled(seconds(narrow_machine, 0, 12), RATE_HZ, 48000)
    rng = np.random.default_rng(1)
    above = np.fft.rfft(rng.standard_normal(len(native)))
    above[np.fft.rfftfreq(len(native), 1 / 48000) < 8500.0] = 0.0
    wide = native + (0.05 * np.fft.irfft(above, len(native))).astype(np.float32)
    found = windows_of(listened(narrow_machine, [wide], 48000))
    expected = windows_of(listened(narrow_machine, [native], 48000))
    assert scores_of(found) == pytest.approx(scores_of(expected), abs=0.02)


def test_listener_of_a_front_end_whose_cells_do_not_divide_a_window_begins_at_0(machine: CalibratedMachine, tmp_path: Path) -> None:
    for suffix in (".onnx", ".json"):
        shutil.copy(BUILT_IN / f"{DEFAULT_BACKBONE}{suffix}", tmp_path / f"clap{suffix}")
    card = json.loads((tmp_path / "clap.json").read_text()) | {"front_end": "clap-44k", "name": "clap"}
    (tmp_path / "clap.json").write_text(json.dumps(card))
    samples = resampled(machine.samples, RATE_HZ, 44100)
    soundfile.write(tmp_path / "normal.wav", samples[: 12 * 44100], 44100)
    settings = CalibrationSettings(backbone=tmp_path / "clap.onnx", fitting=PatchCoreSettings(coreset=32))
    calibrate([tmp_path / "normal.wav"], tmp_path / "clap.auscult", settings)
    listener = Listener(Model.load(tmp_path / "clap.auscult"), 44100)
    windows = [result for result in listener.push(samples[: 15 * 44100]) + listener.finish() if isinstance(result, Window)]
    assert [window.score is None for window in windows] == [False] * len(windows)
    assert windows[0].t_start_s == 0.0
    assert {len(window.localization.time_scores) for window in windows} == {344}
    assert windows[-1].t_end_s == pytest.approx(15.0, abs=0.03)


def test_listener_moved_threshold_changes_scores_and_p_values_together(machine: CalibratedMachine, faulty: Float32) -> None:
    tail = replace(machine.model.tail, rate_per_s=2 * machine.model.tail.rate_per_s)
    own, moved = Listener(machine.model, RATE_HZ), Listener(machine.model, RATE_HZ, moved=Moved(1.25, tail))
    half = len(faulty) // 2
    before = [own.push(faulty[:half]), moved.push(faulty[:half])]
    for one, other in zip(*map(windows_of, before), strict=True):
        assert (one.score is None) == (other.score is None)
        if one.score is not None and other.score is not None and one.surprise is not None:
            assert other.score == pytest.approx(one.score / 1.25)
            assert other.surprise == one.surprise == pytest.approx(one.score * machine.model.alarm_surprise)
            assert other.p_value == pytest.approx(tail.p_value(one.surprise, other.t_end_s - other.t_start_s))
            assert other.heads == pytest.approx({head: part / 1.25 for head, part in one.heads.items()})
    moved.move_threshold(None)  # the bundle's own again
    after = [windows_of(own.push(faulty[half:])), windows_of(moved.push(faulty[half:]))]
    assert [window.score for window in after[0]] == [window.score for window in after[1]]
    assert [window.p_value for window in after[0]] == [window.p_value for window in after[1]]


def test_listener_whose_threshold_is_moved_closes_the_event_that_is_open(machine: CalibratedMachine, faulty: Float32) -> None:
    listener = Listener(machine.model, RATE_HZ)
    types = []
    for start in range(0, len(faulty), RATE_HZ):
        types += [result.type for result in listener.push(faulty[start : start + RATE_HZ]) if isinstance(result, Event)]
        if types == ["opened"]:
            break
    closed = listener.move_threshold(Moved(1000.0, machine.model.tail))
    assert [result.type for result in closed if isinstance(result, Event)] == ["closed"]
    rest = listener.push(faulty[start + RATE_HZ :])
    assert [result for result in rest if isinstance(result, Event)] == []
    assert listener.move_threshold(None) == []


@pytest.mark.parametrize("onset_s", [12.05, 12.27, 12.49])
def test_listener_tells_a_loud_knock_within_a_second_and_then_what_it_was(machine: CalibratedMachine, onset_s: float) -> None:
    samples = inject(seconds(machine, 0, 16), knock_fault(RATE_HZ, 1, peak=0.6), onset_s)
    listener = Listener(machine.model, RATE_HZ)
    told = []
    for piece in np.array_split(samples, 160):
        told += [(result, listener.heard_s - onset_s) for result in listener.push(piece) if isinstance(result, Event)]
    (opened, delay_s), (updated, later_s) = told
    assert (opened.type, updated.type, updated.id, updated.seq) == ("opened", "updated", opened.id, opened.seq + 1)
    assert 0.0 < delay_s <= 1.0
    assert delay_s + 0.5 <= later_s <= delay_s + 1.5
    assert opened.t_start_s == updated.t_start_s == pytest.approx(onset_s, abs=0.25)
    assert opened.regions
    assert updated.regions


def test_listener_scores_are_the_same_whether_it_looks_between_windows_or_not(machine: CalibratedMachine) -> None:
    faulty = inject(seconds(machine, 0, 14), tone_fault(RATE_HZ, 1, 2.0, 5200.0, -30.0), 11.7)
    late = Listener(machine.model, RATE_HZ, EventSettings(minimum_duration_s=machine.model.window_s))
    early = Listener(machine.model, RATE_HZ)
    windows = [[result for result in listener.push(faulty) if isinstance(result, Window)] for listener in (late, early)]
    assert as_comparable(windows[0]) == as_comparable(windows[1])
    assert "look" in early.timings_s
    assert "look" not in late.timings_s


def test_listener_a_window_shorter_than_usual_is_never_sure(machine: CalibratedMachine) -> None:
    loud = inject(seconds(machine, 0, 4), tone_fault(RATE_HZ, 1, 3.0, 5200.0, -20.0), 1.0)
    (window,) = listened(machine, [loud])
    assert isinstance(window, Window)
    assert window.anomalous
    assert not window.sure


def test_listener_counts_the_time_of_each_stage(machine: CalibratedMachine) -> None:
    listener = Listener(machine.model, RATE_HZ)
    listener.push(seconds(machine, 0, 11))
    assert set(listener.timings_s) - {"look"} == {"resample", "log_mel", "level", "backbone", "detector", "averages", "window"}
    assert listener.heard_s == pytest.approx(11.0)


class Heard:
    """An `Overhearing` that remembers."""

    def __init__(self) -> None:
        self.windows: list[HeardWindow] = []
        self.cells = 0

    def begin(self, model: Model) -> None:
        """Nothing."""

    def patches(self, first_cell: int, patches: Mapping[str, Float32]) -> None:
        self.cells += len(next(iter(patches.values())))

    def window(self, heard: HeardWindow) -> None:
        self.windows.append(heard)


def test_listener_that_judges_nothing_is_overheard_all_the_same(machine: CalibratedMachine) -> None:
    fault = tone_fault(RATE_HZ, 1, seconds=3.0, frequency_hz=3150.0, level_dbfs=-20.0)
    sound = inject(machine.samples, fault, 12.0)
    assert any(isinstance(result, Event) for result in listened(machine, [sound]))
    heard = Heard()
    listener = Listener(machine.model, RATE_HZ, is_judging=False)
    listener.overhear(heard)
    results = [*listener.push(sound), *listener.finish()]
    assert results
    for window in results:
        assert isinstance(window, Window)
        assert (window.score, window.p_value, window.surprise, window.heads, window.anomalous) == (None, None, None, {}, False)
        assert np.isnan(window.localization.time_scores).all()
    assert len(heard.windows) >= 2 * (MACHINE_S - HEARD_S - 10.0) - 3
    assert not any(one.is_anomalous for one in heard.windows)
    assert any(one.steady_nats > 0.0 for one in heard.windows)
    assert heard.cells > 600
