"""`auscult benchmark compare`: are the results after a change better than before it?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.commands.arguments import add_seed_argument
from benchmarks.compare import Comparison, compare, figures
from edge.console.output import print_document
from edge.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Compare two systems by the JSON results of `machines` and `envmix`: paired differences, with an interval over sets."
    )
    parser.epilog = "example: auscult benchmark compare --before old/*.json --after new/*.json"
    parser.add_argument("--before", type=Path, nargs="+", required=True, metavar="JSON", help="results of one system")
    parser.add_argument("--after", type=Path, nargs="+", required=True, metavar="JSON", help="the same benchmarks of the other")
    add_seed_argument(parser, "seed of the bootstrap")


def run(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    before, after = (figures((str(path), _read(path)) for path in paths) for paths in (arguments.before, arguments.after))
    compared = compare(before, after, seed=arguments.seed)
    document = {level: _document(comparison) for level, comparison in compared.items()}
    print_document(document, arguments.format, lambda: _text(compared))
    return 0


def _read(path: Path) -> Mapping[str, Any]:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise UserError(path, f"is not JSON: {error}") from None
    if not isinstance(result, dict):
        raise UserError(path, "is not a JSON result of `auscult benchmark machines` or `envmix`")
    return result


def _document(comparison: Comparison) -> dict[str, Any]:
    return {
        "before": comparison.before,
        "after": comparison.after,
        "difference": comparison.after - comparison.before,
        "low": comparison.interval.low,
        "high": comparison.interval.high,
        "better": comparison.better,
        "sets": {key: {"before": before, "after": after, "difference": after - before} for key, (before, after) in comparison.sets.items()},
    }


def _text(compared: Mapping[str, Comparison]) -> Sequence[str]:
    lines = []
    for level, comparison in compared.items():
        width = max(map(len, comparison.sets), default=0)
        lines.append(f"{level} ROC AUC: before, after, difference")
        lines += [f"  {key:<{width}}  {b:.3f}  {a:.3f}  {a - b:+.3f}" for key, (b, a) in comparison.sets.items()]
        low, high = comparison.interval
        difference = comparison.after - comparison.before
        lines.append(
            f"  {'mean':<{width}}  {comparison.before:.3f}  {comparison.after:.3f}  {difference:+.3f}"
            f"   95 % interval over sets {low:+.3f} - {high:+.3f}: {'better' if comparison.better else 'not shown to be better'}"
        )
    return lines
