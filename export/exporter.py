"""From CNN14's parameters to two backbones that passed every gate: the whole flow."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import onnx

from edge.atomic_file import SHARED, replacing
from edge.features.backbone import Backbone
from edge.features.card import Card
from edge.features.frontend import FrontEnd
from export.cnn14 import offline_blocks
from export.gate import Candidate, Gate
from export.graph import build_graph
from export.parity import Figures, check_bounds, feature_parity
from export.quantize import calibrate_ranges
from export.sound import Clip
from export.speed import Speed, measure_speed
from export.trunk import Parameters, Precision, fold

log = logging.getLogger("auscult.export")


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a backbone, for its card."""

    name: str
    front_end: FrontEnd
    training_data: tuple[str, ...]
    calibration_data: tuple[str, ...]
    licence: str
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """What was written, and what the gates found."""

    files: tuple[Path, ...]
    parity: Mapping[str, object]
    speed: Speed


def export_backbone(
    parameters: Parameters, origin: Origin, calibration: Sequence[Clip], check: Sequence[Clip], folder: Path, gates: Sequence[Gate] = ()
) -> Export:
    """Build both graphs, pass them through the gates, and write them with their cards.

    `<name>.onnx` is int8, `<name>-fp32.onnx` is fp32; each has its card beside it. int8 ranges come from `calibration`, the gates listen to
    `check`, and nothing is written unless all of them pass.

    Raises
    ------
    AuscultError : a figure is outside its bound
    """
    models, figures = build_models(parameters, origin, calibration, check)
    check_bounds(figures, origin.name)
    names = names_of(origin)
    cards = {p: card_of(models[p], p, origin) for p in names}
    fp32, int8 = (Backbone(models[p], cards[p], names[p]) for p in ("fp32", "int8"))
    candidate = Candidate(fp32, int8, models, tuple(check), partial(offline_blocks, parameters))
    parity: dict[str, object] = {"features": figures}
    for gate in gates:
        log.info("gate: %s", gate.name)
        parity[gate.name] = gate(candidate)
    speed = measure_speed(candidate.fp32, candidate.int8, check[0])
    parity["ms_per_s"] = {"fp32": speed.fp32_ms_per_s, "int8": speed.int8_ms_per_s}
    files: list[Path] = []
    folder.mkdir(parents=True, exist_ok=True)
    for precision, card in cards.items():
        told = msgspec.structs.replace(card, parity=rounded(parity), faster_on_this_board=speed.faster)
        files += _write(folder / f"{names[precision]}.onnx", models[precision], told)
    return Export(tuple(files), rounded(parity), speed)


def build_models(
    parameters: Parameters, origin: Origin, calibration: Sequence[Clip], check: Sequence[Clip]
) -> tuple[dict[Precision, bytes], Figures]:
    """Both graphs, the content of their .onnx files, and how far their features agree: see `check_bounds`."""
    trunk = fold(parameters)
    front_end = origin.front_end.name
    exposed = build_graph(trunk, "fp32", name=origin.name, front_end=front_end, expose_activations=True)
    ranges = calibrate_ranges(exposed, calibration)
    names = names_of(origin)
    models = {p: _serialized(build_graph(trunk, p, name=names[p], front_end=front_end, ranges=ranges)) for p in names}
    return models, feature_parity(parameters, models["fp32"], models["int8"], check)


def names_of(origin: Origin) -> dict[Precision, str]:
    """What the two precisions of a backbone are called."""
    return {"int8": origin.name, "fp32": f"{origin.name}-fp32"}


def _serialized(model: onnx.ModelProto) -> bytes:
    return bytes(model.SerializeToString(deterministic=True))


def card_of(model: bytes, precision: Precision, origin: Origin) -> Card:
    """The card of the content of an .onnx file, without figures."""
    return Card(
        name=names_of(origin)[precision],
        precision=precision,
        front_end=origin.front_end.name,
        sha256=hashlib.sha256(model).hexdigest(),
        training_data=list(origin.training_data),
        calibration_data=list(origin.calibration_data),
        licence=origin.licence,
        seed=origin.seed,
    )


def _write(path: Path, model: bytes, card: Card) -> list[Path]:
    card_path = path.with_suffix(".json")
    with replacing(path, SHARED) as file:
        file.write(model)
    with replacing(card_path, SHARED) as file:
        file.write(msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
    return [path, card_path]


def rounded(figures: Mapping[str, object]) -> dict[str, object]:
    """The same figures with four significant digits: a card is read by people."""

    def one(value: object) -> object:
        if isinstance(value, Mapping):
            return rounded(value)
        return float(f"{value:.4g}") if isinstance(value, float) else value

    return {str(name): one(value) for name, value in figures.items()}
