"""Pieces of HTML. Text becomes HTML here and nowhere else, so that a file name is never anything but a name."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from edge.console.output import printable


class Html(str):
    """What may stand in a page as it is: made by this module or by matplotlib. Everything else goes through `text`."""

    __slots__ = ()


Cell = str | float | int | None


def text(value: object) -> Html:
    """Any text, such as the name of a file."""
    return Html(escape(printable(value)))


def join(parts: Iterable[Html], between: str = "\n") -> Html:
    """Pieces, one after the other."""
    return Html(between.join(parts))


def section(title: str, *parts: Html) -> Html:
    """A heading and what stands below it."""
    return Html(f"<section>\n<h2>{text(title)}</h2>\n{join(parts)}\n</section>")


def side_by_side(*parts: Html) -> Html:
    """Parts next to each other where there is room; those that are empty are left out."""
    return Html(f'<div class="two">\n{join(part for part in parts if part)}\n</div>')


def paragraph(told: str, kind: str = "") -> Html:
    """A paragraph; `kind` is a class of the style."""
    return Html(f'<p class="{text(kind)}">{text(told)}</p>' if kind else f"<p>{text(told)}</p>")


def items(told: Iterable[str]) -> Html:
    """A list."""
    return Html(f"<ul>{join((Html(f'<li>{text(one)}</li>') for one in told), '')}</ul>")


def facts(pairs: Iterable[tuple[str, Cell]]) -> Html:
    """Names and values, side by side."""
    return Html(f"<dl>{join((Html(f'<div><dt>{text(name)}</dt><dd>{cell(value)}</dd></div>') for name, value in pairs), '')}</dl>")


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Html:
    """A table; numbers stand at the right."""
    head = "".join(f"<th>{text(column)}</th>" for column in columns)
    body = "\n".join(f"<tr>{''.join(map(_table_cell, row))}</tr>" for row in rows)
    return Html(f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>")


def wide(content: Html) -> Html:
    """What may be wider than a phone: it is moved under one's finger, and the page is not."""
    return Html(f'<div class="wide">{content}</div>')


def cell(value: Cell) -> Html:
    """What stands in a table: `Html` as it is, None as a dash, numbers with up to four digits."""
    if isinstance(value, Html):
        return value
    if value is None:
        return Html("&ndash;")
    if isinstance(value, float):
        return text(f"{value:.4g}")
    return text(value)


def _table_cell(value: Cell) -> str:
    is_number = isinstance(value, float | int)
    return f"<td{' class=number' if is_number else ''}>{cell(value)}</td>"


def figure(picture: Html, caption: str) -> Html:
    """A picture with words below it."""
    return Html(f"<figure>{picture}<figcaption>{text(caption)}</figcaption></figure>")


def image(png: bytes, described: str) -> Html:
    """A PNG, in the page itself."""
    return Html(f'<img alt="{text(described)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">')
