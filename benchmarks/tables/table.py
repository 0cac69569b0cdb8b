"""A table of a paper: a row for each system, a column for each figure, and the published figure beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One of our figures, in the unit of the table, with its interval if it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One system."""

    name: str
    ours: Mapping[str, Figure]  # column -> figure; empty for a system that Auscult does not have
    published: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Table:
    """All of it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    decimals: int = 1

    def markdown(self) -> str:
        """As a Markdown table: ours, its interval in brackets, and the published figure behind a bar of its own."""
        header = ["system", *self.columns]
        lines = [f"**{self.title}**", "", _line(header), _line(["---"] * len(header))]
        lines += [_line([row.name, *(self._cell(row, column) for column in self.columns)]) for row in self.rows]
        return "\n".join([*lines, "", *(f"* {note}" for note in self.notes)]).rstrip()

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {
            "title": self.title,
            "rows": {
                row.name: {
                    column: {
                        "value": ours.value if (ours := row.ours.get(column)) else None,
                        "low": ours.low if ours else None,
                        "high": ours.high if ours else None,
                        "published": row.published.get(column),
                    }
                    for column in self.columns
                }
                for row in self.rows
            },
            "notes": list(self.notes),
        }

    def _cell(self, row: Row, column: str) -> str:
        ours, published = row.ours.get(column), row.published.get(column)
        interval = "" if ours is None or ours.low is None or ours.high is None else f" ({self._text(ours.low)} - {self._text(ours.high)})"
        return f"{self._text(None if ours is None else ours.value)}{interval} / {self._text(published)}"

    def _text(self, value: float | None) -> str:
        return "-" if value is None else f"{value:.{self.decimals}f}"


def rows_of(published: Mapping[str, Mapping[str, float]], ours: Mapping[str, Mapping[str, Figure]]) -> list[Row]:
    """A row for every published system, in the paper's order, then those that are ours alone."""
    names = [*published, *(name for name in ours if name not in published)]
    return [Row(name, ours.get(name, {}), published.get(name, {})) for name in names]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
