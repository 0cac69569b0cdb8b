"""The fp32 graph to measure against: only int8 ships in the package."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from edge.errors import BackboneError, UserError
from edge.features.backbone import BUILT_IN, Backbone


def fp32_backbone(int8: Backbone, loaded_from: str | Path, exported: Path | None, folder: Path) -> Backbone:
    """Return the fp32 form of a backbone: the one at `exported`, or one that the export room makes in `folder` from the int8 weights.

    Parameters
    ----------
    loaded_from : the name or path that `int8` was loaded with.

    Raises
    ------
    BackboneError
        When `exported` is not an fp32 backbone with the same front end, or no fp32 form can be made of `int8`.
    UserError
        When it has to be made and onnx is not installed.
    """
    path = exported or _made(int8, loaded_from, folder)
    backbone = Backbone.load(path)
    if (backbone.precision, backbone.front_end) != ("fp32", int8.front_end):
        raise BackboneError(path, f"is {backbone.precision} for {backbone.front_end.name}; give the fp32 form of {int8.name}")
    return backbone


def _made(int8: Backbone, loaded_from: str | Path, folder: Path) -> Path:
    try:
        from export.twin import fp32_twin
    except ModuleNotFoundError as error:
        problem = f"making it needs {error.name}; run: pip install 'auscult[export]', or give an exported one with --fp32"
        raise UserError("fp32 graph", problem) from error
    source = Path(loaded_from)
    if source.suffix != ".onnx":
        source = BUILT_IN / f"{loaded_from}.onnx"
    model = fp32_twin(source.read_bytes(), source)
    name = f"{int8.name}-fp32"
    path = folder / f"{name}.onnx"
    path.write_bytes(model)
    card = msgspec.structs.replace(int8.card, name=name, precision="fp32", sha256=hashlib.sha256(model).hexdigest(), parity={})
    path.with_suffix(".json").write_bytes(msgspec.json.encode(card))
    return path
