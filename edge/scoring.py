"""Scoring files: the daemon's own listener, fed from a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.audio.audio_file import AudioInfo, audio_info, read_blocks
from edge.audio.channels import Channel
from edge.audio.loudest_channel import louder_channel
from edge.errors import AudioError
from edge.judgement.event import Event
from edge.judgement.window import Window
from edge.model import Model
from edge.pipeline import Listener

SHORTEST_S = 0.25  # less has no whole block to judge
TOO_SILENT = "holds too little sound to score: most of it is digital silence"


@dataclass(frozen=True, slots=True)
class FileScore:
    """The result of a bundle for a file."""

    file: Path
    score: float  # of its highest window; 1.0 is the alarm threshold
    seconds: float
    windows: tuple[Window, ...]


def score_file(model: Model, path: Path, channel: Channel = 0) -> FileScore:
    """Score one file; one that is shorter than a window is one window of its own length.

    Raises
    ------
    AudioError
        Missing, unreadable, empty, silent or shorter than a quarter of a second.
    BundleError
        The file's sample rate is too low for the bundle.
    """
    info = long_enough(path)
    model.check_rate(info.rate_hz, path)
    windows = tuple(result for result in listen(Listener(model, info.rate_hz), path, channel) if isinstance(result, Window))
    scores = [window.score for window in windows if window.score is not None]
    if not scores:
        raise AudioError(path, TOO_SILENT + louder_channel(path, channel))
    return FileScore(path, max(scores), info.seconds, windows)


def long_enough(path: Path) -> AudioInfo:
    """Describe a file that can be scored by its length; AudioError when it is shorter than a quarter of a second, or cannot be read."""
    info = audio_info(path)
    if info.seconds < SHORTEST_S:
        raise AudioError(path, f"lasts {info.seconds:.3f} s; at least {SHORTEST_S} s are needed to score it")
    return info


def listen(listener: Listener, path: Path, channel: Channel = 0) -> Iterator[Window | Event]:
    """Play a file to a listener, to its end."""
    for samples in read_blocks(path, channel):
        yield from listener.push(samples)
    yield from listener.finish()
