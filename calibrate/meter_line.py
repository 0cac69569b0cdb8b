"""The level meter that a terminal shows while it records."""

from __future__ import annotations

from edge.audio.level_meter import Level

_LOWEST_DBFS = -80.0
_BAR_WIDTH = 30


def meter_line(level: Level, heard_s: float, wanted_s: float, lost_s: float) -> str:
    """One line: time, a bar of the RMS level with a mark at the peak, the figures, and what was lost."""
    line = f"{_clock(heard_s)} / {_clock(wanted_s)} [{_bar(level)}] "
    if level.dbfs is None or level.peak_dbfs is None:
        line += "no signal"
    else:
        line += f"{level.dbfs:6.1f} dBFS  peak {level.peak_dbfs:6.1f}"
    if level.clipped_fraction:
        line += "  CLIPPED"
    if lost_s:
        line += f"  lost {lost_s:.1f} s"
    return line


def _bar(level: Level) -> str:
    if level.dbfs is None or level.peak_dbfs is None:
        return " " * _BAR_WIDTH
    filled = _place(level.dbfs)
    bar = ["#"] * filled + [" "] * (_BAR_WIDTH - filled)
    bar[min(_place(level.peak_dbfs), _BAR_WIDTH - 1)] = "|"
    return "".join(bar)


def _place(dbfs: float) -> int:
    return round(min(max(1 - dbfs / _LOWEST_DBFS, 0.0), 1.0) * _BAR_WIDTH)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
