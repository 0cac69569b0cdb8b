"""`auscult demo`: the whole of Auscult on a synthesised machine, without microphone, broker or download."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from calibrate.demo.daemon import NODE, SOURCE
from calibrate.demo.learning import run_learning_demo, told_lines
from calibrate.demo.show import DemoResult, Message, run_demo
from calibrate.demo.verdict import Alert, injection_of
from edge.console.numbers import number, whole_number
from edge.console.output import aligned, print_document
from edge.errors import UserError
from edge.mqtt.topics import Topics

SHORTEST_MINUTES = 3.0
LONGEST_MINUTES = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Synthesise a rotating machine, calibrate on its normal sound, and run the daemon over a stream of it in which a knock, a steady "
        "tone and a bearing fault are injected; print the alerts that an MQTT subscriber receives, and draw the result.\n"
        "Exits 0 only if the normal part is silent, each fault gives one event, and the tone is found at its frequency."
    )
    parser.epilog = "example: auscult demo --output demo\n         auscult demo --watch\n         auscult demo --learn"
    parser.add_argument(
        "--minutes",
        type=number(SHORTEST_MINUTES, LONGEST_MINUTES),
        default=30.0,
        help="minutes of normal sound to calibrate on (default: %(default)g)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where recordings, bundle and demo.png go (default: a new temporary folder)"
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, help="another number is another machine (default: %(default)s)")
    parser.add_argument(
        "--watch", action="store_true", help="play the stream at its own speed, show it in a browser, and go on until Ctrl-C"
    )
    parser.add_argument(
        "--learn",
        action="store_true",
        help="instead, run the daemon without a bundle: it learns the machine by itself, hears a fault, is told so, and goes back",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the result (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 when every promise was kept, else 1."""
    folder = args.output or Path(tempfile.mkdtemp(prefix="auscult-demo-"))

    def say(line: str) -> None:
        print(f"demo: {line}", file=sys.stderr, flush=True)

    def show(result: DemoResult) -> None:
        print_document(_described(result), args.format, lambda: _text(result))
        sys.stdout.flush()

    if args.learn:
        if args.watch:
            raise UserError("--learn", "goes without --watch; leave one of them out")
        learned = run_learning_demo(folder, args.seed, say)
        print_document(asdict(learned), args.format, lambda: told_lines(learned))
        return 0 if learned.passed else 1
    if args.watch:
        from calibrate.demo.watch import watch_demo  # late: starlette and uvicorn come with an extra

        return 0 if watch_demo(folder, args.minutes, args.seed, say, show).passed else 1
    result = run_demo(folder, args.minutes, args.seed, say)
    show(result)
    return 0 if result.passed else 1


def _text(result: DemoResult) -> list[str]:
    """The alerts as a table, then the verdict."""
    rows: list[tuple[str, ...]] = [("event", "from", "to", "score", "where it is loudest", "", "injected fault")]
    rows += [_row(message, result) for message in result.messages]
    lines = [
        f"What a subscriber of {Topics(NODE).event(SOURCE)} received, in seconds of the stream:",
        "",
        *(f"  {line}" for line in aligned(rows)),
        "",
    ]
    if not result.messages:
        lines[2:3] = ["  nothing"]
    lines += [f"FAILED: {failure}" for failure in result.failures]
    if result.passed:
        lines.append(f"passed: silent for {result.scene.normal_s:.0f} s, then one event for each of {len(result.scene.injections)} faults")
    lines.append(f"picture: {result.picture}")
    return lines


def _row(message: Message, result: DemoResult) -> tuple[str, ...]:
    alert, region = message.alert, message.alert.strongest
    injection = injection_of(alert, result.scene)
    where = ("", "")
    if region is not None:
        start_s = alert.start_s + region.t0_s
        where = (f"{start_s:.1f}-{alert.start_s + region.t1_s:.1f} s", f"{region.f_lo_hz:.0f}-{region.f_hi_hz:.0f} Hz")
    fault = f"{injection.description} ({injection.start_s:.1f}-{injection.end_s:.1f} s)" if injection else "none"
    return (message.type, f"{alert.start_s:.1f}", f"{alert.end_s:.1f}", f"{alert.peak_score:.2f}", *where, fault)


def _described(result: DemoResult) -> dict[str, object]:
    """The result for a program."""
    return {
        "passed": result.passed,
        "failures": list(result.failures),
        "injections": [asdict(injection) for injection in result.scene.injections],
        "alerts": [_alert(alert, result) for alert in result.alerts],
        "windows": result.windows,
        "normal_s": result.scene.normal_s,
        "stream_s": result.scene.stream_s,
        "picture": str(result.picture),
        "bundle": str(result.bundle),
        "stream": str(result.scene.stream),
        "seconds": result.seconds,
    }


def _alert(alert: Alert, result: DemoResult) -> dict[str, object]:
    injection = injection_of(alert, result.scene)
    return {
        "id": alert.id,
        "start_s": round(alert.start_s, 3),
        "end_s": round(alert.end_s, 3),
        "peak_score": None if math.isnan(alert.peak_score) else alert.peak_score,
        "closed": alert.closed,
        "injection": injection.kind if injection else None,
        "regions": [asdict(region) for region in alert.regions],
    }
