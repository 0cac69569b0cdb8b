"""Weeks of a machine: its calendar, what happens beside it, and what is counted of who heard what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.delay import SCENE_S
from benchmarks.learning import Cost, Heard, LearningResult, Scene
from benchmarks.learning_happenings import DOOR, SIZES_DB, SPEECH, Happening, Rates, happen, happenings
from benchmarks.learning_site import HIGH, LOW, MIDDLE, NEIGHBOUR, RATE_HZ, STOPPED, WEAR_HZ, Calendar, Site, is_working
from benchmarks.learning_summary import summary
from benchmarks.ordinary_changes import band_power
from edge.console.cli import run_command
from export.synthesis.level import level_dbfs

COST = Cost(1.0, 1.0, 0.1, 0.1, 100.0, 1000, 2000)


def test_calendar_leaves_the_beginning_as_it_is_and_compresses_the_rest() -> None:
    calendar = Calendar(day_s=240.0, real_s=1800.0)
    assert [calendar.hours(heard_s) for heard_s in (0.0, 900.0, 1800.0, 1810.0, 2040.0)] == [0.0, 0.25, 0.5, 1.5, 24.5]
    assert [calendar.heard_s(hours) for hours in (0.0, 0.25, 0.5, 1.5, 24.5)] == [0.0, 900.0, 1800.0, 1810.0, 2040.0]


def test_machine_works_from_monday_to_saturday_evening() -> None:
    stopped = [hours for hours in range(14 * 24) if not is_working(hours)]
    assert stopped[0] == 5 * 24 + 10  # it is 8 in the morning when it starts
    assert len(stopped) == 2 * 36


@pytest.fixture(scope="module")
def week() -> list[tuple[float, str, float]]:
    """Of each second of a compressed week: hours since the start, state and level."""
    site = Site(1, Calendar(day_s=24.0, real_s=0.0))
    heard = []
    for _ in range(7 * 24):
        hours = site.hours
        samples = site.render(1.0)
        heard.append((hours, site.state, level_dbfs(samples)))
    return heard


@pytest.mark.parametrize(("state", "from_h"), [(LOW, 0.0), (MIDDLE, 8.0), (HIGH, 24.0), (NEIGHBOUR, 48.0), (STOPPED, 130.0)])
def test_states_of_a_site_come_up_when_they_are_said_to(week: list[tuple[float, str, float]], state: str, from_h: float) -> None:
    assert min(hours for hours, known, _ in week if known == state) == pytest.approx(from_h)


def test_site_is_quiet_while_the_machine_stands_still(week: list[tuple[float, str, float]]) -> None:
    works = [level for hours, state, level in week if state == LOW and 1.0 < hours < 130.0]
    stopped = [level for hours, state, level in week if 140.0 < hours < 166.0]
    assert min(works) - max(stopped) > 15.0


def test_site_is_the_same_for_pieces_of_any_size() -> None:
    whole, parts = (Site(2, Calendar(600.0)) for _ in range(2))
    assert np.array_equal(whole.render(2.5), np.concatenate([parts.render(seconds) for seconds in (0.3, 1.9, 0.3)]))


def test_wear_makes_one_octave_louder_day_by_day() -> None:
    powers = []
    for wear in (0.0, 1.0):
        site = Site(3, Calendar(day_s=1.0, real_s=0.0), wear_db_per_day=wear)
        heard = np.concatenate([site.next_block() for _ in range(5)])
        powers.append([band_power(heard[RATE_HZ * 4 :], RATE_HZ, band) for band in (WEAR_HZ, (100.0, 700.0))])
    within, beyond = 10.0 * np.log10(np.array(powers[1]) / np.array(powers[0]))
    assert within == pytest.approx(4.0, abs=0.8)
    assert abs(beyond) < 0.3


def test_happenings_are_as_many_as_wanted_and_where_they_may_be() -> None:
    calendar = Calendar(day_s=3600.0)
    told = happenings(4, calendar, 14.0, 72.0, Rates(doors_per_day=1.0, speeches_per_day=0.5, repeats=2))
    kinds = [what.kind for what in told.values()]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {DOOR: 14, SPEECH: 7, "knock": 6, "tone": 6, "bearing": 6}
    begins = {scene: calendar.hours(scene * SCENE_S) for scene in told}
    assert all(is_working(hours) and hours >= 0.5 for hours in begins.values())
    assert min(begins[scene] for scene, what in told.items() if what.is_fault) >= 72.0
    assert min(begins[scene] for scene, what in told.items() if not what.is_fault) < 72.0
    assert told == happenings(4, calendar, 14.0, 72.0, Rates(doors_per_day=1.0, speeches_per_day=0.5, repeats=2))


def test_happenings_that_find_no_scene_are_left_out() -> None:
    told = happenings(4, Calendar(day_s=300.0), 4.0, 72.0, Rates(repeats=50))
    assert 0 < len(told) <= 4 * 300 / SCENE_S


@pytest.mark.parametrize("kind", ["knock", "tone", "bearing", DOOR, SPEECH])
def test_happening_begins_where_it_says_and_has_its_size(kind: str) -> None:
    site = Site(5, Calendar(600.0))
    scene = site.render(24.0)
    added = []
    for size in SIZES_DB[-2:]:
        changed, onset_s = happen(Happening(kind, size), scene, site, np.random.default_rng(6))
        assert changed.shape == scene.shape
        difference = changed - scene
        assert not difference[: int(onset_s * RATE_HZ)].any()
        assert difference[int(onset_s * RATE_HZ) :].any()
        added.append(level_dbfs(difference))
    assert added[1] - added[0] == pytest.approx(SIZES_DB[-1] - SIZES_DB[-2] if Happening(kind).is_fault else 0.0, abs=0.01)


def heard(opened: int = 0, *, told: bool = False, hidden: bool = False) -> Heard:
    return Heard((opened,), (told,), (hidden,), windows=90, anomalous=9 if opened else 0)


def result(seed: int, *scenes: tuple[float, str, Heard, Heard]) -> LearningResult:
    """With a person who makes no difference."""
    told = tuple(
        Scene(hours, LOW, kind, 0.0, {"static": static, "learning": learning, "person": learning})
        for hours, kind, static, learning in scenes
    )
    return LearningResult(seed, told, {"learning": (), "person": ()}, {"learning": (), "person": ()}, (), 45.0 * len(told), 30.0, COST)


def test_summary_counts_false_alarms_after_the_third_day_and_of_no_fault() -> None:
    one = result(
        1,
        (10.0, "", heard(5), heard(5)),  # too early
        (80.0, "", heard(3), heard(1)),
        (100.0, DOOR, heard(1, told=True), heard(0, told=True)),
        (101.0, "tone", heard(7, told=True), heard(7, told=True)),
    )
    document = summary([one], (1.0,), 72.0)
    counts = {(row["cause"], row["ears"]): row["alarms"] for row in document["alarms"] if row["ears"] != "person"}
    assert counts == {
        ("all", "static"): 5,
        ("all", "learning"): 2,
        ("the machine", "static"): 3,
        ("the machine", "learning"): 1,
        ("doors", "static"): 2,
        ("doors", "learning"): 1,
        ("speech", "static"): 0,
        ("speech", "learning"): 0,
    }
    fewer, _ = document["fewer"]
    assert fewer["value"] == 2.5
    assert fewer["low"] <= 2.5 <= fewer["high"]
    assert document["written_bytes_per_day"] == pytest.approx(2000 * 86400 / 180)


def test_summary_of_no_alarm_with_learning_knows_no_end() -> None:
    fewer, _ = summary([result(1, (80.0, "", heard(3), heard(0)))], (1.0,), 72.0)["fewer"]
    assert fewer["value"] is None


def test_summary_compares_faults_that_no_open_event_hid() -> None:
    scenes = [
        (80.0, "knock", heard(told=True), heard(told=True)),
        (81.0, "knock", heard(told=True), heard()),
        (82.0, "knock", heard(hidden=True), heard(told=True)),
        (83.0, "tone", heard(), heard()),
    ]
    both, _ = summary([result(1, *scenes)], (1.0,), 72.0)["faults_heard"]
    assert (both["faults"], both["static"]["told"], both["told"]["told"]) == (3, 2, 1)
    assert both["difference"]["value"] == pytest.approx(-1 / 3)


def test_rates_of_two_machines_are_pooled() -> None:
    scene = (80.0, "", heard(1), heard(0))
    document = summary([result(1, scene), replace(result(2, scene), seed=2)], (1.0,), 72.0)
    first = document["alarms"][0]
    assert (first["alarms"], first["hours"]) == (2, pytest.approx(0.025))


@pytest.mark.parametrize(
    ("options", "problem"),
    [(["--days", "3"], "--days: must be above 3.5, not 3"), (["--day", "0"], "--day: must be above 0, not 0")],
)
def test_command_refuses_weeks_that_show_nothing(capsys: pytest.CaptureFixture[str], options: list[str], problem: str) -> None:
    assert run_command("benchmarks.commands.benchmark", "auscult benchmark", ["learning", *options]) == 2
    assert problem in capsys.readouterr().err
