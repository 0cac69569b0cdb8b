"""Types of command line options: numbers in a range. Anything else is refused in one line that says what is expected."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import TypeVar

Number = TypeVar("Number", int, float)


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number in a range, both ends included."""
    return _parser(int, "a whole number", _range(least, most), lambda value: least <= value and (most is None or value <= most))


def number(least: float | None = None, most: float | None = None) -> Callable[[str], float]:
    """A finite number in a range, both ends included; without `least`, any finite number."""
    low, high = -math.inf if least is None else least, math.inf if most is None else most
    return _parser(float, "a number", "finite" if least is None else _range(least, most), lambda value: low <= value <= high)


def number_above(least: float, below: float | None = None) -> Callable[[str], float]:
    """A finite number in a range, both ends excluded."""
    wanted = f"above {least:g}" if below is None else f"above {least:g} and below {below:g}"
    return _parser(float, "a number", wanted, lambda value: least < value and (below is None or value < below))


def _range(least: float, most: float | None) -> str:
    return f"{least:g} or more" if most is None else f"from {least:g} to {most:g}"


def _parser(kind: Callable[[str], Number], called: str, wanted: str, is_one: Callable[[Number], bool]) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError as error:
            raise ArgumentTypeError(f"must be {called}, not {text!r}") from error
        if not (math.isfinite(value) and is_one(value)):
            raise ArgumentTypeError(f"must be {wanted}, not {text}")
        return value

    return parse
