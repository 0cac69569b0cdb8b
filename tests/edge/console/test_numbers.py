from argparse import ArgumentTypeError
from collections.abc import Callable

import pytest

from edge.console.numbers import number, number_above, whole_number


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (whole_number(1), "1", 1),
        (whole_number(1, 8), "8", 8),
        (number(), "-1e3", -1000.0),
        (number(0.0), "0", 0.0),
        (number(0.0, 2.0), "2", 2.0),
        (number_above(0.0), "1e-9", 1e-9),
        (number_above(0.0, below=1.0), "0.999", 0.999),
    ],
)
def test_number_in_its_range_is_taken(parse: Callable[[str], float], text: str, value: float) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "problem"),
    [
        (whole_number(1), "0", "must be 1 or more, not 0"),
        (whole_number(1, 8), "9", "must be from 1 to 8, not 9"),
        (whole_number(0), "1.5", "must be a whole number, not '1.5'"),
        (number(), "loud", "must be a number, not 'loud'"),
        (number(), "nan", "must be finite, not nan"),
        (number(0.0), "inf", "must be 0 or more, not inf"),
        (number_above(0.0), "0", "must be above 0, not 0"),
        (number_above(0.0), "inf", "must be above 0, not inf"),
        (number_above(0.0), "nan", "must be above 0, not nan"),
        (number_above(0.0, below=1.0), "1", "must be above 0 and below 1, not 1"),
    ],
)
def test_number_outside_its_range_is_refused_in_one_line(parse: Callable[[str], float], text: str, problem: str) -> None:
    with pytest.raises(ArgumentTypeError) as refusal:
        parse(text)
    assert str(refusal.value) == problem
