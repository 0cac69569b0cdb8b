"""Fixtures for every room: real programs, each in a plugin module of its own."""

from __future__ import annotations

pytest_plugins = ["tests.pulse", "tests.broker"]
