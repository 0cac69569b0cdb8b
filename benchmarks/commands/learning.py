"""`auscult benchmark learning`: weeks of a machine, by a bundle of the first half hour and by one that learns in place."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.commands.arguments import add_seed_argument
from benchmarks.commands.system import add_system_arguments, system_document, system_settings
from benchmarks.jobs import add_job_arguments, measure_all
from benchmarks.learning import AFTER_H, ARMS, LearningJob, LearningResult, measure_learning
from benchmarks.learning_happenings import Rates
from benchmarks.learning_kills import Kill, measure_kills
from benchmarks.learning_marks import marks_document, measure_marks
from benchmarks.learning_site import REAL_TIME_S, Calendar
from benchmarks.learning_summary import summary
from calibrate.cluster import Failure
from edge.console.numbers import number, number_above, whole_number
from edge.console.output import aligned, print_document
from edge.errors import AuscultError, UserError

PROMISES = (1.0, 100.0)
WEEK_DAYS = 7.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = (
        "Let synthesised machines work for weeks: loads that first come up after hours and days, nights, weekends, doors, speech, and "
        "faults of known sizes. Calibrate on the first half hour; from then on one listener keeps that bundle, one learns in place, and "
        "one does so with a person who answers and marks. Compare their false alarms after the third day, and the faults that they hear. "
        "A day is compressed to --day seconds of sound."
    )
    parser.epilog = "example: auscult benchmark learning --machines 4 --cluster local --format json"
    parser.add_argument("--days", type=number_above(3.5), default=14.0, metavar="N", help="days that the machines work (default: 14)")
    parser.add_argument(
        "--day", type=number_above(0), default=3600.0, metavar="S", help="seconds of sound that stand for a day (default: 3600)"
    )
    parser.add_argument("--machines", type=whole_number(1), default=4, metavar="N", help="number of machines (default: 4)")
    parser.add_argument(
        "--faults", type=whole_number(0), default=3, metavar="N", help="faults of each kind and size, after the third day (default: 3)"
    )
    parser.add_argument(
        "--false-alarms-per-week",
        type=number_above(0),
        nargs="+",
        default=list(PROMISES),
        metavar="N",
        help="promises; bundles are made for the first, the others move its threshold (default: 1 100)",
    )
    parser.add_argument("--wear", type=number(0), default=0.0, metavar="DB", help="by which one octave gets louder each day (default: 0)")
    parser.add_argument(
        "--mark",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="instead, mark three doors and three phrases of speech as false alarms, and count N of each and of each fault then",
    )
    parser.add_argument(
        "--kill", type=whole_number(0), default=0, metavar="N", help="instead, kill a process that learns so many times in a week of sound"
    )
    parser.add_argument("--quick", action="store_true", help="one machine, 4 days of 15 minutes, small banks: to see that it works")
    add_job_arguments(parser)
    add_system_arguments(parser)
    add_seed_argument(parser, "seed of the first machine")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    if arguments.quick:
        arguments.days, arguments.day, arguments.machines, arguments.faults = 4.0, 900.0, 1, 1
        arguments.backbone, arguments.coreset = "logmel", 50
    settings = system_settings(arguments)
    document: dict[str, Any] = {"seed": arguments.seed, "day_s": arguments.day, "system": system_document(arguments)}
    if arguments.kill:
        if not sys.platform.startswith("linux"):
            raise UserError("--kill", "kills processes as Linux does; run it on Linux")
        kills = measure_kills(arguments.seed, settings, arguments.kill, WEEK_DAYS * arguments.day)
        document["kills"] = [kill.document() for kill in kills]
        print_document(document, arguments.format, lambda: _kill_lines(kills))
        return 0
    if arguments.mark:
        marked = [measure_marks(seed, settings, arguments.mark) for seed in range(arguments.seed, arguments.seed + arguments.machines)]
        document |= {"machines": arguments.machines, **marks_document(marked)}
        print_document(document, arguments.format, lambda: _mark_lines(document))
        return 0
    promises = tuple(dict.fromkeys(arguments.false_alarms_per_week))
    rates = Rates(repeats=arguments.faults)
    jobs = [
        LearningJob(seed, arguments.days, Calendar(arguments.day), promises, rates, wear_db_per_day=arguments.wear, settings=settings)
        for seed in range(arguments.seed, arguments.seed + arguments.machines)
    ]
    keys = [job.key(document["system"]) for job in jobs]
    found = measure_all(measure_learning, jobs, keys, LearningResult, arguments, "listening")
    for one in found:
        if isinstance(one, Failure):
            raise AuscultError("auscult benchmark learning", one.problem)
    results = [one for one in found if isinstance(one, LearningResult)]
    document |= {"days": arguments.days, "machines": arguments.machines, "faults_of_each": arguments.faults, "wear_db": arguments.wear}
    document |= {"calibrated_s": REAL_TIME_S, **summary(results, promises, AFTER_H)}
    print_document(document, arguments.format, partial(_text, document))
    return 0


def _text(document: Mapping[str, Any]) -> list[str]:
    rows: list[Sequence[str]] = [("promised", "because of", "ears", "alarms", "in", "per week of sound (95 %)", "in alarm")]
    for one in document["alarms"]:
        rate = f"{one['per_week']:.0f} ({one['low']:.0f} - {one['high']:.0f})"
        promised, hours = f"{one['promised_per_week']:g}/week", f"{one['hours']:.1f} h"
        rows.append((promised, one["cause"], one["ears"], str(one["alarms"]), hours, rate, f"{one['in_alarm']:.3f}"))
    faults: list[Sequence[str]] = [("promised", "fault", "size", *ARMS, "of", f"hidden: {ARMS[0]}", *ARMS[1:])]
    for one in document["faults"]:
        counts = *(str(one["told"][arm]) for arm in ARMS), str(one["faults"]), *(str(one["hidden"][arm]) for arm in ARMS)
        faults.append((f"{one['promised_per_week']:g}/week", one["kind"], f"{one['size_db']:+g} dB", *counts))
    states: list[Sequence[str]] = [("state", "ears", "scenes", "alarms", "in alarm")]
    states += [(o["state"], o["ears"], str(o["scenes"]), str(o["alarms"]), f"{o['in_alarm']:.3f}") for o in document["states"]]
    lines = [
        f"{document['machines']} machines for {document['days']:g} days of {document['day_s']:g} s of sound; from the third day on:",
        "",
    ]
    lines += [*aligned(rows), "", *aligned(states), "", *aligned(faults), ""]
    lines += [f"{one['promised_per_week']:g}/week, {one['ears']}: {_times(one)} fewer false alarms" for one in document["fewer"]]
    for one in document["faults_heard"]:
        told = f"{one['told']['told']} of {one['faults']} faults that no open event hid; static {one['static']['told']}"
        lines.append(f"{one['promised_per_week']:g}/week, {one['ears']}: {told}")
    for seed, arms in document["versions"].items():
        for arm, versions in arms.items():
            made = ", ".join(f"{one['heard_s'] / 60.0:.0f} min (fitting {one['fit_s']:.0f} s)" for one in versions)
            lines.append(f"machine {seed}, {arm}: bundles after {made or 'none'}; {len(document['failures'][seed][arm])} could not be made")
    cost = document["cost"]
    lines.append(
        f"cost: {cost['static_ms']:.1f} ms/s static, {cost['learning_ms']:.1f} learning, of that {cost['overhearing_ms']:.2f}, "
        f"writer {cost['writer_ms']:.2f}; {document['written_bytes_per_day'] / 1e6:.1f} MB written per day of sound"
    )
    return lines


def _times(one: Mapping[str, float | None]) -> str:
    value, low, high = (one[name] for name in ("value", "low", "high"))
    return f"{'no end of times' if value is None else f'{value:.1f} times'} ({_end(low)} - {_end(high)})"


def _end(value: float | None) -> str:
    return "no end" if value is None else f"{value:.1f}"


def _kill_lines(kills: Sequence[Kill]) -> list[str]:
    rows: list[Sequence[str]] = [("kill", "after", "lost", "stretches", "store")]
    rows += [(str(n + 1), f"{k.heard_s:.0f} s", f"{k.lost_s:.0f} s", str(k.stretches), k.problem or "whole") for n, k in enumerate(kills)]
    return [*aligned(rows), "", f"at most {max(kill.lost_s for kill in kills):.0f} s of learning lost by a kill"]


def _mark_lines(document: Mapping[str, Any]) -> list[str]:
    rows: list[Sequence[str]] = [("what", "size", "of", "told before", "after the marks")]
    rows += [(o["kind"], f"{o['size_db']:+g} dB", str(o["scenes"]), str(o["before"]), str(o["after"])) for o in document["told"]]
    lines = [*aligned(rows), ""]
    for name in ("marked", "faults"):
        one = document[name]
        fewer, low, high = (100.0 * one["fewer"][end] for end in ("value", "low", "high"))
        lines.append(f"{name}: {one['before']} before, {one['after']} after: {fewer:.0f} % fewer ({low:.0f} - {high:.0f})")
    same = "the same, bit for bit" if document["undone_is_same"] else "NOT the same"
    return [*lines, f"marks taken back: scores of {document['undone_windows']} windows are {same}"]
