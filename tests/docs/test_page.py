"""Generated blocks of a page."""

from __future__ import annotations

import pytest

from docs.generator.page import PageError, block_names, rewritten

PAGE = "Before.\n\n<!-- generated: words -->\nold\n<!-- end of generated -->\n\nAfter.\n"


def test_rewritten_replaces_the_block_and_nothing_else() -> None:
    assert rewritten("page.md", PAGE, {"words": lambda: "new\n"}) == PAGE.replace("old", "new")


def test_rewritten_twice_changes_nothing_more() -> None:
    once = rewritten("page.md", PAGE, {"words": lambda: "one\n\ntwo"})
    assert rewritten("page.md", once, {"words": lambda: "one\n\ntwo"}) == once


def test_rewritten_block_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(PageError, match=r"page\.md: there is no generated block 'words'; known: topics"):
        rewritten("page.md", PAGE, {"topics": str})


@pytest.mark.parametrize("lost", ["<!-- end of generated -->\n", "<!-- generated: words -->\n"])
def test_rewritten_block_without_beginning_or_end_is_refused(lost: str) -> None:
    with pytest.raises(PageError, match="needs a beginning and an end"):
        rewritten("page.md", PAGE.replace(lost, ""), {"words": str})


def test_block_names_of_a_page_that_speaks_of_marks_are_those_of_blocks_only() -> None:
    assert block_names(f"Write `<!-- generated: topics -->` there.\n{PAGE}") == ["words"]
