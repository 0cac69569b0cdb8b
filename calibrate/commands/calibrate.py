"""Learn what is normal from recordings of a machine, and write a bundle; `auscult calibrate record` makes recordings."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from calibrate.calibration import calibrate
from calibrate.calibration_arguments import RowSettings, add_calibration_arguments, calibration_settings, moment
from calibrate.cluster import Failure, say
from calibrate.fleet import FleetBundle, Unit, calibrate_fleet
from calibrate.fleet_manifest import read_fleet_manifest
from calibrate.in_place.calibrate_store import calibrate_store
from calibrate.learned import Learned
from calibrate.report.calibration_report import write_calibration_report
from calibrate.report.file import check_report
from calibrate.workers import check_address
from calibrate.workers_here import cores
from edge.audio.audio_file import find_audio_files
from edge.bundles.signature import SigningKey
from edge.console.numbers import whole_number
from edge.console.output import aligned, print_result, printable
from edge.errors import UserError

EXAMPLE = """\
examples:
  auscult calibrate record --source pump1 --minutes 30 --output recordings/
  auscult calibrate --recordings recordings/ --output pump1.auscult --report pump1.html

of what a source has learned in place, once it knows the machine:
  auscult calibrate --store /var/lib/auscult/learning/pump1 --output pump1.auscult

a fleet, one machine per line of a CSV file, one after another or on many cores and computers:
  auscult calibrate --manifest fleet.csv --output-dir bundles/
  auscult calibrate --manifest fleet.csv --output-dir bundles/ --cluster local
  auscult calibrate --manifest fleet.csv --output-dir bundles/ --cluster tcp://192.168.1.20:8786

fleet.csv; every option of how to calibrate may be a column, and an empty cell is what the command line says:
  unit,recordings,channel
  pump1,recordings/pump1,
  pump2,recordings/pump2;recordings/pump2-night,1
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLE
    parser.add_argument("--recordings", nargs="+", metavar="DIR_OR_FILE", help="the machine running normally: folders or audio files")
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help="instead of recordings, what a source has learned in place (`auscult learn --status`)"
    )
    parser.add_argument("--output", type=Path, metavar="B.auscult", help="the bundle to write")
    fleet = parser.add_argument_group("a fleet", "many machines, instead of --recordings and --output")
    fleet.add_argument("--manifest", type=Path, metavar="FLEET.csv", help="unit and recordings of each machine, relative to its folder")
    fleet.add_argument("--output-dir", type=Path, metavar="DIR", help="folder for UNIT.auscult; made when it is missing")
    fleet.add_argument(
        "--cluster",
        type=_cluster,
        metavar="local|tcp://HOST:PORT",
        help="fit on all cores of this computer, or on the workers of a Dask scheduler, which see the recordings under the same paths",
    )
    fleet.add_argument(
        "--anew", action="store_true", help="make bundles again even if they exist, made from the same recordings with the same settings"
    )
    add_calibration_arguments(parser)
    parser.add_argument("--sign", type=Path, metavar="KEY.pem", help="sign what is made with this Ed25519 private key (extra [sign])")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="report.html",
        help="also write what was learned, from what, and what it can promise, as one page to read and print (extra [report])",
    )
    parser.add_argument(
        "--workers",
        type=whole_number(1),
        metavar="N",
        help="processes that share the work (default: one for each core; the bundle is the same)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the result")


def _cluster(text: str) -> str:
    if problem := check_address(text):
        raise ArgumentTypeError(problem)
    return text


