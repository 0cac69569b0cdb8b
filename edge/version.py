"""The version of Auscult, in one place: `auscult --version`, bundles and the `info` topic say the same."""

from __future__ import annotations

VERSION = "0.2.0"
