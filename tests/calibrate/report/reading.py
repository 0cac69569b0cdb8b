"""Reads a report as a strict reader would: every tag closed, no script, nothing from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "img", "br", "path", "use", "rect"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "section", "div", "h1", "h2", "p", "ul", "li", "dl", "dt", "dd"),
    *("figure", "figcaption", "img", "table", "thead", "tbody", "tr", "th", "td", "span", "b", "br", "small"),
    *("svg", "defs", "g", "path", "use", "text", "tspan", "clippath", "rect"),
}


class Report(HTMLParser):
    """What a page says."""

    def __init__(self, page: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.source = page.read_text(encoding="utf-8")
        self.tags: list[str] = []
        self.images = 0
        self.rows: list[list[str]] = []
        self.frames: list[str] = []  # classes of figures
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        """All words."""
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name in ("src", "srcset"):
                assert (value or "").startswith("data:image/png;base64,")
                self.images += 1
            if name.endswith("href"):
                assert (value or "").startswith("#")
            if tag == "figure" and name == "class":
                self.frames.append(value or "")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data
