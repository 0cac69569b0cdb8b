"""Recordings that cannot be used: each is left out, named and counted, so that one bad recording does not stop the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.errors import AudioError, BundleError

NAMED = 3  # in one line


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A recording that was left out, and why in words that follow its name."""

    file: str
    reason: str


class Sieve:
    """Lets pass what can be used and remembers what cannot, each file once."""

    def __init__(self) -> None:
        self._left_out: dict[str, LeftOut] = {}

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What did not pass, in the order in which it was met."""
        return tuple(self._left_out.values())

    def holds(self, file: object) -> bool:
        """Whether a file did not pass."""
        return str(file) in self._left_out

    def leave_out(self, file: object, reason: str) -> None:
        """Remember a file that cannot be used; the first reason stays."""
        self._left_out.setdefault(str(file), LeftOut(str(file), reason))

    @contextmanager
    def passing(self, file: object, copy: Path | None = None) -> Iterator[None]:
        """Do something with a file, and leave the file out if that raises that it cannot be read or scored.

        `copy` is what is worked on in its place: a name that nobody knows, which gives way to the file's own.
        """
        try:
            yield
        except (AudioError, BundleError) as error:  # a bundle refuses what is recorded at too low a rate
            self.leave_out(file, error.problem if copy is None else error.problem.replace(str(copy), str(file)))

    def adopt(self, left_out: Sequence[LeftOut], names: Mapping[str, str]) -> None:
        """Remember what another sieve held back of copies; `names` are those of the recordings that they are of."""
        for one in left_out:
            reason = one.reason
            for copy, name in names.items():
                reason = reason.replace(copy, name)
            self.leave_out(names.get(one.file, one.file), reason)


def documents(left_out: Sequence[LeftOut]) -> list[dict[str, str]]:
    """What was left out, for JSON."""
    return [{"file": one.file, "reason": one.reason} for one in left_out]


def left_out_lines(left_out: Sequence[Mapping[str, str]], total: int) -> list[str]:
    """Return the line about what was left out (`documents`) of so many recordings, the first few by name; no line for nothing."""
    if not left_out:
        return []
    named = [f"{one['file']}: {one['reason']}" for one in left_out[:NAMED]]
    more = [f"and {len(left_out) - NAMED} more"] if len(left_out) > NAMED else []
    return [f"left out {len(left_out)} of {total}: {'; '.join(named + more)}"]


def nothing_left(what: str, left_out: Sequence[LeftOut], total: int) -> AudioError:
    """Return the error that says that no recording of a kind is left, and what was left out."""
    return AudioError("recordings", "; ".join([f"{what} left", *left_out_lines(documents(left_out), total)]))
