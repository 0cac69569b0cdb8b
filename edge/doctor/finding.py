"""The result of one check: a verdict, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge.errors import AuscultError

Verdict = Literal["OK", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `remedy` is empty if there is nothing to do, or if `found` already contains it."""

    check: str  # what was looked at, such as `source pump1`
    verdict: Verdict
    found: str
    remedy: str = ""

    def line(self, width: int = 0) -> str:
        """The finding on one line, its check padded to `width`."""
        told = f"{self.found}; {self.remedy}" if self.remedy else self.found
        return f"{self.verdict:<4}  {self.check:<{width}}  {' '.join(told.split())}"


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, "OK", found)


def warn(check: str, found: str, remedy: str = "") -> Finding:
    """The daemon runs, but not as well as it could."""
    return Finding(check, "WARN", found, remedy)


def fail(check: str, found: str, remedy: str = "") -> Finding:
    """The daemon does not start, or does not do what it is for."""
    return Finding(check, "FAIL", found, remedy)


def examined(check: str, look: Callable[[], Finding]) -> Finding:
    """Return the findings of `look`; an exception becomes a finding too, so that the other checks continue."""
    try:
        return look()
    except AuscultError as error:
        return fail(check, str(error))
    except OSError as error:
        return fail(check, f"{error.filename or check}: {error.strerror or error}")
    except Exception as error:  # a mistake of ours, or of a library
        return fail(check, f"internal error: {type(error).__name__}: {error}", "please report it with the output of `auscult --version`")
