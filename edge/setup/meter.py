"""A level meter of every channel of a device, while somebody knocks on the microphone."""

from __future__ import annotations

import time
from collections.abc import Sequence

from edge.audio.level_meter import Level, LevelMeter
from edge.setup.terminal import Terminal
from edge.sources.microphone import Microphone

INTERVAL_S = 0.25
DRAW_S = 0.1
CELLS = 30
FLOOR_DBFS = -90.0


def show_levels(microphones: Sequence[Microphone], terminal: Terminal) -> list[Level | None]:
    """Draw levels until a line is typed; return the last of each microphone, None where no sound came.

    Raises
    ------
    DeviceError : one of them cannot be opened
    """
    levels: list[Level | None] = [None] * len(microphones)
    try:
        for microphone in microphones:
            microphone.open()
        meters = [LevelMeter(microphone.rate_hz, INTERVAL_S) for microphone in microphones]
        drawn_s = 0.0
        while not terminal.has_line():
            for index, microphone in enumerate(microphones):
                block = microphone.read()
                if block is not None and (found := meters[index].push(block.samples)):
                    levels[index] = found[-1]
            if time.monotonic() - drawn_s >= DRAW_S:
                drawn_s = time.monotonic()
                terminal.draw(_line(levels))
        terminal.take_line()
        return levels
    finally:
        for microphone in microphones:
            microphone.close()
        terminal.say()


def _line(levels: Sequence[Level | None]) -> str:
    if len(levels) == 1:
        dbfs = levels[0].dbfs if levels[0] is not None else None
        full = 0 if dbfs is None else round(CELLS * (1 - max(dbfs, FLOOR_DBFS) / FLOOR_DBFS))
        return f"  [{'#' * full}{'.' * (CELLS - full)}] {_level(levels[0])}{'' if dbfs is None else ' dBFS'}"
    return "  " + "   ".join(f"{index}: {_level(level)}" for index, level in enumerate(levels)) + "  (dBFS)"


def _level(level: Level | None) -> str:
    if level is None:
        return "no sound yet"
    return "silent" if level.dead or level.dbfs is None else f"{level.dbfs:.0f}"
