"""Argument types that the benchmarks share."""

from __future__ import annotations

import argparse
import math


def count(text: str) -> int:
    """A whole number of 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def seed(text: str) -> int:
    """A whole number that a random generator takes."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def decibels(text: str) -> float:
    """A finite number."""
    number = float(text)
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError("must be a number of decibels")
    return number
