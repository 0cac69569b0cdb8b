"""A page of Markdown with generated blocks.

<!-- generated: topics -->
| topic | ...
<!-- end of generated -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_BLOCK = re.compile(r"^<!-- generated: (?P<name>[^>\n]+?) -->\n(?P<body>.*?)^<!-- end of generated -->\n", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"^<!-- (?:generated|end of generated)\b", re.MULTILINE)


class PageError(Exception):
    """A page whose marks are wrong."""


def block_names(text: str) -> list[str]:
    """The names of the generated blocks of a page, in order."""
    return [match["name"] for match in _BLOCK.finditer(text)]


def rewritten(page: str, text: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """Return the page's text with every generated block written anew.

    Raises
    ------
    PageError
        A block has no end, or a name that no generator has.
    """
    if len(_MARK.findall(text)) != 2 * len(block_names(text)):
        raise PageError(f"{page}: a generated block needs a beginning and an end, each on a line of its own")

    def fill(match: re.Match[str]) -> str:
        if match["name"] not in blocks:
            raise PageError(f"{page}: there is no generated block {match['name']!r}; known: {', '.join(blocks)}")
        return f"<!-- generated: {match['name']} -->\n{blocks[match['name']]().strip()}\n<!-- end of generated -->\n"

    return _BLOCK.sub(fill, text)
