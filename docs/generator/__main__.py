"""Writes the generated blocks of the pages in docs: `python -m docs.generator`.

With `--check` nothing is written; the exit code is 1 when a block is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

from docs.generator.blocks import BLOCKS
from docs.generator.page import rewritten

DOCS = Path(__file__).resolve().parents[1]


def stale_pages(folder: Path = DOCS) -> dict[Path, str]:
    """The pages whose generated blocks differ from the code, with the text that each should have."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    fresh = {path: rewritten(path.name, text, BLOCKS) for path, text in pages.items()}
    return {path: text for path, text in fresh.items() if text != pages[path]}


def main(arguments: list[str]) -> int:
    """Bring every page up to date, or say which is not."""
    stale = stale_pages()
    for path, text in stale.items():
        if "--check" in arguments:
            print(f"docs/{path.name}: a generated block is stale; run: make docs", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"docs/{path.name}: brought up to date")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
