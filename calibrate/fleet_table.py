"""The CSV file behind a fleet's manifest: its rows by column, and messages about its lines."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.errors import UserError, unreadable

SLIP = 0.75  # so much alike are a column and what was meant


class FleetTable:
    """A table whose first line names the columns. Mistakes and warnings are collected while it is read and reported together."""

    def __init__(self, path: Path, needed: Sequence[str], options: Sequence[str]) -> None:
        """It must have the `needed` columns and may have the `options`, which are spelled with `_`."""
        self.path = path
        self.warnings: list[str] = []
        self._needed = needed
        self._known = (*needed, *options)
        self._mistakes: list[tuple[int, UserError]] = []

    @property
    def mistakes(self) -> list[UserError]:
        """The collected mistakes, in the order of the lines."""
        return [mistake for _, mistake in sorted(self._mistakes, key=lambda known: known[0])]

    def complain(self, line: int, problem: str, column: str = "") -> None:
        """A line is wrong, in one of its columns or as a whole."""
        self._mistakes.append((line, UserError(self._place(line), f"column {column}: {problem}" if column else problem)))

    def warn(self, line: int, what: str, column: str) -> None:
        """A line may not mean what was intended."""
        self.warnings.append(f"{self._place(line)}: column {column}: {what}")

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Line number and cells, by column, of every row that is not empty.

        Raises
        ------
        UserError
            The file is missing, no CSV, lacks a column, or has one twice or one that is a slip of the pen.
        """
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                heading = file.readline()
                file.seek(0)
                reader = csv.reader(file, delimiter=max(",;\t", key=heading.count), strict=True)
                columns = self._columns(next(reader, []))
                for row in reader:
                    if len(row) > len(columns) and any(cell.strip() for cell in row[len(columns) :]):
                        problem = f"has {len(row)} cells, and there are {len(columns)} columns; put a cell with a comma in it in quotes"
                        self.complain(reader.line_num, problem)
                    elif any(cell.strip() for cell in row):
                        yield reader.line_num, {column: cell.strip() for column, cell in zip(columns, row, strict=False)}
        except OSError as error:
            raise UserError(self.path, f"{unreadable(error)}; --manifest takes a CSV file") from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError(self.path, f"not a CSV file in UTF-8 ({error}); save the table as CSV UTF-8") from error

    def _columns(self, heading: Sequence[str]) -> list[str]:
        """The columns, as options are spelled; a slip of the pen is a mistake, another column a warning."""
        where = self._place(1)
        columns = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in heading]
        missing = [column for column in self._needed if column not in columns]
        if len(missing) < len(self._needed):  # else it is no heading
            for column, written in zip(columns, map(str.strip, heading), strict=True):
                if column in self._known and columns.count(column) > 1:
                    raise UserError(where, f"column {written}: is there twice; remove one")
                if column and column not in self._known:
                    if near := difflib.get_close_matches(column, self._known, n=1, cutoff=SLIP):
                        raise UserError(where, f"column {written}: unknown; did you mean {near[0]}? If not, give it another name")
                    self.warn(1, f"is not read; known are {', '.join(self._known)}", written)
        if missing:
            raise UserError(where, f"column {missing[0]}: missing; the first line names the columns, as in: {','.join(self._needed)}")
        return columns

    def _place(self, line: int) -> str:
        return f"{self.path}:{line}"
