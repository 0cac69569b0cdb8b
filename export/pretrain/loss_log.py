"""losses.csv: one line per step, readable while the training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from edge.atomic_file import SHARED, replacing


class LossLog:
    """Appends to the file; a resumed training first drops what was logged after the state it resumes from."""

    def __init__(self, path: Path, columns: Sequence[str], first_step: int) -> None:
        self._columns = ("step", "seconds", "learning_rate", "loss", *columns)
        kept = _steps_before(path, first_step) if first_step else []
        with replacing(path, SHARED) as file:
            file.write("".join(f"{line}\n" for line in [",".join(self._columns), *kept]).encode())
        self._file: TextIO = path.open("a", encoding="ascii")

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Log one step."""
        cells = [str(step), *(f"{values[column]:.6g}" for column in self._columns[1:])]
        self._file.write(",".join(cells) + "\n")

    def flush(self) -> None:
        """Make what was logged readable."""
        self._file.flush()

    def close(self) -> None:
        """Done."""
        self._file.close()


def _steps_before(path: Path, first_step: int) -> list[str]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="ascii").splitlines()[1:]
    return [line for line in lines if line.partition(",")[0].isdigit() and int(line.partition(",")[0]) < first_step]
