"""Types of command line options that calibration's commands share."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import TypeVar

Number = TypeVar("Number", int, float)


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number in a range, both ends included."""
    return _within(int, "a whole number", least, most)


def number(least: float, most: float | None = None) -> Callable[[str], float]:
    """A number in a range, both ends included."""
    return _within(float, "a number", least, most)


def _within(kind: Callable[[str], Number], called: str, least: Number, most: Number | None) -> Callable[[str], Number]:
    wanted = f"{least:g} or more" if most is None else f"from {least:g} to {most:g}"

    def parse(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError as error:
            raise ArgumentTypeError(f"must be {called}, not {text!r}") from error
        if not (least <= value and (most is None or value <= most)):
            raise ArgumentTypeError(f"must be {wanted}, not {text}")
        return value

    return parse
