"""Where sound comes from: microphones, files and standard input, behind one interface."""

from __future__ import annotations

from edge.sources.files import FileSource
from edge.sources.microphone import Microphone
from edge.sources.source import Source
from edge.sources.stdin import StdinSource

__all__ = ["FileSource", "Microphone", "Source", "StdinSource"]
