"""Fixtures for every room: real programs, each in a plugin module of its own."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

import edge.threads  # noqa: F401  # before anything imports numpy: faiss's waiting threads would spin and make tests ten times slower

pytest_plugins = ["tests.pulse", "tests.broker", "tests.bundles", "tests.stream_server", "tests.browser"]

# The same examples in every run: what fails for one person fails for all.
hypothesis.settings.register_profile("auscult", derandomize=True)
hypothesis.settings.load_profile("auscult")

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.side_by_side import SideBySide

# Daemons that tests start keep their outboxes and marks here.
os.environ.pop("STATE_DIRECTORY", None)
_HOME = Path(tempfile.mkdtemp(prefix="auscult-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
_numbers = itertools.count()


def _move_home() -> None:
    home = _HOME / str(next(_numbers))
    (home / "run").mkdir(parents=True)
    os.environ["XDG_STATE_HOME"] = str(home)
    os.environ["RUNTIME_DIRECTORY"] = str(home / "run")


_move_home()  # for fixtures of a whole session


@pytest.fixture(autouse=True)
def _own_home() -> None:
    """A test finds nothing that an earlier one has left."""
    _move_home()


# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every program that they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)  # after -m and -k
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: the last of several processes ends soon after the others."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    files = {item.path for item in slow}
    items.sort(key=lambda item: item.path not in files)
    for item in slow:  # on a machine that is slow, and busy with something else
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


@pytest.hookimpl(optionalhook=True)  # for whoever runs one test without pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SideBySide | None:
    """How files are distributed; None leaves it to pytest-xdist."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.side_by_side import SideBySide

    return SideBySide(config, log)
