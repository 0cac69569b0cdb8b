"""Fixtures for every room: real programs, each in a plugin module of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile

import pytest

import edge.threads  # noqa: F401  # before anything imports numpy: faiss's waiting threads would spin and make tests ten times slower

pytest_plugins = ["tests.pulse", "tests.broker", "tests.bundles"]

# A daemon that a test starts keeps its outbox here, and finds nothing that an earlier one has left.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="auscult-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)
os.environ.pop("STATE_DIRECTORY", None)
os.environ["RUNTIME_DIRECTORY"] = tempfile.mkdtemp(prefix="auscult-tests-run-")
atexit.register(shutil.rmtree, os.environ["RUNTIME_DIRECTORY"], ignore_errors=True)

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every program that they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)  # after -m and -k
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: the last of two processes ends soon after the other."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
