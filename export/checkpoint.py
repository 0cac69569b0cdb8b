"""Strict loading of CNN14 checkpoints: every tensor must be there, finite and of its exact shape, and nothing may run code.

A checkpoint that almost fits gives a backbone that almost works, so anything unexpected is one line and no backbone.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge.errors import CheckpointError
from export.architecture import SOURCES, Shape, Source, checkpoint_shapes
from export.random_trunk import random_parameters
from export.trunk import trunk_shapes

_PARALLEL = "module."  # before every name, when the network was trained on several cards and saved in its wrapper
_BATCHES_TRACKED = "num_batches_tracked"


def load_checkpoint(path: Path, source: Source) -> dict[str, NDArray[np.generic]]:
    """Load bn0 and blocks 1-4, named as `trunk_shapes` names them.

    Raises
    ------
    CheckpointError : missing, truncated, with pickled code, not a checkpoint of `source`, or with numbers that are not finite
    """
    model = _model(_read(path), path)
    expected = checkpoint_shapes(source)
    _check_names(model, expected, source, path)
    for name, shape in expected.items():
        _check_tensor(name, model[name], shape, source, path)
    return {name: model[source.prefix + name].detach().to(_stored_type(name)).numpy().copy() for name in trunk_shapes()}


def generate_checkpoint(source: Source, seed: int) -> dict[str, Any]:
    """A checkpoint of exactly the real form, with seeded random weights in bn0 and blocks 1-4; for tests and rehearsals.

    Tensors behind block 4 repeat one number, which `torch.save` stores once: the file has 19 MB instead of 330 MB.
    """
    rng = np.random.default_rng(seed)
    trunk = random_parameters(seed)
    # Statistics about as trained ones are, so that activations stay in the range of real features.
    trunk["bn0.running_mean"] = np.linspace(-4.0, -33.0, len(trunk["bn0.running_mean"])).astype(np.float32)
    trunk["bn0.running_var"] = rng.uniform(40.0, 60.0, trunk["bn0.running_var"].shape).astype(np.float32)
    for name in [name for name in trunk if ".bn" in name and name.endswith((".weight", ".bias"))]:
        trunk[name] = (trunk[name] + rng.normal(0.0, 0.1, trunk[name].shape)).astype(np.float32)
    model = {name: torch.zeros((), dtype=_stored_type(name)).expand(shape) for name, shape in checkpoint_shapes(source).items()}
    model |= {source.prefix + name: torch.from_numpy(np.array(value)) for name, value in trunk.items()}
    if source.scope:  # the other networks in the file, which are none of our business
        model |= {"caption_encoder.projection.linear1.weight": torch.zeros(()).expand(1024, 768), "logit_scale": torch.tensor(4.6)}
    return {"iteration": 0, "model": model}


def _read(path: Path) -> object:
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise CheckpointError(path, f"cannot be read ({error.strerror}); give the path of a downloaded checkpoint") from error
    if is_empty:
        raise CheckpointError(path, "is empty; download it again")
    try:
        # Memory-mapped where the format allows: most of the file is behind block 4 and never looked at twice.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters is refused below
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        if wanted := re.search(r"GLOBAL ([\w.]+)", str(error)):
            problem = f"asks for {wanted[1]} to be called, but pickled code is never run; download the file from its origin"
            raise CheckpointError(path, problem) from error
        raise _damaged(path) from error
    except Exception as error:  # torch raises whatever its parsers ran into
        raise _damaged(path) from error


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(path, "is truncated, damaged or not a torch checkpoint; download it again")


def _model(checkpoint: object, path: Path) -> Mapping[str, Any]:
    model = checkpoint.get("model") if isinstance(checkpoint, dict) else None
    if not isinstance(model, dict) or not all(isinstance(name, str) for name in model):
        raise CheckpointError(path, "has no parameters under the key 'model'; give the checkpoint file as it was downloaded")
    if all(name.startswith(_PARALLEL) for name in model):
        return {name.removeprefix(_PARALLEL): value for name, value in model.items()}
    return model


def _check_names(model: Mapping[str, Any], expected: Mapping[str, Shape], source: Source, path: Path) -> None:
    for other in SOURCES.values():
        if other is not source and not checkpoint_shapes(other).keys() - model.keys():
            raise CheckpointError(path, f"is {other.title}, not {source.title}; export it with --source {other.name}")
    for name in expected:
        if name not in model:
            raise CheckpointError(path, f"lacks {name}{_kind(model, source)}; {_remedy(source)}")
    for name in model:
        if name.startswith(source.scope) and name not in expected:
            raise CheckpointError(path, f"holds {name}, which {source.title} does not have; {_remedy(source)}")


def _check_tensor(name: str, tensor: object, shape: Shape, source: Source, path: Path) -> None:
    if not isinstance(tensor, torch.Tensor):
        raise CheckpointError(path, f"{name} is not a tensor but {type(tensor).__name__}; {_remedy(source)}")
    if tuple(tensor.shape) != shape:
        why = " (a Cnn14 for another sample rate)" if "_extractor." in name else ""
        raise CheckpointError(path, f"{name} has shape {tuple(tensor.shape)} instead of {shape}{why}; {_remedy(source)}")
    if name.endswith(_BATCHES_TRACKED):
        return
    if tensor.is_sparse or tensor.is_quantized or not tensor.is_floating_point():
        raise CheckpointError(path, f"{name} holds {tensor.dtype} instead of floating-point numbers; {_remedy(source)}")
    if not bool(torch.isfinite(tensor).all()):
        raise CheckpointError(path, f"{name} holds NaN or infinite numbers; {_remedy(source)}")
    if name.endswith("running_var") and bool((tensor < 0).any()):
        raise CheckpointError(path, f"{name} holds a negative variance; {_remedy(source)}")


def _kind(model: Mapping[str, Any], source: Source) -> str:
    """What the checkpoint is instead, when that can be told."""
    if f"{source.prefix}conv_block4.bn1.weight" not in model:
        return ""
    if f"{source.prefix}conv_block1.conv2.weight" not in model:
        return " (it is a Cnn6)"
    return "" if any(name.startswith(f"{source.prefix}conv_block5.") for name in model) else " (it is a Cnn10)"


def _remedy(source: Source) -> str:
    return f"--source {source.name} takes {source.title}, {source.file_name}"


def _stored_type(name: str) -> torch.dtype:
    return torch.int64 if name.endswith(_BATCHES_TRACKED) else torch.float32
