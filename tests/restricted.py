"""Runs a program as the service's unit does: the system calls of systemd's set @resources fail with EPERM.

python -m tests.restricted PROGRAM ARGUMENT...
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

# Of x86-64, in the order of `systemd-analyze syscall-filter @resources`: ioprio_set, mbind, migrate_pages, move_pages, sched_setaffinity,
# sched_setattr, sched_setparam, sched_setscheduler, set_mempolicy, setpriority, setrlimit. Glibc's setrlimit() calls prlimit64, which is
# not among them.
RESOURCES = (251, 237, 256, 279, 203, 314, 142, 144, 238, 141, 160)
MACHINE = "x86_64"
_EPERM = 0x00050000 | 1  # SECCOMP_RET_ERRNO
_ALLOW = 0x7FFF0000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # of classic BPF; the first word that is loaded is the number of the call
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def restrict() -> None:
    """From now on, for this process and all that it starts; OSError when the kernel does not."""
    steps = [(_LOAD, 0, 0, 0)]
    steps += [(_EQUAL, len(RESOURCES) - index, 0, number) for index, number in enumerate(RESOURCES)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _EPERM)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = _Program(len(steps), ctypes.cast(code, ctypes.c_void_p).value)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter")


if __name__ == "__main__":
    restrict()
    os.execvp(sys.argv[1], sys.argv[1:])
