"""`auscult benchmark promise`: false alarms per week, observed against promised, and how soon faults are reported."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.alarms import Alarms
from benchmarks.commands.arguments import add_manifest_argument, add_seed_argument, add_units_argument
from benchmarks.commands.system import add_system_arguments, system_document, system_settings
from benchmarks.commands.units import measure_each, units_of
from benchmarks.delay import KINDS, SCENE_S, Delays, measure_delays
from benchmarks.held_out import Silence, measure_silence
from benchmarks.promise import RATE_HZ, RECORDING_S, Kept, count_alarms, learn, machine, pooled
from benchmarks.robustness import lacks
from calibrate.left_out import Sieve, documents, left_out_lines
from edge.console.numbers import number_above, whole_number
from edge.console.output import aligned, print_document
from edge.console.progress import Progress
from edge.judgement.tail import SECONDS_PER_WEEK

MINUTES = (5, 15, 60)
PROMISES = (1.0, 100.0, 1000.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = (
        "Calibrate on the first minutes of a synthesised machine whose load changes, score hours more of it and count false alarms; then "
        "add faults and measure the delay of their alarms. With --manifest: calibrate on fit rows, and count normal test files that alarm."
    )
    parser.epilog = "example: auscult benchmark promise --minutes 5 15 60 --hours 24 --faults 20 --format json"
    parser.add_argument(
        "--minutes", type=whole_number(1), nargs="+", default=list(MINUTES), metavar="MIN", help="lengths of calibration (default: 5 15 60)"
    )
    parser.add_argument(
        "--hours", type=number_above(0), default=3.0, metavar="H", help="normal sound after that; an hour takes two minutes (default: 3)"
    )
    parser.add_argument(
        "--false-alarms-per-week",
        type=number_above(0),
        nargs="+",
        default=list(PROMISES),
        metavar="N",
        help="promises to check; rare ones take a long time to observe (default: 1 100 1000)",
    )
    parser.add_argument("--hold", type=number_above(0), default=60.0, metavar="S", help="mean time between changes of load (default: 60)")
    parser.add_argument("--machines", type=whole_number(1), default=1, metavar="N", help="number of machines (default: 1)")
    parser.add_argument(
        "--faults", type=whole_number(0), default=10, metavar="N", help="faults of each kind, for the delays; 0 for none (default: 10)"
    )
    add_manifest_argument(parser, required=False)
    add_units_argument(parser, "only these of the manifest")
    add_system_arguments(parser)
    add_seed_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the figures."""
    document = {
        "false_alarms_per_week": _promises(arguments),
        "seed": arguments.seed,
        "system": system_document(arguments),
        **(_synthesised(arguments) if arguments.manifest is None else _real(arguments)),
    }
    print_document(document, arguments.format, lambda: _text(document))
    return 0


def _promises(arguments: argparse.Namespace) -> list[float]:
    return sorted(set(arguments.false_alarms_per_week))


def _synthesised(arguments: argparse.Namespace) -> dict[str, Any]:
    minutes, promises, seconds = sorted(set(arguments.minutes)), _promises(arguments), 3600.0 * arguments.hours
    recorded_s = RECORDING_S * (max(minutes) + sum(minutes))
    played_s = len(minutes) * (seconds + arguments.faults * len(KINDS) * SCENE_S)
    kept: list[list[Kept]] = []
    delays: list[list[Delays]] = []
    with Progress("listening", arguments.machines * (recorded_s + played_s)) as bar:
        for number in range(arguments.seed, arguments.seed + arguments.machines):
            source = machine(number, arguments.hold)
            models = learn(source, minutes, system_settings(arguments), bar.update)
            alarms = {count: Alarms(model, RATE_HZ, promises) for count, model in models.items()}
            kept.append(count_alarms(source, alarms, promises, seconds, bar.update))
            delays.append(measure_delays(source, alarms, promises, arguments.faults, number, bar.update))
    return {
        "machines": arguments.machines,
        "hold_s": arguments.hold,
        "hours": arguments.hours,
        "faults": arguments.faults,
        "promise": [_kept(one) for one in pooled(kept)],
        "delay": [_delays(same) for same in zip(*delays, strict=True)],
    }


def _kept(kept: Kept) -> dict[str, Any]:
    observed = kept.observed
    return {
        "minutes": kept.minutes,
        "supported_per_week": kept.supported_per_week,
        "promised_per_week": kept.promised_per_week,
        "supported": kept.supported_per_week <= kept.promised_per_week,
        "minutes_needed": kept.seconds_needed / 60.0,
        "predicted_per_week": kept.predicted_per_week,
        "hours": observed.seconds / 3600.0,
        "expected": kept.predicted_per_week * observed.seconds / SECONDS_PER_WEEK,
        "alarms": observed.count,
        "observed_per_week": observed.per_week,
        "low": observed.interval.low,
        "high": observed.interval.high,
    }


