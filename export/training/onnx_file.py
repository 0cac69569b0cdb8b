"""A trained network as the ONNX file that a bundle carries."""

from __future__ import annotations

import io
import warnings

import torch
from torch import nn

OPSET = 17


def as_onnx(network: nn.Module, shape: tuple[int, ...], takes: str, gives: str) -> bytes:
    """The file of a network that makes one array of one array of a fixed shape; the same bytes for the same weights."""
    network = network.to("cpu").eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter that writes plain, small graphs is told to be old
        torch.onnx.export(
            network,
            (torch.zeros(shape),),
            buffer,  # type: ignore[arg-type]  # the older exporter takes files, the newer one's types do not
            dynamo=False,
            opset_version=OPSET,
            input_names=[takes],
            output_names=[gives],
        )
    return buffer.getvalue()
