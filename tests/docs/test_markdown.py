"""Pieces of Markdown."""

from __future__ import annotations

import pytest

from docs.generator.markdown import plain, table


def test_table_cell_with_a_bar_or_a_line_break_stays_one_cell() -> None:
    assert table(("a", "b"), [("x|y", "one\n  two")]) == "| a | b |\n| --- | --- |\n| x\\|y | one two |\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("cnn14-<source>", "cnn14-\\<source>"), ("a_b *c*", "a\\_b \\*c\\*"), ("see `--a_b <c>`", "see `--a_b <c>`")],
)
def test_plain_text_outside_code_is_not_read_as_markdown(text: str, expected: str) -> None:
    assert plain(text) == expected
