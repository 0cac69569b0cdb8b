"""Learn what is normal from recordings of a machine, and write a bundle; `auscult calibrate record` makes recordings."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import msgspec

from calibrate.arguments import number, whole_number
from calibrate.calibration import CalibrationSettings, calibrate
from calibrate.checks import add_check_arguments
from calibrate.detector_arguments import add_detector_arguments, fitter_settings
from edge.audio.audio_file import find_audio_files
from edge.audio.channels import parse_channel
from edge.console.output import print_result

RAREST, MOST_FREQUENT = 1e-4, 1e5  # false alarms per week: one in two centuries, one in six seconds

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
        "--false-alarms-per-week",
        type=number(RAREST, MOST_FREQUENT),
        default=1.0,
        metavar="N",
        help="how many false alarms are acceptable (default: 1)",
    )
    parser.add_argument("--channel", type=parse_channel, default=0, help='channel of the recordings, counted from 0, or "mix" (default: 0)')
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="N", help="of everything random (default: 0)")
    add_detector_arguments(parser)
    add_check_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the result")


def run(args: Namespace) -> int:
    """Calibrate and print what was learned."""
    settings = CalibrationSettings(
        fitting=fitter_settings(args),
        backbone=args.backbone,
        mode=args.mode,
        false_alarms_per_week=args.false_alarms_per_week,
        channel=args.channel,
        bad_recordings=args.bad_recordings,
        odd_recordings=args.odd_recordings,
    )
    result = calibrate(
        find_audio_files(args.recordings), args.output, settings, say=lambda line: print(f"auscult: warning: {line}", file=sys.stderr)
    )
    print_result(msgspec.to_builtins(result, enc_hook=str), args.format)
    return 0
