"""Arguments and argument types that the benchmarks share."""

from __future__ import annotations

import argparse
import math
from pathlib import Path


def add_manifest_argument(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Say which recordings to measure."""
    parser.add_argument(
        "--manifest",
        type=Path,
        required=required,
        metavar="CSV",
        help="recordings with path, dataset, unit, role and label; paths from its folder",
    )
    parser.add_argument(
        "--without",
        nargs="+",
        default=[],
        metavar="GLOB",
        help="leave out recordings whose path matches, such as those that a backbone was trained on",
    )


def count(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, not {text!r}")
    return int(text)


def seed(text: str) -> int:
    """A whole number that a random generator takes."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number of 0 or more, not {text!r}")
    return int(text)


def above_zero(text: str) -> float:
    """A finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return number


def decibels(text: str) -> float:
    """A finite number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"must be a number of decibels, not {text!r}")
    return number


def share(text: str) -> float:
    """A part of a whole: more than 0, less than 1."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 < number < 1.0:
        raise argparse.ArgumentTypeError(f"must be a part of a whole, such as 0.5, not {text!r}")
    return number
