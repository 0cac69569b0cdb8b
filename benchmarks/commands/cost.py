"""`auscult benchmark cost`: milliseconds of one core per second of audio, and memory."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.against import PIECE_S, WHOLE, Against, measure_against
from benchmarks.commands.arguments import add_seed_argument
from benchmarks.cost import Cost, measure_cost
from benchmarks.figure import Figure
from benchmarks.fp32 import fp32_backbone
from edge.console.numbers import whole_number
from edge.console.output import aligned, print_document
from edge.errors import UserError
from edge.features.backbone import DEFAULT_BACKBONE, Backbone
from edge.features.logmel_backbone import LOGMELS

THREADS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the benchmark takes."""
    parser.description = "Measure the CPU time of one second of audio: sliding windows, streamed fp32 and int8, and the pipeline by stage."
    parser.epilog = "examples:\n  auscult benchmark cost --format json\n  auscult benchmark cost --against main --repeats 15"
    parser.add_argument(
        "--backbone", default=DEFAULT_BACKBONE, help="int8 backbone: a built-in name or an .onnx file (default: %(default)s)"
    )
    parser.add_argument(
        "--fp32",
        type=Path,
        metavar="ONNX",
        help="the same backbone in fp32, as exported (default: made from the int8 one, which needs auscult[export])",
    )
    parser.add_argument("--coreset", type=whole_number(1), default=1000, help="patches per band of the detector (default: %(default)s)")
    parser.add_argument(
        "--repeats", type=whole_number(1), default=7, metavar="N", help="measurements of each figure (default: %(default)s)"
    )
    parser.add_argument(
        "--against",
        metavar="REV",
        help="instead, the pipeline of this checkout beside that of another revision of it: a tag, branch or commit",
    )
    add_seed_argument(parser, "seed of the synthesised sound")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the figures."""
    if arguments.backbone in LOGMELS:
        raise UserError(f"--backbone {arguments.backbone}", "has no network to measure; the other stages cost the same with any backbone")
    if arguments.against is not None:
        return _run_against(arguments)
    int8 = Backbone.load(arguments.backbone, threads=THREADS)
    with tempfile.TemporaryDirectory(prefix="auscult-") as name:
        folder = Path(name)
        fp32 = fp32_backbone(int8, arguments.backbone, arguments.fp32, folder)
        cost = measure_cost(
            fp32, int8, folder, backbone=arguments.backbone, coreset=arguments.coreset, repeats=arguments.repeats, seed=arguments.seed
        )
    document = _document(cost, arguments)
    print_document(document, arguments.format, lambda: _text(document))
    return 0


def _run_against(arguments: argparse.Namespace) -> int:
    against = measure_against(
        arguments.against, arguments.backbone, coreset=arguments.coreset, repeats=arguments.repeats, seed=arguments.seed
    )
    document = {
        "against": {"revision": arguments.against, "commit": against.commit},
        **{key: value for key, value in asdict(against).items() if key != "commit"},
        "repeats": arguments.repeats,
        "coreset": arguments.coreset,
        "threads": THREADS,
        "machine": machine(),
    }
    print_document(document, arguments.format, lambda: _against_text(against, document))
    return 0


def _against_text(against: Against, document: Mapping[str, Any]) -> list[str]:
    def told(figure: Figure | None) -> str:
        return f"{figure.median:7.3f}  ({figure.low:.3f} - {figure.high:.3f})" if figure else "   new"

    rows: list[Sequence[str]] = [("ms of one core per second of audio", f"at {against.commit[:12]}", "now", "now / before")]
    rows += [(name if name == WHOLE else f"  {name}", *map(told, (one.before, one.now, one.ratio))) for name, one in against.stages.items()]
    return [
        _machine_line(document),
        f"{document['repeats']} pieces of {PIECE_S:g} s each, in turns; medians with 95 % intervals; coreset {document['coreset']}",
        "",
        *aligned(rows),
        "",
        f"windows {against.windows}; largest difference of a score {against.score_difference:.2g}",
        f"windows that alarmed before {against.alarms_before}; that alarm on one side only {against.alarms_differ}",
    ]


def _document(cost: Cost, arguments: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Figure] = {
        name: getattr(cost, name)
        for name in ("naive_ms_per_s", "streamed_fp32_ms_per_s", "streamed_int8_ms_per_s", "pipeline_ms_per_s", "gemm_gflops")
    }
    fp32_gflops = 1000.0 * cost.trunk_gflop_per_s / cost.streamed_fp32_ms_per_s.median
    return {
        **{name: round(figure.median, 4) for name, figure in figures.items()},
        "stages_ms_per_s": {name: round(figure.median, 4) for name, figure in cost.stages_ms_per_s.items()},
        "peak_rss_mb": round(cost.peak_rss_mb, 1),
        "naive_over_streamed_fp32": round(cost.naive_ms_per_s.median / cost.streamed_fp32_ms_per_s.median, 2),
        "streamed_fp32_over_int8": round(cost.streamed_fp32_ms_per_s.median / cost.streamed_int8_ms_per_s.median, 2),
        "trunk_gflop_per_s": round(cost.trunk_gflop_per_s, 4),
        "streamed_fp32_gflops": round(fp32_gflops, 2),
        "streamed_fp32_fraction_of_gemm": round(fp32_gflops / cost.gemm_gflops.median, 3),
        "intervals": {name: [round(figure.low, 4), round(figure.high, 4)] for name, figure in figures.items()},
        "repeats": arguments.repeats,
        "coreset": arguments.coreset,
        "threads": THREADS,
        "machine": machine(),
    }


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "processor": _processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "onnxruntime": metadata.version("onnxruntime"),
        "numpy": metadata.version("numpy"),
    }


def _processor() -> str:
    """Return the processor's name; ARM boards name the board instead."""
    for path, key in ((Path("/proc/device-tree/model"), None), (Path("/proc/cpuinfo"), "model name")):
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        if key is None:
            return text.strip("\0\n ")
        for line in text.splitlines():
            if line.startswith(key):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _machine_line(document: Mapping[str, Any]) -> str:
    about = document["machine"]
    return f"{about['processor']}, {about['architecture']}, one of {about['cores']} cores; ONNX Runtime {about['onnxruntime']}"


def _text(document: Mapping[str, Any]) -> list[str]:
    def line(label: str, key: str, note: str = "") -> str:
        low, high = document["intervals"][key]
        return f"{label:<34}{document[key]:>9.2f}   {low:.2f} - {high:.2f}{note}"

    return [
        _machine_line(document),
        "",
        f"{'ms of one core per second of audio':<34}{'median':>9}   95 % interval",
        line("trunk, 10 s windows every 0.5 s", "naive_ms_per_s"),
        line("trunk, streamed fp32", "streamed_fp32_ms_per_s", f"   {document['naive_over_streamed_fp32']:.1f} times cheaper"),
        line("trunk, streamed int8", "streamed_int8_ms_per_s", f"   {document['streamed_fp32_over_int8']:.1f} times cheaper than fp32"),
        line(f"pipeline, int8, coreset {document['coreset']}", "pipeline_ms_per_s"),
        *(f"  {name:<32}{milliseconds:>9.2f}" for name, milliseconds in document["stages_ms_per_s"].items()),
        "",
        line("matrix product, GFLOP/s", "gemm_gflops"),
        f"{'trunk, streamed fp32, GFLOP/s':<34}{document['streamed_fp32_gflops']:>9.2f}"
        f"   {document['streamed_fp32_fraction_of_gemm']:.2f} of the matrix product's",
        f"{'peak memory of `auscult run`, MB':<34}{document['peak_rss_mb']:>9.1f}",
    ]
