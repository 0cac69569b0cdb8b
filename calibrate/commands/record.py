"""`auscult calibrate record`: normal sound of a source into a folder, with a level meter."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from calibrate.meter_line import meter_line
from calibrate.recorder import Recorder, RecordingSummary
from calibrate.segments import BYTES_PER_SAMPLE
from edge.audio.channels import parse_channel
from edge.audio.level_meter import Level
from edge.config.load import load_config
from edge.config.make_source import make_source
from edge.console.numbers import number_above
from edge.errors import ConfigError, UserError
from edge.sources import Microphone, Source

_EXAMPLE = """examples:
  auscult calibrate record --source pump1 --minutes 30 --output recordings/pump1
  auscult calibrate record --device "USB PnP" --minutes 5 --output recordings/pump1"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = "Record a source while the machine sounds normal: FLAC files of a minute each, for `auscult calibrate`."
    parser.epilog = _EXAMPLE
    parser.add_argument("--source", metavar="NAME", help="a source of config.yaml; with --device, the name to give the files")
    parser.add_argument("--device", metavar="TEXT", help="a part of a microphone's name (see `auscult devices`); needs no config.yaml")
    parser.add_argument("--channel", type=parse_channel, default=0, help="with --device: a channel, 0 for the first, or mix (default: 0)")
    parser.add_argument("--minutes", type=number_above(0), default=30.0, help="how much sound to record (default: %(default)g)")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the recordings; made when it is missing")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="where the sources are described (default: %(default)s)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the summary (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Record, then print a summary on stdout; 130 after Ctrl-C, with everything recorded so far kept."""
    if args.source is None and args.device is None:
        raise UserError("calibrate record", "needs --source NAME or --device TEXT")
    source = _source(args)
    source.open()
    terminal = sys.stderr.isatty()
    wanted_s = args.minutes * 60

    def show(level: Level, heard_s: float, lost_s: float) -> None:
        print(f"\r{meter_line(level, heard_s, wanted_s, lost_s)}\x1b[K", end="", file=sys.stderr, flush=True)

    def warn(warning: str) -> None:
        print(f"{_CLEAR if terminal else ''}auscult: {source.name}: {warning}", file=sys.stderr, flush=True)

    try:
        recorder = Recorder(source, args.output, wanted_s, warn=warn, show=show if terminal else None)
        if (missing := _missing_bytes(args.output, wanted_s * source.rate_hz)) > 0:
            warn(f"{args.output} may be short of {missing / 1e6:.0f} MB for {args.minutes:g} minutes")
        with _until_interrupted() as caught:
            summary = recorder.record(lambda: bool(caught))
    finally:
        source.close()
        if terminal:
            print(_CLEAR, end="", file=sys.stderr, flush=True)
    print(msgspec.json.encode(summary).decode() if args.format == "json" else _text(summary))
    return 128 + caught[0] if caught else 0


_CLEAR = "\r\x1b[K"


def _source(args: argparse.Namespace) -> Source:
    if args.device is not None:
        name = args.source or re.sub(r"[^a-zA-Z0-9_-]+", "-", args.device).strip("-") or "microphone"
        return Microphone(name, args.device, channel=args.channel)
    sources = load_config(args.config).sources
    if args.source not in sources:
        raise ConfigError(args.config, f"no source {args.source!r}; available: {', '.join(sources)}")
    return make_source(args.source, sources[args.source])


def _missing_bytes(folder: Path, samples: float) -> float:
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if os.access(parent, os.F_OK))
    return samples * BYTES_PER_SAMPLE - shutil.disk_usage(existing).free


@contextmanager
def _until_interrupted() -> Iterator[list[int]]:
    """Signals that came: Ctrl-C and SIGTERM end the recording after the block in hand, a second one ends the program as usual."""
    caught: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def catch(number: int, _frame: object) -> None:
        caught.append(number)
        restore()

    for number in before:
        signal.signal(number, catch)
    try:
        yield caught
    finally:
        restore()


def _text(summary: RecordingSummary) -> str:
    level = "no level" if summary.dbfs is None else f"{summary.dbfs} dBFS, peak {summary.peak_dbfs}"
    count = len(summary.files)
    lines = [
        f"{summary.seconds:.1f} s of {summary.source} ({summary.device}, {summary.rate_hz} Hz, {level})",
        f"{count} file{'' if count == 1 else 's'} in {summary.folder}",
        *(f"warning: {warning}" for warning in summary.warnings),
    ]
    return "\n".join(lines)
