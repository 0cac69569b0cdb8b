"""Become another program that dies with its parent: `python -I -S leashed.py PARENT BYTES PROGRAM ARGUMENTS...`, run as a file.

The kernel ends the program when the thread that started this one ends (PR_SET_PDEATHSIG in prctl(2)), and gives it so many bytes of data
and no more. util-linux's setpriv would do the first, and needs a system call that the service's sandbox refuses (capset).
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, data_bytes: int, program: list[str]) -> None:
    """Does not return."""
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL.value, 0, 0, 0) != 0:
        sys.exit("prctl failed")
    if os.getppid() != parent:  # it has died already
        sys.exit("nobody is there to hear it")
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    most = data_bytes if most == resource.RLIM_INFINITY else min(most, data_bytes)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    os.execv(program[0], program)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
