"""Turn a CNN14 checkpoint into a streaming backbone, int8 and fp32, and compare both with the original.

Nothing is written unless the parity gate passes. Use the result with `auscult calibrate --backbone DIR/<name>.onnx`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge.console.numbers import whole_number
from edge.errors import UserError
from edge.features.frontend import PANNS

if TYPE_CHECKING:
    from export.exporter import Export, Origin
    from export.gate import Gate
    from export.sound import Clip
    from export.trunk import Parameters

EXAMPLE = """examples:
  auscult export --checkpoint Cnn14_mAP=0.431.pth --source panns --output backbones/
  auscult export --checkpoint CLAP_weights_2022.pth --source clap2022 --calibration-audio recordings/ --output backbones/
  auscult export --random --seed 0 --output backbones/      the built-in cnn14-random, made again"""

BATCH_NORM_S = 700.0
CALIBRATION_S = 240.0
CHECK_S = 60.0
BATCH_NORM_SEED, CALIBRATION_SEED, CHECK_SEED = 0, 1, 2  # of the synthesis: three sets of machines that share none

# Gates of rooms that this one may not import; the front door puts them here before `run`.
extra_gates: list[Gate] = []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `auscult export`."""
    parser.epilog = EXAMPLE
    origin = parser.add_mutually_exclusive_group(required=True)
    origin.add_argument("--checkpoint", type=Path, metavar="FILE", help="a downloaded checkpoint; needs --source")
    origin.add_argument("--random", action="store_true", help="no checkpoint: seeded random weights, calibrated on synthesised sound")
    parser.add_argument("--source", choices=("panns", "clap2022"), help="what the checkpoint is; decides the sample rate")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the .onnx files and their cards")
    parser.add_argument(
        "--calibration-audio",
        type=Path,
        metavar="DIR",
        help="recordings for int8 ranges and the gate (default: synthesised machines)",
    )
    parser.add_argument("--name", help="name of the backbone (default: cnn14-<source>)")
    parser.add_argument("--seed", type=whole_number(0), default=0, help="seed of the random weights (default: 0)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the summary (default: text)")


def run(arguments: argparse.Namespace) -> int:
    """Export; the exit code is 0 only if every gate passed."""
    if (arguments.source is None) != arguments.random:
        raise UserError("--source", "goes with --checkpoint: panns or clap2022" if not arguments.random else "does not go with --random")
    name = arguments.name or ("cnn14-random" if arguments.random else f"cnn14-{arguments.source}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(f"--name {name}", "may hold letters, digits, '.', '_' and '-' only")
    from export.exporter import export_backbone  # torch and onnx, which --help does without

    parameters, origin, calibration, check = _prepared(arguments, name)
    _tell(f"{origin.name}: front end {origin.front_end.name}; calibrated and checked on {'; '.join(origin.calibration_data)}")
    export = export_backbone(parameters, origin, calibration, check, arguments.output, extra_gates)
    print(json.dumps(_summary(origin, export), indent=2) if arguments.format == "json" else _text(origin, export))
    return 0


def _prepared(arguments: argparse.Namespace, name: str) -> tuple[Parameters, Origin, list[Clip], list[Clip]]:
    """Parameters, what the card will say of them, and the sound to calibrate and check with."""
    from export.architecture import SOURCES
    from export.checkpoint import load_checkpoint
    from export.exporter import Origin
    from export.random_trunk import calibrated_random_trunk
    from export.sound import recorded_clips, synthesised_clips

    source = SOURCES.get(arguments.source)
    front_end = source.front_end if source else PANNS
    checkpoint = load_checkpoint(arguments.checkpoint, source) if source else None
    if arguments.calibration_audio is not None:
        clips = recorded_clips(front_end, arguments.calibration_audio, CALIBRATION_S + CHECK_S)
        # Every third for the gate; a single recording has to serve for both.
        check, calibration = clips[::3], [clip for index, clip in enumerate(clips) if index % 3] or clips
        heard = f"int8 ranges: {len(clips)} clips of recordings in {arguments.calibration_audio.name or 'a folder'}"
    else:
        calibration = synthesised_clips(front_end, CALIBRATION_S, CALIBRATION_SEED)
        check = synthesised_clips(front_end, CHECK_S, CHECK_SEED)
        heard = f"int8 ranges: {CALIBRATION_S:g} s of synthesised machines"
    if source is None or checkpoint is None:
        parameters = calibrated_random_trunk(arguments.seed, synthesised_clips(front_end, BATCH_NORM_S, BATCH_NORM_SEED))
        data = (f"batch norms: {BATCH_NORM_S:g} s of synthesised machines", heard)
        return parameters, Origin(name, front_end, ("none: random weights",), data, "Apache-2.0", arguments.seed), calibration, check
    return checkpoint, Origin(name, front_end, source.training_data, (heard,), source.licence), calibration, check


def _summary(origin: Origin, export: Export) -> dict[str, object]:
    return {
        "name": origin.name,
        "front_end": origin.front_end.name,
        "calibration_data": list(origin.calibration_data),
        "files": [str(path) for path in export.files],
        "parity": dict(export.parity),
        "faster_on_this_board": export.speed.faster,
    }


def _text(origin: Origin, export: Export) -> str:
    lines = [f"{origin.name}: passed every parity gate"]
    features = export.parity["features"]
    assert isinstance(features, dict)
    for comparison, blocks in features.items():
        figure = "relative_rms" if comparison == "int8_streamed_vs_fp32" else "largest_difference"
        values = ", ".join(f"{block} {figures[figure]:.2g}" for block, figures in blocks.items())
        lines.append(f"  {comparison:<26} {figure.replace('_', ' '):<18} {values}")
    speed = export.speed
    lines.append(
        f"faster on this board: {speed.faster} (ms of one core per second of audio: fp32 {speed.fp32_ms_per_s:.1f}, "
        f"int8 {speed.int8_ms_per_s:.1f}; ratio {speed.ratio:.1f})"
    )
    return "\n".join([*lines, *(f"wrote {path}" for path in export.files)])


def _tell(message: str) -> None:
    print(message, file=sys.stderr)
