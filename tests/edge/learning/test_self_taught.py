"""A source without a bundle: from its first minutes over the starter to its first bundle, and back."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.config.schema import FilesConfig, LearnConfig, SourceConfig, StdinConfig
from edge.learning.fitting import RETRY_FIRST_S
from edge.learning.learning import ASK_AGAIN_S
from edge.learning.starter import first_due_s, starter_path
from edge.learning.starting_sound import START_S
from edge.learning.store import forget
from tests.bundles import RATE_HZ, CalibratedMachine
from tests.edge.learning.test_fitting import COPY, FAIL
from tests.edge.learning.test_learning import Node

SOURCE = SourceConfig(stdin=StdinConfig(rate_hz=RATE_HZ), learn=LearnConfig(days=7))
MINUTE = np.full(60 * RATE_HZ, 0.1, np.float32)


@pytest.fixture
def node(machine: CalibratedMachine, tmp_path: Path) -> Node:
    """It has nothing yet."""
    made = Node(machine, tmp_path, machine.bundle)
    made.learner.model = None
    made.learning.adopt({"pump1": SOURCE}, {}, {})
    return made


def hear(node: Node, minutes: int = 3) -> None:
    listener = node.learning.gathering("pump1", RATE_HZ)
    for _ in range(minutes):
        listener.push(MINUTE)


def taken_over(node: Node, machine: CalibratedMachine, source: SourceConfig = SOURCE) -> None:
    """The reload that was asked for is over, and the starter listens."""
    node.learning.adopt({"pump1": source}, {"pump1": node.base}, {"pump1": node.base})
    node.learner.model = machine.model
    node.on_reloaded(None)


def test_source_without_a_bundle_makes_a_starter_of_its_first_minutes(node: Node) -> None:
    starter = starter_path(node.versions.folder.parent)
    hear(node, 2)
    node.settle()
    assert not starter.exists()
    assert node.learning.first_in_s("pump1") == 60.0 * 30 - 120.0
    hear(node, 1)
    node.settle()
    assert starter.exists()
    assert node.reloads == 1
    assert node.learner.state == "listening"
    assert node.versions.kept(node.base) == ()


def test_source_without_a_bundle_listens_until_its_first_one_and_says_how_long(machine: CalibratedMachine, node: Node) -> None:
    hear(node)
    node.settle()
    taken_over(node, machine)
    due_s = first_due_s(30.0)
    assert START_S + due_s + 120.0 == 1800.0
    node.learned((due_s - 60.0) / 3600.0)
    assert node.settle() == 0
    assert node.learner.state == "listening"
    assert node.learning.first_in_s("pump1") == 120.0
    node.learned(due_s / 3600.0)
    assert node.settle() == 1  # the copy is the same file, so what listens does not change
    version = node.versions.kept(node.base)[0]
    node.learning.adopt({"pump1": SOURCE}, {"pump1": node.base}, {"pump1": "1" * 64})
    assert (node.learner.state, node.learning.first_in_s("pump1")) == ("watching", None)
    assert version.learned_s == due_s


def test_source_without_a_bundle_whose_first_minutes_are_of_no_use_gathers_others(machine: CalibratedMachine, tmp_path: Path) -> None:
    node = Node(machine, tmp_path, machine.bundle)
    node.learning._fit_command = (sys.executable, "-c", FAIL)
    node.learning._sources.clear()
    node.learning.adopt({"pump1": SOURCE}, {}, {})
    hear(node)
    node.settle()
    assert "no bundle could be made of the first minutes of sound" in str(node.learning.problem("pump1"))
    assert node.learning.first_in_s("pump1") == 1800.0
    node.learning._sources["pump1"].fitting._command = (sys.executable, "-c", COPY.format(bundle=str(machine.bundle)))
    hear(node)
    node.settle()
    assert node.reloads == 0  # too early
    node.clock.now_s += RETRY_FIRST_S
    node.settle()
    assert node.reloads == 1
    assert node.learning.problem("pump1") is None


def test_source_that_is_forgotten_begins_anew(machine: CalibratedMachine, node: Node) -> None:
    hear(node)
    node.settle()
    taken_over(node, machine)
    node.settle()
    assert node.reloads == 1
    forget(node.versions.folder.parent)
    node.settle()
    assert node.reloads == 2
    node.learning.adopt({"pump1": SOURCE}, {}, {})
    assert node.learner.model is None
    assert node.learning.first_in_s("pump1") == 1800.0


def test_reload_that_was_refused_is_asked_for_again_a_minute_later(node: Node) -> None:
    hear(node)
    node.settle()
    node.on_reloaded("config.yaml:1: is wrong")
    node.settle()
    assert node.reloads == 1
    node.clock.now_s += ASK_AGAIN_S
    node.settle()
    assert node.reloads == 2


def test_file_waits_for_the_bundle_that_is_made_of_it_and_a_pipe_does_not(machine: CalibratedMachine, node: Node, tmp_path: Path) -> None:
    player = SourceConfig(files=FilesConfig(paths=(tmp_path,)), learn=LearnConfig(days=7))
    for source, waits in ((SOURCE, False), (player, True)):
        node.learning.adopt({"pump1": source}, {}, {})
        hear(node)
        assert node.learner.waits() == waits
    node.settle()
    assert node.learner.waits()  # until the reload is over
    taken_over(node, machine, player)
    assert not node.learner.waits()


def test_node_that_rolls_back_its_first_bundle_listens_again(machine: CalibratedMachine, node: Node) -> None:
    hear(node)
    node.settle()
    taken_over(node, machine)
    node.learned(0.5)
    node.settle()
    node.learning.adopt({"pump1": SOURCE}, {"pump1": node.base}, {"pump1": "1" * 64})
    node.versions.roll_back(node.base)
    reloads = node.reloads
    node.settle()
    assert node.reloads == reloads + 1
    taken_over(node, machine)
    assert node.learner.state == "listening"
    assert node.learning.next_due_s("pump1") == 3600.0


def test_source_whose_starter_cannot_be_written_says_so_and_tries_again(node: Node) -> None:
    folder = node.versions.folder.parent
    shutil.rmtree(folder)
    folder.write_text("not a folder")
    hear(node)
    node.settle()
    assert "of the first minutes of sound: cannot be begun (" in str(node.learning.problem("pump1"))
    assert node.learner.state == "listening"
    folder.unlink()
    node.clock.now_s += RETRY_FIRST_S
    hear(node)
    node.settle()
    assert starter_path(folder).exists()
    assert node.learning.problem("pump1") is None
