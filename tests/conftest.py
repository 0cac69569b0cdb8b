"""Fixtures for every room: real programs, each in a plugin module of its own."""

from __future__ import annotations

import signal

import edge.threads  # noqa: F401  # before anything imports numpy: faiss's waiting threads would spin and make tests ten times slower

pytest_plugins = ["tests.pulse", "tests.broker", "tests.bundles"]

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every program that they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