def run(args: Namespace) -> int:
    """Calibrate and print the result."""
    fleet = args.manifest is not None or args.output_dir is not None
    sound = "recordings" if args.store is None else "store"
    wanted: tuple[str, ...] = ("manifest", "output_dir")
    others: tuple[str, ...] = ("recordings", "store", "output", "report", "workers")
    if not fleet:
        wanted, others = (sound, "output"), ("cluster", "anew", *(("recordings", "report", "workers") if sound == "store" else ()))
    if missing := [_flag(option) for option in wanted if getattr(args, option) is None]:
        raise UserError("calibrate", f"required: {' and '.join(missing)}; see `auscult calibrate --help`")
    if stray := [_flag(option) for option in others if getattr(args, option)]:
        raise UserError("calibrate", f"{stray[0]} does not go with {_flag(wanted[0])}; see `auscult calibrate --help`")
    key = SigningKey(args.sign) if args.sign is not None else None
    return _run_fleet(args, key) if fleet else _run_one(args, key)


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _run_one(args: Namespace, key: SigningKey | None) -> int:
    def warn(line: str) -> None:
        print(f"auscult: warning: {line}", file=sys.stderr)

    if args.report is not None:
        check_report(args.report)
    settings = calibration_settings(args, moment())
    learned: list[Learned] = []
    if args.store is not None:
        result = calibrate_store(args.store, args.output, settings, warn, key)
    else:
        result = calibrate(
            find_audio_files(args.recordings),
            args.output,
            settings,
            say=warn,
            key=key,
            study=learned.append,
            workers=args.workers or cores(),
        )
    told = msgspec.to_builtins(result, enc_hook=str)
    print_result(told if args.format == "json" else {**told, "detection_limit_db": None}, args.format)  # the text has the limit in words
    if args.report is not None:
        write_calibration_report(args.report, result, learned[0], settings)
    return 0


def _run_fleet(args: Namespace, key: SigningKey | None) -> int:
    """Calibrate machine by machine; those that fail are told, and the others are made all the same."""
    manifest = read_fleet_manifest(args.manifest, RowSettings(args, moment(), args.manifest.parent))
    for warning in manifest.warnings:
        say(f"warning: {warning}")
    for mistake in manifest.mistakes:
        say(str(mistake))
    if manifest.mistakes:
        return UserError.exit_code
    units = manifest.units
    made: dict[str, FleetBundle] = {}
    failed: dict[str, Failure] = {}
    try:
        with closing(calibrate_fleet(units, args.output_dir, args.cluster, anew=args.anew, key=key)) as results:
            for unit, result in results:
                count = f"{len(made) + len(failed) + 1} of {len(units)}"
                if isinstance(result, Failure):
                    failed[unit.name] = result
                    say(f"{args.manifest}:{unit.line}: {unit.name} ({count}): {result.problem}")
                else:
                    made[unit.name] = result
                    _tell(result, count)
    except KeyboardInterrupt:
        say(f"interrupted; {len(made)} of {len(units)} bundles are there, and the same command continues with the others")
        raise
    _print_fleet(units, made, failed, args.format)
    if failed:
        say(f"{len(failed)} of {len(units)} machines failed; correct what is reported above, and the same command continues with them")
    # A failure that is nobody's mistake weighs more than one that the user can mend.
    return min((failure.exit_code for failure in failed.values()), default=0)


def _tell(bundle: FleetBundle, count: str) -> None:
    if bundle.skipped:
        say(f"{bundle.unit} ({count}): skipped, {bundle.bundle} was made from the same recordings and settings; --anew makes it again")
        return
    for warning in bundle.warnings:
        say(f"warning: {bundle.unit}: {warning}")
    say(f"{bundle.unit} ({count}): {bundle.bundle}")


def _print_fleet(units: Sequence[Unit], made: Mapping[str, FleetBundle], failed: Mapping[str, Failure], form: str) -> None:
    """The result on stdout, in the manifest's order."""
    bundles = [made[unit.name] for unit in units if unit.name in made]
    if form == "json":
        failures = [{"unit": unit.name, "line": unit.line, "problem": failed[unit.name].problem} for unit in units if unit.name in failed]
        print_result({"bundles": msgspec.to_builtins(bundles, enc_hook=str), "failed": failures}, "json")
        return
    rows = [(one.unit, str(one.bundle), f"{one.seconds:.0f} s", "skipped" if one.skipped else "made") for one in bundles]
    rows += [(unit.name, "-", "-", "failed") for unit in units if unit.name in failed]
    for line in aligned([tuple(map(printable, row)) for row in rows]):
        print(line)
