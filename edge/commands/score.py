"""Score audio files with a bundle, by the daemon's own code: one JSON line per file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from edge.audio.audio_file import find_audio_files
from edge.audio.channels import parse_channel
from edge.bundles.signature import Trust
from edge.console.output import printable
from edge.console.progress import progress
from edge.errors import UserError
from edge.judgement.window import ALARM, Window
from edge.model import Model
from edge.mqtt.encoding import localization_payload, probability, rounded
from edge.mqtt.payloads import LocalizationPayload
from edge.scoring import FileScore, score_file

EXAMPLE = """examples:
  auscult score --bundle pump1.auscult recordings/
  auscult score --bundle pump1.auscult monday.flac --format text"""


class WindowResult(msgspec.Struct, frozen=True, kw_only=True):
    """One window of a file; times are seconds of the file."""

    t_start_s: float
    t_end_s: float
    score: float | None
    p_value: float | None
    anomalous: bool
    heads: dict[str, float | None]
    lost_s: float
    localization: LocalizationPayload


class FileResult(msgspec.Struct, frozen=True, kw_only=True):
    """One line of output."""

    file: str
    score: float | None
    seconds: float
    windows: list[WindowResult]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument("--bundle", type=Path, required=True, metavar="B.auscult", help="what `auscult calibrate` wrote")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="audio files, or folders of them")
    parser.add_argument(
        "--trusted-key",
        type=Path,
        action="append",
        default=[],
        metavar="PUBLIC.pem",
        help="accept the bundle only if it is signed with this Ed25519 key; may be given several times, for several keys",
    )
    parser.add_argument("--channel", type=parse_channel, default=0, help='channel, counted from 0, or "mix" (default: 0)')
    parser.add_argument(
        "--format", choices=("jsonl", "text"), default="jsonl", help="a JSON line or a short line per file (default: jsonl)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Score every file; one that cannot be scored is reported on stderr and in the exit code, and the others are still scored."""
    trust = Trust.of(arguments.trusted_key, require_signature=bool(arguments.trusted_key))
    model = Model.load(arguments.bundle, trust=trust)
    paths = find_audio_files(arguments.paths)
    code = unscored = 0
    for path in progress(paths, label="scoring"):
        try:
            result = score_file(model, path, arguments.channel)
        except UserError as error:  # this file's: unreadable, or too narrow for the bundle
            print(f"auscult: {error}", file=sys.stderr)
            code = error.exit_code
            unscored += 1
            continue
        print(_line(result) if arguments.format == "jsonl" else _text(result), flush=True)
    if unscored and len(paths) > 1:
        print(f"auscult: {unscored} of {len(paths)} files could not be scored", file=sys.stderr)
    return code


def _line(result: FileScore) -> str:
    return msgspec.json.encode(
        FileResult(
            file=printable(result.file),
            score=rounded(result.score, 6),
            seconds=round(result.seconds, 3),
            windows=[_window(window) for window in result.windows],
        )
    ).decode()


def _window(window: Window) -> WindowResult:
    return WindowResult(
        t_start_s=round(window.t_start_s, 3),
        t_end_s=round(window.t_end_s, 3),
        score=rounded(window.score, 6),
        p_value=probability(window.p_value),
        anomalous=window.anomalous,
        heads={head: rounded(score, 6) for head, score in window.heads.items()},
        lost_s=round(window.lost_s, 3),
        localization=localization_payload(window.localization),
    )


def _text(result: FileScore) -> str:
    verdict = "ANOMALOUS" if result.score >= ALARM else "normal"
    highest = next(window for window in result.windows if window.score == result.score)
    where = "".join(
        f"  {highest.t_start_s + region.t0_s:.2f}-{highest.t_start_s + region.t1_s:.2f} s {region.f_lo_hz:.0f}-{region.f_hi_hz:.0f} Hz"
        for region in highest.localization.regions[:1]
    )
    return f"{result.score:8.3f}  {verdict:<9}  {result.seconds:8.1f} s  {result.file}{where}"
