from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading

import pytest

from edge.stderr import c_stderr, without_stderr

LIBRARY = ctypes.CDLL(None)


def print_in_c(text: bytes) -> None:
    """Print as a C library does."""
    stream = ctypes.c_void_p.in_dll(LIBRARY, "stderr")
    LIBRARY.fputs(text, stream)
    LIBRARY.fflush(stream)


def test_silenced_c_library_is_not_heard_and_python_is(capfd: pytest.CaptureFixture[str]) -> None:
    print_in_c(b"before ")
    with c_stderr().silenced():
        print_in_c(b"within ")
        os.write(2, b"python ")
    print_in_c(b"after")
    assert capfd.readouterr().err == "before python after"


def test_silenced_in_two_threads_ends_with_the_last(capfd: pytest.CaptureFixture[str]) -> None:
    is_in, may_leave = threading.Event(), threading.Event()

    def stay() -> None:
        with c_stderr().silenced():
            is_in.set()
            may_leave.wait(10)

    thread = threading.Thread(target=stay)
    with c_stderr().silenced():
        thread.start()
        assert is_in.wait(10)
    print_in_c(b"one is left ")
    may_leave.set()
    thread.join()
    print_in_c(b"none is")
    assert capfd.readouterr().err == "none is"


def test_silenced_ends_with_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="damaged"), c_stderr().silenced():
        raise ValueError("damaged")
    print_in_c(b"after")
    assert capfd.readouterr().err == "after"


def test_without_stderr_nothing_is_heard(capfd: pytest.CaptureFixture[str]) -> None:
    with without_stderr():
        os.write(2, b"within")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_without_stderr_that_is_closed_continues() -> None:
    code = "import os; os.close(2)\nfrom edge.stderr import without_stderr\nwith without_stderr(): print('done')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n")
