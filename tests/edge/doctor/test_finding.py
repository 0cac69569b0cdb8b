from __future__ import annotations

import pytest

from edge.doctor.finding import Finding, examined, fail, ok
from edge.errors import ConfigError


def test_line_holds_everything_on_one_line() -> None:
    assert fail("broker", "no\nanswer", "look there").line(8) == "FAIL  broker    no answer; look there"
    assert ok("clock", "synchronised").line() == "OK    clock  synchronised"


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (ConfigError("a.yaml", "is bad"), "a.yaml: is bad"),
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied"),
        (ZeroDivisionError("by zero"), "internal error: ZeroDivisionError: by zero"),
    ],
)
def test_examined_makes_a_finding_of_any_exception(error: Exception, found: str) -> None:
    def look() -> Finding:
        raise error

    finding = examined("thing", look)
    assert (finding.check, finding.verdict, finding.found) == ("thing", "FAIL", found)
