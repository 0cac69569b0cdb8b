from __future__ import annotations

from pathlib import Path

import pytest

from calibrate.left_out import LeftOut, Sieve, documents, left_out_lines, nothing_left
from edge.errors import AudioError, BundleError, UserError


def test_sieve_holds_what_fails_and_lets_the_rest_pass() -> None:
    sieve = Sieve()
    heard = []
    for name, error in (("a.wav", None), ("b.wav", AudioError("copy.wav", "holds no sound")), ("c.wav", BundleError("b", "too narrow"))):
        with sieve.passing(name):
            if error:
                raise error
            heard.append(name)
    assert heard == ["a.wav"]
    assert sieve.left_out == (LeftOut("b.wav", "holds no sound"), LeftOut("c.wav", "too narrow"))
    assert (sieve.holds("a.wav"), sieve.holds(Path("b.wav"))) == (False, True)
    assert documents(sieve.left_out)[0] == {"file": "b.wav", "reason": "holds no sound"}


def test_sieve_lets_other_errors_through() -> None:
    with pytest.raises(UserError, match="mistake"), Sieve().passing("a.wav"):
        raise UserError("option", "mistake")


def test_sieve_names_a_file_once_by_its_first_reason() -> None:
    sieve = Sieve()
    sieve.leave_out("a.wav", "holds no sound")
    sieve.leave_out(Path("a.wav"), "got no score")
    assert sieve.left_out == (LeftOut("a.wav", "holds no sound"),)


def test_sieve_tells_of_recordings_and_not_of_their_copies() -> None:
    sieve, copies = Sieve(), Sieve()
    with sieve.passing("fan/a.wav", copy=Path("/tmp/x/a.wav")):
        raise BundleError("machine.auscult", "is too wide: /tmp/x/a.wav carries only 4000 Hz")
    copies.leave_out("/tmp/x/1.wav", "the same sound as /tmp/x/0.wav")
    sieve.adopt(copies.left_out, {"/tmp/x/0.wav": "fan/b.wav", "/tmp/x/1.wav": "fan/c.wav, clip 2 of 3"})
    assert sieve.left_out == (
        LeftOut("fan/a.wav", "is too wide: fan/a.wav carries only 4000 Hz"),
        LeftOut("fan/c.wav, clip 2 of 3", "the same sound as fan/b.wav"),
    )


def test_left_out_lines_name_the_first_few_and_count_the_rest() -> None:
    many = documents([LeftOut(f"{number}.wav", "holds no sound") for number in range(5)])
    assert left_out_lines([], 7) == []
    assert left_out_lines(many[:1], 1680) == ["left out 1 of 1680: 0.wav: holds no sound"]
    assert left_out_lines(many, 7) == ["left out 5 of 7: 0.wav: holds no sound; 1.wav: holds no sound; 2.wav: holds no sound; and 2 more"]


def test_nothing_left_says_what_was_left_out() -> None:
    error = nothing_left("no normal test rows", [LeftOut("a.wav", "holds no sound")], 7)
    assert str(error) == "recordings: no normal test rows left; left out 1 of 7: a.wav: holds no sound"
    assert str(nothing_left("no fit rows", [], 7)) == "recordings: no fit rows left"
