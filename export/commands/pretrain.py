"""Train CNN14's first four blocks and export them: a backbone whose card lists all that it learned from.

Stopped (Ctrl-C, a power cut), the same command goes on where it was. Use the result with `auscult calibrate --backbone DIR/<name>.onnx`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.audio.audio_file import find_audio_files
from edge.console.numbers import number, whole_number
from edge.errors import CheckpointError, UserError
from edge.features.frontend import PANNS

if TYPE_CHECKING:
    import torch

    from export.exporter import Export, Origin
    from export.gate import Gate
    from export.pretrain.settings import Settings
    from export.trunk import Parameters

EXAMPLE = """examples:
  auscult export pretrain --steps 2000 --output trained/                on synthesised machines alone
  auscult export pretrain --teacher mn04_as_mAP_432.pt --recordings esc10/ mimii/ \\
      --credits "ESC-10 (CC BY)" "MIMII (CC BY-SA 4.0)" --output trained/

--output keeps the training (training.pt, losses.csv) and receives the .onnx files and their cards."""

CALIBRATION_S = 240.0
CHECK_S = 60.0
CALIBRATION_SEED, CHECK_SEED = 1, 2  # of the synthesis for the export; scenes to train on come from other machines
MOST_WORKERS = 12
TEACHER_CREDIT = "taught by EfficientAT mn04 (AudioSet; Schmid et al. 2023; MIT), which is not part of it"

# Gates of rooms that this one may not import; the front door puts them here before `run`.
extra_gates: list[Gate] = []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `auscult export pretrain`."""
    parser.epilog = EXAMPLE
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="the training and its result; continues the one that it holds"
    )
    parser.add_argument("--steps", type=whole_number(1), default=20000, help="the whole schedule scales with it (default: %(default)s)")
    parser.add_argument("--teacher", type=Path, metavar="FILE", help="EfficientAT's mn04_as_mAP_432.pt, to distil from")
    parser.add_argument("--recordings", type=Path, nargs="+", default=[], metavar="DIR", help="recordings whose licence allows it")
    parser.add_argument("--credits", nargs="+", default=[], metavar="TEXT", help="for each of these folders, its name and licence")
    parser.add_argument("--distillation", type=number(0), metavar="W", help="weight of following the teacher (default: 1 with --teacher)")
    parser.add_argument(
        "--synthesis", type=number(0), default=1.0, metavar="W", help="weight of recognising what was synthesised (default: %(default)s)"
    )
    parser.add_argument(
        "--views", type=number(0), default=0.0, metavar="W", help="weight of equal features for two microphones (default: %(default)s)"
    )
    parser.add_argument("--batch", type=whole_number(1), default=32, help="excerpts of 1.28 s in a step (default: %(default)s)")
    parser.add_argument("--scenes", type=whole_number(1), help="synthesised machines, 4 s each (default: grows with steps and batch)")
    parser.add_argument("--learning-rate", type=number(0), default=1e-3, help="highest learning rate (default: %(default)s)")
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="number format of the activations in training (default: bfloat16 where the processor has it)",
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, help="seed of every random choice (default: %(default)s)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train (default: %(default)s)")
    parser.add_argument("--threads", type=whole_number(1), help="threads of the CPU (default: all)")
    parser.add_argument("--workers", type=whole_number(0), help="processes that prepare sound (default: by the number of cores)")
    parser.add_argument("--name", default="cnn14-trained", help="name of the backbone (default: %(default)s)")
    parser.add_argument("--licence", default="Apache-2.0", help="licence of the weights, for the card (default: %(default)s)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the summary (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Train, then export; the exit code is 0 only if every gate passed."""
    _check(arguments)
    import torch  # which --help does without

    from export.exporter import export_backbone
    from export.pretrain.precision import precision_named
    from export.pretrain.settings import Settings, default_scenes
    from export.sound import synthesised_clips

    device = _device(arguments.device)
    cores = os.cpu_count() or 1
    torch.set_num_threads(arguments.threads or cores)
    settings = Settings(
        steps=arguments.steps,
        batch=arguments.batch,
        scenes=arguments.scenes or default_scenes(arguments.steps, arguments.batch),
        seed=arguments.seed,
        distillation=arguments.distillation if arguments.distillation is not None else float(arguments.teacher is not None),
        synthesis=arguments.synthesis,
        views=arguments.views,
        learning_rate=arguments.learning_rate,
        precision=precision_named(arguments.precision, device),
        teacher=_fingerprint(arguments.teacher) if arguments.teacher else "",
        recordings=tuple(_measured(*given) for given in zip(arguments.recordings, arguments.credits, strict=True)),
    )
    if not settings.objective():
        raise UserError("--synthesis 0", "leaves nothing to learn; give --teacher or a weight")
    workers = arguments.workers if arguments.workers is not None else min(cores - 1, MOST_WORKERS) if cores > 2 else 0
    _tell(f"{arguments.name}: {settings.objective()}, {settings.steps} steps of {settings.batch} excerpts on {device.type}")
    trained = _trained(settings, arguments, device, workers)
    calibration = synthesised_clips(PANNS, CALIBRATION_S, CALIBRATION_SEED)
    check = synthesised_clips(PANNS, CHECK_S, CHECK_SEED)
    origin = _origin(arguments.name, arguments.licence, settings, trained)
    export = export_backbone(trained.parameters, origin, calibration, check, arguments.output, extra_gates)
    _report(origin, settings, trained, export, arguments.format)
    return 0


@dataclass(frozen=True, slots=True)
class _Trained:
    parameters: Parameters
    data: tuple[str, ...]
    seconds: float
    loss: float


def _trained(settings: Settings, arguments: argparse.Namespace, device: torch.device, workers: int) -> _Trained:
    """Prepare the sound and train, or go on."""
    from export.pretrain.batches import Batches
    from export.pretrain.pool import SPEEDS, recorded_pieces, synthesised_pieces
    from export.pretrain.teacher import load_teacher
    from export.pretrain.trainer import Training

    teacher = load_teacher(arguments.teacher) if settings.distillation else None
    data, recorded = [], []
    for folder, credit in zip(arguments.recordings, arguments.credits, strict=True):
        pieces = recorded_pieces([folder], for_teacher=teacher is not None)
        minutes = sum(len(piece.log_mel) for piece in pieces) * PANNS.frame_s / 60.0 / sum(1.0 / speed for speed in SPEEDS)
        data.append(f"{credit}: {minutes:.1f} min of recordings, at {len(SPEEDS)} speeds")
        recorded += pieces
    synthesised = synthesised_pieces(settings.scenes, settings.seed, for_teacher=teacher is not None, workers=workers)
    data.append(f"{settings.scenes} machines that Auscult synthesised")
    data += [TEACHER_CREDIT] if teacher is not None else []
    batches = Batches(
        synthesised,
        recorded,
        size=settings.batch,
        seed=settings.seed,
        wants_view=settings.views > 0,
        wants_teacher=teacher is not None,
    )
    training = Training(settings, batches, teacher, arguments.output, device)
    if training.step:
        _tell(f"continues at step {training.step} of {settings.steps}")
    try:
        parameters = training.run(workers=workers)
    except KeyboardInterrupt:
        _tell(f"stopped at step {training.step} of {settings.steps}; the same command continues from there")
        raise
    return _Trained(parameters, tuple(data), training.seconds, training.recent_loss)


def _origin(name: str, licence: str, settings: Settings, trained: _Trained) -> Origin:
    from export.exporter import Origin

    how = f"{settings.steps} steps of {settings.batch} excerpts of 1.28 s: {settings.objective()}"
    heard = f"int8 ranges: {CALIBRATION_S:g} s of synthesised machines"
    return Origin(name, PANNS, (*trained.data, how), (heard,), licence, settings.seed)


def _report(origin: Origin, settings: Settings, trained: _Trained, export: Export, form: str) -> None:
    summary = {
        "name": origin.name,
        "steps": settings.steps,
        "objective": settings.objective(),
        "seconds": round(trained.seconds, 1),
        "loss": float(f"{trained.loss:.4g}"),
        "training_data": list(origin.training_data),
        "files": [str(path) for path in export.files],
        "parity": dict(export.parity),
    }
    if form == "json":
        print(json.dumps(summary, indent=2))
        return
    print(
        f"{origin.name}: trained for {settings.steps} steps in {trained.seconds:.0f} s, loss {trained.loss:.3f}; passed every parity gate"
    )
    print("\n".join(f"wrote {path}" for path in export.files))


def _check(arguments: argparse.Namespace) -> None:
    if len(arguments.recordings) != len(arguments.credits):
        raise UserError("--credits", "must say name and licence of each folder of --recordings, in the same order; the card lists them")
    if arguments.distillation and arguments.teacher is None:
        raise UserError("--distillation", "needs --teacher")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", arguments.name):
        raise UserError(f"--name {arguments.name}", "may hold letters, digits, '.', '_' and '-' only")


def _device(wanted: str) -> torch.device:
    import torch

    if wanted == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda", "torch finds no GPU here")
    if wanted == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    return torch.device("cuda")


def _fingerprint(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise CheckpointError(path, f"cannot be read ({error.strerror}); give EfficientAT's mn04_as_mAP_432.pt") from error


def _measured(folder: Path, credit: str) -> str:
    """Enough to notice that a resumed training is given other recordings."""
    files = find_audio_files([folder])
    return f"{credit}: {len(files)} files, {sum(file.stat().st_size for file in files)} bytes"


def _tell(message: str) -> None:
    print(message, file=sys.stderr)
