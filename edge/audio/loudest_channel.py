"""Find the loudest channel of a file: the machine may be on another channel than the one that was chosen."""

from __future__ import annotations

from pathlib import Path

from edge.audio.audio_file import audio_info, read_frames
from edge.audio.channels import Channel
from edge.audio.level_meter import SILENT_DBFS, Level, LevelMeter


def louder_channel(path: Path, channel: Channel) -> str:
    """Name the loudest of a file's other channels, in words that follow what is wrong with `channel`; empty when there is nothing on them.

    Raises
    ------
    AudioError : as `read_blocks` does
    """
    info = audio_info(path)
    if channel == "mix" or info.channels == 1:
        return ""
    meters = [LevelMeter(info.rate_hz, info.seconds) for _ in range(info.channels)]  # one interval: the whole file
    levels: dict[int, Level] = {}
    for frames in read_frames(path, channel):
        levels |= {number: level for number, meter in enumerate(meters) for level in meter.push(frames[:, number])}
    dbfs = {number: level.dbfs for number, level in levels.items() if number != channel and level.dbfs is not None}
    loudest = max(dbfs, key=dbfs.__getitem__, default=None)
    if loudest is None or dbfs[loudest] < SILENT_DBFS:
        return ""
    return f"; its channel {loudest} is the loudest, at {dbfs[loudest]:.0f} dBFS: --channel {loudest}"