def _delays(same: Sequence[Delays]) -> dict[str, Any]:
    """The same kind of fault, calibration and promise on all machines."""
    first = same[0]
    every = Delays(
        minutes=first.minutes,
        promised_per_week=first.promised_per_week,
        kind=first.kind,
        delays_s=tuple(delay for one in same for delay in one.delays_s),
        missed=sum(one.missed for one in same),
        hidden=sum(one.hidden for one in same),
    )
    return {**asdict(every), "median_s": every.quantile_s(0.5), "p90_s": every.quantile_s(0.9)}


def _real(arguments: argparse.Namespace) -> dict[str, Any]:
    chosen = units_of(arguments)
    skipped = {unit.key: reason for unit in chosen if (reason := lacks(unit)) is not None}
    measurable = [unit for unit in chosen if unit.key not in skipped]
    sieves = {unit.key: Sieve() for unit in measurable}
    promises, settings = _promises(arguments), system_settings(arguments)
    with Progress("listening", sum(len(unit.fit) + len(unit.normal) for unit in measurable)) as bar:
        results = measure_each(
            measurable,
            lambda unit: measure_silence(unit, promises, sieves[unit.key], seed=arguments.seed, settings=settings, report=bar.update),
            skipped,
        )
    return {
        "manifest": arguments.manifest.name,
        "units": {key: [_silence(one) for one in silences] for key, silences in results.items()},
        "recordings": {unit.key: len(unit.fit) + len(unit.normal) for unit in measurable if unit.key in results},
        "left_out": {key: documents(sieves[key].left_out) for key in results},
        "skipped": skipped,
    }


def _silence(silence: Silence) -> dict[str, Any]:
    low, high = silence.alarms.interval or (None, None)
    share = {"alarms": silence.alarms.count, "of": silence.alarms.of, "fraction": silence.alarms.fraction, "low": low, "high": high}
    return {key: value for key, value in asdict(silence).items() if key != "alarms"} | share


def _text(document: Mapping[str, Any]) -> list[str]:
    if "units" in document:
        rows: list[Sequence[str]] = [("unit", "learned", "supports", "promised", "scored", "expected", "alarms", "share (95 %)")]
        for key, silences in document["units"].items():
            for one in silences:
                told = f"{one['alarms']} of {one['of']}", f"{one['fraction']:.2f} ({one['low']:.2f} - {one['high']:.2f})"
                lengths = f"{one['fit_seconds']:.0f} s", f"{one['supported_per_week']:.0f}/week", f"{one['promised_per_week']:g}/week"
                rows.append((key, *lengths, f"{one['seconds']:.0f} s", f"{one['expected']:.2g}", *told))
        lines = [line for key, found in document["left_out"].items() for line in left_out_lines(found, document["recordings"][key])]
        return aligned(rows) + lines + [f"skipped {key}: {reason}" for key, reason in document["skipped"].items()]
    hours = document["hours"] * document["machines"]
    heard = f"{hours:g} h of normal sound after each calibration; load changes every {document['hold_s']:g} s"
    rows = [("learned", "supports", "promised", "expected", "alarms", "observed per week (95 %)")]
    for kept in document["promise"]:
        promised = f"{kept['promised_per_week']:g}/week" + ("" if kept["supported"] else f" (needs {_minutes(kept['minutes_needed'])})")
        observed = f"{kept['observed_per_week']:.0f} ({kept['low']:.0f} - {kept['high']:.0f})"
        row = f"{kept['minutes']} min", f"{kept['supported_per_week']:.0f}/week", promised, f"{kept['expected']:.2g}"
        rows.append((*row, str(kept["alarms"]), observed))
    lines = [heard, "", *aligned(rows)]
    if document["delay"]:
        rows = [("learned", "promised", "fault", "detected", "missed", "hidden", "delay: median", "90 %")]
        for one in document["delay"]:
            counts = str(len(one["delays_s"])), str(one["missed"]), str(one["hidden"])
            rows.append(
                (f"{one['minutes']} min", f"{one['promised_per_week']:g}/week", one["kind"], *counts, _s(one["median_s"]), _s(one["p90_s"]))
            )
        lines += ["", *aligned(rows)]
    return lines


def _s(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def _minutes(minutes: float) -> str:
    return f"{minutes / 1440:.3g} days" if minutes >= 2880 else f"{minutes / 60:.3g} h" if minutes >= 120 else f"{minutes:.3g} min"
