"""When bundles are made of a store, and when the daemon is asked to take another over."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from edge.config.schema import FilesConfig, LearnConfig, SourceConfig
from edge.learning.guard import LASTS_S, WORTH_S
from edge.learning.learning import LOOK_EVERY_S, QUESTION, Learning, store_folder
from edge.learning.learning_report import LearningReport
from edge.learning.versions import Versions
from tests.bundles import CalibratedMachine
from tests.edge.learning.test_fitting import COPY, Clock


class Node:
    """Learning from one source that has learned as much as one likes, with a bundle that is always the same copy."""

    def __init__(self, machine: CalibratedMachine, folder: Path, copied: Path) -> None:
        self.clock = Clock()
        self.reloads = 0
        self.base = machine.model.bundle.sha256
        self.versions = Versions(store_folder(folder, "pump1"))
        self.versions.folder.mkdir(parents=True)
        self.learning = Learning(folder, (sys.executable, "-c", COPY.format(bundle=str(copied))), self.clock)
        self.learning.reload = self._reload
        self.source = SourceConfig(bundle=machine.bundle, files=FilesConfig(paths=(folder,)), learn=LearnConfig(days=7))
        self.adopt(self.base)
        self.learner = self.learning.learner("pump1")
        self.learner.model = machine.model

    def adopt(self, in_force: str | None, source: SourceConfig | None = None, base: str | None = None) -> None:
        """A reload is over, and this listens."""
        bases, heard = {"pump1": base or self.base}, {} if in_force is None else {"pump1": in_force}
        self.learning.adopt({"pump1": source or self.source}, bases, heard)

    def _reload(self, on_done: Callable[[str | None], None]) -> None:
        self.reloads += 1
        self.on_reloaded = on_done

    def learned(self, hours: float, **what: object) -> None:
        """So much is in the store now."""
        self.learner._report = replace(LearningReport("learning", None, 3600.0 * hours), **what)  # type: ignore[arg-type]

    def settle(self) -> int:
        """Let it do what it wants to; return how many versions were made by then."""
        for _ in range(3):
            self.clock.now_s += LOOK_EVERY_S + 1.0
            self.learning.poll()
            process = self.learning._sources["pump1"].fitting._process
            if process is not None:
                process.wait(60.0)
        kept = self.versions.kept(self.base)
        return kept[-1].number if kept else 0

    def settle_until(self, is_so: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + 20.0
        while not is_so():
            assert time.monotonic() < deadline_s
            self.clock.now_s += LOOK_EVERY_S + 1.0
            self.learning.poll()


@pytest.fixture
def node(machine: CalibratedMachine, tmp_path: Path) -> Node:
    return Node(machine, tmp_path, machine.bundle)


def test_learning_makes_bundles_when_they_are_due(node: Node) -> None:
    for hours, expected in ((0.4, 0), (0.5, 1), (0.9, 1), (1.0, 2), (2.1, 3), (4.1, 3), (4.3, 4), (28.0, 5), (50.0, 5)):
        node.learned(hours)
        assert node.settle() == expected, hours


def test_learning_that_is_frozen_makes_none(node: Node) -> None:
    node.learned(5.0, state="frozen")
    assert node.settle() == 0


def test_learning_that_is_over_makes_a_last_one(node: Node) -> None:
    node.learned(0.5)
    assert node.settle() == 1
    node.learned(0.8, state="over")
    assert node.settle() == 2
    assert node.settle() == 2


def test_learning_asks_once_for_a_bundle_to_be_taken_over_and_again_when_it_is_rolled_back(
    machine: CalibratedMachine, node: Node, tmp_path: Path
) -> None:
    node.versions.candidate.write_text("x")
    node.versions.take("1" * 64, 1800.0, 605.0, node.base)
    node.learned(0.6)
    node.settle()
    node.settle()
    assert node.reloads == 1  # however often it looks
    node.versions.roll_back(node.base)
    node.settle()
    assert node.reloads == 1  # the bundle of the configuration is in force all the time
    node.versions.candidate.write_text("y")
    node.versions.take("2" * 64, 1900.0, 605.0, node.base)
    node.settle()
    assert node.reloads == 2


def test_learning_that_is_switched_off_makes_none(node: Node) -> None:
    node.learned(5.0)
    node.adopt(node.base, msgspec.structs.replace(node.source, learn=None))
    assert node.settle() == 0


def test_learning_rolls_back_and_says_why_it_cannot(node: Node) -> None:
    told: list[tuple[int | None, str | None]] = []

    def roll_back(source: str = "pump1") -> tuple[int | None, str | None]:
        count = len(told)
        node.learning.roll_back(source, lambda version, problem: told.append((version, problem)))
        for _ in range(1000):
            node.learning.poll()
            if len(told) > count:
                return told[-1]
            time.sleep(0.01)
        raise AssertionError("no answer")

    for hours in (0.5, 1.0):
        node.learned(hours)
        node.settle()
    assert roll_back() == (1, None)
    assert roll_back() == (None, None)
    assert "nothing to go back from" in str(roll_back()[1])
    assert "does not learn" in str(roll_back("pump2")[1])


def test_learning_asks_whether_what_lasts_is_a_new_normal_and_hears_the_answer(node: Node) -> None:
    question = store_folder(node.versions.folder.parents[2], "pump1") / QUESTION
    assert node.learning.accept("pump1") == "pump1 has not alarmed for 15 minutes without an end: there is nothing to accept"
    guard = node.learner.guard
    guard.lasting_s = LASTS_S
    node.settle_until(question.exists)
    question.unlink()  # as `auscult learn --accept` does
    node.settle_until(lambda: guard.is_accepted)
    guard.accepted_s = WORTH_S
    node.learned(0.1)
    assert node.settle() == 1


def test_learning_question_is_withdrawn_when_it_lasts_no_more(node: Node) -> None:
    question = store_folder(node.versions.folder.parents[2], "pump1") / QUESTION
    node.learner.guard.lasting_s = LASTS_S
    node.settle_until(question.exists)
    node.learner.guard.lasting_s = 0.0
    node.settle_until(lambda: not question.exists())
    assert not node.learner.guard.is_accepted
