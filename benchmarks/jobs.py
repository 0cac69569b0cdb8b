"""Many independent measurements: kept as they are done, so that a run that is broken off goes on, and spread over a cluster on demand."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar, cast

from benchmarks.cache import Cache, default_folder
from calibrate.cluster import Failure, run_each
from edge.errors import UserError

Job = TypeVar("Job")
Result = TypeVar("Result")

NOWHERE = "none"


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    """Say where results are kept and who measures."""
    parser.add_argument(
        "--cache",
        default=str(default_folder()),
        metavar="DIR",
        help=f"where results are kept, so that nothing is measured twice; {NOWHERE} keeps none (default: %(default)s)",
    )
    parser.add_argument("--cluster", metavar="local|tcp://HOST:PORT", help="measure on all cores, or on the workers of a Dask scheduler")


def cache_of(arguments: argparse.Namespace) -> Cache:
    """The cache that was asked for."""
    return Cache(None if arguments.cache == NOWHERE else Path(arguments.cache))


def measure_all(
    measure: Callable[[Job], Result],
    jobs: Sequence[Job],
    keys: Sequence[Mapping[str, Any]],
    kind: type[Result],
    arguments: argparse.Namespace,
    label: str,
) -> list[Result | Failure]:
    """Measure every job that was not measured before, and keep its result.

    Parameters
    ----------
    measure, jobs : a module's function, and what it is called with; both travel to workers.
    keys : what each result depends on, as JSON can hold it.
    kind : of the results.
    arguments : with those of `add_job_arguments`.

    Raises
    ------
    UserError
        When there is no such cluster.
    """
    cache = cache_of(arguments)
    results: list[Result | Failure | None] = [cache.get(key, kind) for key in keys]
    missing = [number for number, result in enumerate(results) if result is None]
    if missing:
        with closing(cast(Any, run_each(measure, [jobs[number] for number in missing], arguments.cluster, label=label))) as done:
            for which, result in done:
                results[missing[which]] = result
                if not isinstance(result, Failure):
                    cache.put(keys[missing[which]], result)
    return [result if result is not None else Failure("was not measured", UserError.exit_code) for result in results]
