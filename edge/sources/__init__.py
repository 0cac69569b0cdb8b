"""Where sound comes from: microphones, files, standard input and streams from the network, behind one interface."""

from __future__ import annotations

from edge.sources.files import FileSource
from edge.sources.microphone import Microphone
from edge.sources.source import Source
from edge.sources.stdin import StdinSource

__all__ = ["FileSource", "Microphone", "Source", "StdinSource"]
