"""What is kept of half a minute of sound, and how much of it as the store grows older.

columns    Patches of single cell columns, all bands of one moment, as the detector sees them. Some are of one window, so that it is known
           how windows differ; the others are from anywhere in the stretch. No two are closer than `APART_CELLS`, and their order is random.
averages   The means of three windows, of the long one that they make, and of shorter parts of the last (edge/features/cell_averages.py).
values     What the heads of the bundle in force made of windows, before their scales (edge/learning/head_values.py).

A store is bounded: beyond so many windows, lone columns and averages each stretch keeps half as many, then a quarter. Which ones is decided
by its number alone, so that old and new stretches are thinned alike and the sample stays an even one of all the time.
"""

from __future__ import annotations

import math
import zlib

import msgspec

from edge.learning.packed import Packed

STRETCH_WINDOWS = 3
WINDOW_COLUMNS = 24  # of one window of a stretch
LONE_COLUMNS = 20  # of its other moments
APART_CELLS = 4  # patches of log-mel reach two frames beyond their cell of four: no two kept ones share a frame
# All of them are reached by the same stretches: each time the store is written anew, which wears the card.
MOST_WINDOWS = 256
MOST_LONE = LONE_COLUMNS * MOST_WINDOWS
MOST_AVERAGES = 4 * MOST_WINDOWS
MOST_VALUES = 20_160  # stretches: a week
LONGEST_RECORD = 1 << 20  # bytes; seven times as many as one has

HALF, SINGLE = "<f2", "<f4"


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a store. The arrays: columns (column, band, dimension) and values (window, value) in `HALF`, averages in `SINGLE`."""

    number: int  # counts all stretches that the store ever had
    run: int  # of stretches without a gap in between
    bundle: str  # SHA-256 of the one in force
    wall_s: float  # since 1970, as the clock said; nothing rests on it
    learned_s: float  # of sound that the store has learned from, up to here
    window: dict[str, Packed] = {}  # feature -> columns of one window
    lone: dict[str, Packed] = {}  # feature -> columns of other moments
    averages: Packed | None = None  # (part, column)
    average_cells: tuple[int, ...] = ()  # that each part is the mean of
    values: Packed | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of it."""
        return not self.window and not self.lone and self.averages is None and self.values is None


def thinned(stretch: Stretch, count: int) -> Stretch:
    """What a store that has had so many stretches keeps of one of them."""
    number = stretch.number
    columns = _rows_kept(LONE_COLUMNS, number, _halvings(count * LONE_COLUMNS, MOST_LONE))
    return msgspec.structs.replace(
        stretch,
        window=stretch.window if _rows_kept(1, number, halvings_of_windows(count)) else {},
        lone={feature: _first(packed, columns) for feature, packed in stretch.lone.items()} if columns else {},
        **({} if _rows_kept(1, number, _halvings(count, MOST_AVERAGES)) else {"averages": None, "average_cells": ()}),
        values=stretch.values if number >= count - MOST_VALUES else None,
    )


def is_thinned_at(count: int) -> bool:
    """Whether the stretches that are there keep less when the store gets its `count`th one."""
    return any(
        _halvings(rows * count, most) > _halvings(rows * (count - 1), most)
        for rows, most in ((1, MOST_WINDOWS), (LONE_COLUMNS, MOST_LONE), (1, MOST_AVERAGES))
    )


def halvings_of_windows(count: int) -> int:
    """How often the windows of a store of so many stretches were halved."""
    return _halvings(count, MOST_WINDOWS)


def _halvings(rows: int, most: int) -> int:
    return max(0, math.ceil(math.log2(rows / most))) if rows > most else 0


def _rows_kept(rows: int, number: int, halvings: int) -> int:
    """How many of its rows a stretch keeps: half as many for each halving on average, and never one that was gone before."""
    chance = zlib.crc32(number.to_bytes(8, "little")) / 2.0**32
    return max(0, math.ceil(rows * 0.5**halvings - chance))


def _first(packed: Packed, rows: int) -> Packed:
    """The first rows; their order is random, so any do."""
    kept = min(rows, packed.shape[0])
    return Packed((kept, *packed.shape[1:]), packed.data[: len(packed.data) // max(1, packed.shape[0]) * kept])
