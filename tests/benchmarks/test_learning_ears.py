"""A listener that learns takes its versions over as the daemon does; a process that is killed loses little."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.learned import DEFAULTS
from benchmarks.learning import LearningJob, measure_learning
from benchmarks.learning_ears import LearningEars
from benchmarks.learning_happenings import Rates
from benchmarks.learning_kills import measure_kills
from benchmarks.learning_marks import marks_document, measure_marks
from benchmarks.learning_site import Calendar
from calibrate.fitters.patchcore import PatchCoreSettings
from tests.bundles import RATE_HZ, CalibratedMachine, tampered
from tests.edge.learning.test_fitting import COPY, FAIL

SMALL = replace(DEFAULTS, backbone="logmel", fitting=PatchCoreSettings(coreset=50))


def ears(machine: CalibratedMachine, folder: Path, command: str) -> LearningEars:
    return LearningEars(machine.bundle, RATE_HZ, (1.0,), folder, 1.0, (sys.executable, "-c", command))


def with_threshold(machine: CalibratedMachine, path: Path, surprise: float) -> Path:
    """The machine's bundle with another threshold."""
    return tampered(machine.bundle, path, lambda manifest, arrays, blobs: manifest["threshold"].update(score_scale=surprise))


def hear(own: LearningEars, machine: CalibratedMachine, times: int) -> None:
    """Hear all that there is of the machine so many times."""
    for piece in np.array_split(np.tile(machine.samples, times), 10 * times):
        own.push(piece)


def test_version_that_is_due_is_in_force_at_once(machine: CalibratedMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.learning.learning.FIRST_AFTER_S", 30.0)
    better = with_threshold(machine, tmp_path / "better.auscult", 99.0)
    own = ears(machine, tmp_path / "state", COPY.format(bundle=str(better)))
    before = own.model.bundle.sha256
    hear(own, machine, 3)
    own.close()
    assert [one.number for one in own.versions][:1] == [1]
    assert own.versions[0].learned_s >= 30.0
    assert own.versions[0].heard_s < 75.5
    assert own.model.bundle.sha256 != before
    assert own.model.alarm_surprise == 99.0
    assert own.windows == int((own.heard_s - 10.5) / 0.5) + 1  # none is left out, and none comes twice
    assert own.learning_s > 0.0
    assert own.report.is_learning


def test_version_that_cannot_be_made_is_told_and_the_first_bundle_stays(
    machine: CalibratedMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.learning.learning.FIRST_AFTER_S", 30.0)
    own = ears(machine, tmp_path, FAIL)
    before = own.model
    hear(own, machine, 3)
    own.close()
    assert own.model is before
    assert len(own.failures) == 1
    assert "holds too little" in own.failures[0]


def test_person_is_asked_and_what_lasts_is_learned(machine: CalibratedMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.learning.guard.LASTS_S", 20.0)
    strict = with_threshold(machine, tmp_path / "strict.auscult", 1e-3)
    learned = []
    for has_person in (False, True):
        own = LearningEars(strict, RATE_HZ, (1.0,), tmp_path / str(has_person), 1.0, has_person=has_person)
        hear(own, machine, 3)
        own.close()
        assert own.anomalous == own.windows
        assert len(own.accepted_s) == has_person
        learned.append(own.report.learned_s)
    assert learned[0] == 0.0
    assert learned[1] >= 20.0


@pytest.mark.slow
def test_both_hear_the_same_until_a_version_is_made() -> None:
    """Four days of a minute: no version is due yet, and whoever learns must not hear anything else for it."""
    measured = measure_learning(LearningJob(1, 4.0, Calendar(60.0, real_s=120.0), (1.0, 1000.0), Rates(repeats=1), settings=SMALL))
    assert len(measured.scenes) == 4
    assert measured.versions == {"learning": (), "person": ()}
    assert measured.accepted_s == ()
    assert all(scene.heard["static"] == scene.heard["learning"] for scene in measured.scenes)
    assert any(scene.heard["static"].windows for scene in measured.scenes)
    assert {scene.kind for scene in measured.scenes if scene.kind}
    assert 0.0 < measured.cost.overhearing_ms < measured.cost.learning_ms
    assert measured.cost.stored_bytes > 0


@pytest.mark.slow
def test_marks_are_counted_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in (("SIZES_DB", (0.0,)), ("UNDONE_SCENES", 1), ("MARKS", 1)):
        monkeypatch.setattr(f"benchmarks.learning_marks.{name}", few)
    marked = measure_marks(1, SMALL, 1, Calendar(1e9, real_s=300.0))
    assert {(one.kind, one.size_db) for one in marked.told} >= {("door", 0.0), ("speech", 0.0), ("knock", 0.0), ("tone", 0.0)}
    assert marked.undone_is_same
    assert marked.undone_windows >= 89
    document = marks_document([marked])
    assert document["faults"]["before"] == sum(one.before for one in marked.told if one.kind not in ("door", "speech"))
    assert document["marked"]["after"] <= document["marked"]["before"]


@pytest.mark.slow
def test_killed_process_leaves_a_whole_store_and_loses_less_than_a_minute() -> None:
    kills = measure_kills(1, SMALL, 2, 240.0, Calendar(1e9, real_s=120.0))
    assert [kill.problem for kill in kills] == [None, None]
    assert all(kill.lost_s <= 60.0 for kill in kills)
    assert kills[-1].stretches > 0
