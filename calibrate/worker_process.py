"""A worker process of `calibrate/workers_here.py`: it is told a function, then job after job, and answers with what the function yields."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import edge.threads  # noqa: F401  # before anything imports numpy
from edge.errors import AuscultError

FUNCTION, JOB = "function", "job"
ITEM, DONE, REFUSED, FAILED = "item", "done", "refused", "failed"


def serve(descriptor: int) -> None:
    """Work until the other side is gone, which is the end of this process too."""
    with Connection(descriptor) as connection:
        function: Callable[[Any], Iterator[Any]] | None = None
        try:
            while True:
                kind, told = connection.recv()
                if kind == FUNCTION:
                    function = told
                elif function is not None:
                    for answer in _answers(function, told):
                        connection.send(answer)
        except (EOFError, OSError):
            pass
    sys.stderr.flush()
    os._exit(0)  # nothing is left to do, and libraries may take their time


def _answers(function: Callable[[Any], Iterator[Any]], job: Any) -> Iterator[tuple[str, Any]]:
    """What a job yields, and how it ended. An error's own arguments are not those that it was made with, so these are what is sent."""
    try:
        for item in function(job):
            yield ITEM, item
        yield DONE, None
    except AuscultError as error:
        yield REFUSED, (type(error), error.subject, error.problem)
    except Exception as error:
        yield FAILED, f"{type(error).__name__}: {' '.join(str(error).split())}"
