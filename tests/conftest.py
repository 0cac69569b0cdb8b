"""Fixtures for every room: real programs, each in a plugin module of its own."""

from __future__ import annotations

import edge.threads  # noqa: F401  # before anything imports numpy: faiss's waiting threads would spin and make tests ten times slower

pytest_plugins = ["tests.pulse", "tests.broker", "tests.bundles"]
