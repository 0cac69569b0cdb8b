"""Learn what is normal from recordings of a machine, and write a bundle; `auscult calibrate record` makes recordings."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from calibrate.calibration import CalibrationSettings, calibrate
from calibrate.checks import add_check_arguments
from calibrate.fitters.patchcore import PatchCoreSettings
from edge.audio.audio_file import find_audio_files
from edge.audio.channels import parse_channel
from edge.console.output import print_result
from edge.features.backbone import DEFAULT_BACKBONE

Number = TypeVar("Number", int, float)

RAREST, MOST_FREQUENT = 1e-4, 1e5  # false alarms per week: one in two centuries, one in six seconds
SMALLEST_CORESET, LARGEST_CORESET = 10, 5000  # patches; the candidates of more would not fit into bounded memory

EXAMPLE = """\
examples:
  auscult calibrate record --source pump1 --minutes 30 --output recordings/
  auscult calibrate --recordings recordings/ --output pump1.auscult
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLE
    parser.add_argument(
        "--recordings", nargs="+", required=True, metavar="DIR_OR_FILE", help="the machine running normally: folders or audio files"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="B.auscult", help="the bundle to write")
    parser.add_argument(
        "--detector", choices=("patchcore",), default="patchcore", help="how to compare with normal sound (default: patchcore)"
    )
    parser.add_argument(
        "--backbone", default=DEFAULT_BACKBONE, metavar="NAME_OR_ONNX", help=f"built-in name or exported file (default: {DEFAULT_BACKBONE})"
    )
    parser.add_argument(
        "--false-alarms-per-week", type=_false_alarms, default=1.0, metavar="N", help="how many false alarms are acceptable (default: 1)"
    )
    parser.add_argument("--channel", type=parse_channel, default=0, help='channel of the recordings, counted from 0, or "mix" (default: 0)')
    parser.add_argument(
        "--coreset", type=_count, default=PatchCoreSettings().coreset, metavar="N", help="patches kept per mel band (default: %(default)s)"
    )
    parser.add_argument(
        "--banks",
        choices=("per-band", "shared"),
        default="per-band",
        help="a memory bank for each mel band, or one for all as published (default: per-band)",
    )
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="of everything random (default: 0)")
    add_check_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the result")


def run(args: Namespace) -> int:
    """Calibrate and print what was learned."""
    settings = CalibrationSettings(
        detector=args.detector,
        backbone=args.backbone,
        false_alarms_per_week=args.false_alarms_per_week,
        channel=args.channel,
        bad_recordings=args.bad_recordings,
        outliers=args.outliers,
        patchcore=PatchCoreSettings(coreset=args.coreset, banks=args.banks, seed=args.seed),
    )
    result = calibrate(
        find_audio_files(args.recordings), args.output, settings, say=lambda line: print(f"auscult: warning: {line}", file=sys.stderr)
    )
    print_result(msgspec.to_builtins(result, enc_hook=str), args.format)
    return 0


def _false_alarms(text: str) -> float:
    value = _number(float, text)
    if not RAREST <= value <= MOST_FREQUENT:
        raise ArgumentTypeError(f"must be from {RAREST:g} to {MOST_FREQUENT:g}, not {text}")
    return value


def _count(text: str) -> int:
    value = _number(int, text)
    if not SMALLEST_CORESET <= value <= LARGEST_CORESET:
        raise ArgumentTypeError(f"must be from {SMALLEST_CORESET} to {LARGEST_CORESET}, not {text}")
    return value


def _seed(text: str) -> int:
    value = _number(int, text)
    if value < 0:
        raise ArgumentTypeError(f"must be 0 or more, not {text}")
    return value


def _number(kind: Callable[[str], Number], text: str) -> Number:
    try:
        return kind(text)
    except ValueError as error:
        raise ArgumentTypeError(f"must be a {'whole ' if kind is int else ''}number, not {text!r}") from error
