"""The streaming ONNX graph: CNN14 blocks 1-4 that keep their own state, in float32 or in int8.

A call takes `log_mel` (1, 1, frames, mel), frames a multiple of 16, and the states that the call before returned. Every 3x3 convolution
is preceded by its last two input frames (`state_<conv>`): it pads nothing in time, computes each frame once, and is one frame late.
Block 2 holds its last frame back (`state_block2_delay`) before it pools: blocks 2, 3 and 4 are then late by two of their own cells.

int8 is QDQ: activations uint8 with zero point 0 (they all follow a ReLU), weights int8 per output channel, biases int32. A tensor is
quantized before it is joined to its past, so its state is uint8 as well. The first convolution has one input channel and stays float32.
On x86 without VNNI, two u8s8 products are added in 16 bits and can saturate. Weights keep all their 8 bits nevertheless: few boards are
concerned, and a bundle's probe finds those that are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.trunk import BLOCK_CHANNELS, FIRST_OUTPUT_BLOCK, KERNEL, MEL_BANDS, POOL, FoldedConv, FoldedTrunk, Precision

Shape = list[str | int | None]

OPSET = 17
IR_VERSION = 9
DELAYED_BLOCK = 2
PAST_FRAMES = KERNEL - 1
UINT8_STEPS = 255
INT8_STEPS = 127
QUARTER_STEPS = 64  # a quarter as an int8 weight whose scale is 1/256: an average without rounding
SMALLEST_SCALE = 1e-12  # a channel whose weights are all zero still needs a scale to divide by


def build_graph(
    trunk: FoldedTrunk,
    precision: Precision,
    *,
    name: str,
    front_end: str,
    ranges: Mapping[str, float] | None = None,
    expose_activations: bool = False,
) -> onnx.ModelProto:
    """Build the streaming graph of `trunk`.

    Parameters
    ----------
    precision : "fp32" or "int8".
    name, front_end : written into the model's metadata.
    ranges : the largest value that each activation can represent, by name (see `activation_names`); int8 needs all of them.
    expose_activations : also return every activation of `activation_names`, (1, channel, frames, mel); for calibration.
    """
    builder = _Builder(precision, dict(ranges or {}))
    builder.lay_down(trunk)
    if expose_activations:
        builder.outputs += builder.activations
    graph = helper.make_graph(
        builder.nodes, "auscult_backbone", builder.inputs, builder.outputs + builder.state_outputs, builder.initializers
    )
    model = helper.make_model(graph, producer_name="auscult", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, {"auscult.name": name, "auscult.precision": precision, "auscult.front_end": front_end})
    onnx.checker.check_model(model, full_check=True)
    return model


def activation_names() -> list[str]:
    """Names of the activations that an int8 graph quantizes, in order: each convolution's output after its ReLU, and each pool's."""
    return [f"block{b}_{part}" for b in range(1, len(BLOCK_CHANNELS) + 1) for part in ("conv1", "conv2", "pool")]


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor (1, channels, frames, mel) on its way through the graph; uint8 if it has a scale, else float32."""

    name: str
    channels: int
    mel: int
    scale: float | None = None
    scale_name: str = ""

    @property
    def element_type(self) -> int:
        return TensorProto.FLOAT if self.scale is None else TensorProto.UINT8

    def renamed(self, name: str) -> _Tensor:
        return _Tensor(name, self.channels, self.mel, self.scale, self.scale_name)


@dataclass
class _Builder:
    precision: Precision
    ranges: dict[str, float]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    state_outputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    activations: list[onnx.ValueInfoProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def lay_down(self, trunk: FoldedTrunk) -> None:
        """The whole flow: bn0, then per block two convolutions, the delay of block 2, the pool and the block's output."""
        self._constants()
        self.inputs.append(helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, [1, 1, "frames", MEL_BANDS]))
        tensor = self._normalize(_Tensor("log_mel", 1, MEL_BANDS), trunk)
        for number, convs in enumerate(trunk.blocks, start=1):
            for conv in convs:
                tensor = self._quantized(self._convolve(conv, tensor))
            if number == DELAYED_BLOCK:
                tensor = self._delayed(f"block{number}_delay", tensor)
            tensor = self._quantized(self._pool(f"block{number}_pool", tensor))
            if number >= FIRST_OUTPUT_BLOCK:
                self._output(number, tensor)

    def _normalize(self, log_mel: _Tensor, trunk: FoldedTrunk) -> _Tensor:
        scale = self._constant("bn0_scale", trunk.mel_scale.reshape(1, 1, 1, -1))
        offset = self._constant("bn0_offset", trunk.mel_offset.reshape(1, 1, 1, -1))
        return log_mel.renamed(self._node("Add", [self._node("Mul", [log_mel.name, scale], "bn0_scaled"), offset], "bn0"))

    def _convolve(self, conv: FoldedConv, tensor: _Tensor) -> _Tensor:
        joined = self._with_past(conv.name, tensor, PAST_FRAMES)
        if joined.scale is None:
            weight, bias = self._constant(f"{conv.name}_weight", conv.weight), self._constant(f"{conv.name}_bias", conv.bias)
        else:
            weight, bias = self._quantized_parameters(conv, joined.scale)
        attributes = {"kernel_shape": [KERNEL, KERNEL], "pads": [0, 1, 0, 1]}
        total = self._node("Conv", [self._floating(joined).name, weight, bias], f"{conv.name}_sum", **attributes)
        return _Tensor(self._node("Relu", [total], conv.name), len(conv.bias), tensor.mel)

    def _pool(self, name: str, tensor: _Tensor) -> _Tensor:
        attributes = {"kernel_shape": [POOL, POOL], "strides": [POOL, POOL]}
        if tensor.scale is None:
            pooled = self._node("AveragePool", [tensor.name], name, **attributes)
        else:  # as a convolution of each channel with quarters: ONNX Runtime's own int8 average pool costs five times as much
            quarters = np.full((tensor.channels, 1, POOL, POOL), QUARTER_STEPS, np.int8)
            scale = np.full(tensor.channels, 0.25 / QUARTER_STEPS, np.float32)
            weight = self._dequantized_constant(f"{name}_weight", quarters, scale)
            pooled = self._node("Conv", [self._floating(tensor).name, weight], name, group=tensor.channels, **attributes)
        return _Tensor(pooled, tensor.channels, tensor.mel // POOL)

    def _delayed(self, name: str, tensor: _Tensor) -> _Tensor:
        joined = self._with_past(name, tensor, 1)
        return joined.renamed(self._node("Slice", [joined.name, "start", "last_1", "time_axis"], name))

    def _output(self, number: int, tensor: _Tensor) -> None:
        name = f"block{number}"
        turned = self._node("Transpose", [self._floating(tensor).name], f"{name}_turned", perm=[0, 2, 3, 1])
        self._node("Squeeze", [turned, "batch_axis"], name)
        shape: Shape = [f"frames_by_{POOL**number}", tensor.mel, tensor.channels]
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def _with_past(self, name: str, tensor: _Tensor, frames: int) -> _Tensor:
        """Join `tensor` to its last frames of the call before, and hand out its own last frames for the next."""
        shape = [1, tensor.channels, frames, tensor.mel]
        self.inputs.append(helper.make_tensor_value_info(f"state_{name}", tensor.element_type, shape))
        self.state_outputs.append(helper.make_tensor_value_info(f"next_{name}", tensor.element_type, shape))
        joined = self._node("Concat", [f"state_{name}", tensor.name], f"{name}_input", axis=2)
        self._node("Slice", [joined, f"last_{frames}", "end", "time_axis"], f"next_{name}")
        return tensor.renamed(joined)

    def _quantized(self, tensor: _Tensor) -> _Tensor:
        shape: Shape = [1, tensor.channels, f"frames_of_{tensor.name}", tensor.mel]
        self.activations.append(helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, shape))
        if self.precision == "fp32":
            return tensor
        scale = np.float32(self.ranges[tensor.name] / UINT8_STEPS)
        scale_name = self._constant(f"{tensor.name}_scale", np.array(scale, np.float32))
        quantized = self._node("QuantizeLinear", [tensor.name, scale_name, "uint8_zero"], f"{tensor.name}_uint8")
        return _Tensor(quantized, tensor.channels, tensor.mel, float(scale), scale_name)

    def _floating(self, tensor: _Tensor) -> _Tensor:
        if tensor.scale is None:
            return tensor
        name = self._node("DequantizeLinear", [tensor.name, tensor.scale_name, "uint8_zero"], f"{tensor.name}_float")
        return _Tensor(name, tensor.channels, tensor.mel)

    def _quantized_parameters(self, conv: FoldedConv, input_scale: float) -> tuple[str, str]:
        """Weights as int8 with one scale per output channel, the bias as int32 in units of input scale times weight scale."""
        scale = np.maximum(np.abs(conv.weight).max(axis=(1, 2, 3)) / INT8_STEPS, SMALLEST_SCALE).astype(np.float32)  # (channel out,)
        weight = np.clip(np.rint(conv.weight / scale[:, None, None, None]), -INT8_STEPS, INT8_STEPS).astype(np.int8)
        bias_scale = (np.float32(input_scale) * scale).astype(np.float32)
        bias = np.rint(conv.bias.astype(np.float64) / bias_scale).astype(np.int32)
        return (
            self._dequantized_constant(f"{conv.name}_weight", weight, scale),
            self._dequantized_constant(f"{conv.name}_bias", bias, bias_scale),
        )

    def _dequantized_constant(self, name: str, steps: NDArray[np.generic], scale: NDArray[np.float32]) -> str:
        inputs = [
            self._constant(f"{name}_steps", steps),
            self._constant(f"{name}_scale", scale),
            self._constant(f"{name}_zero", np.zeros(scale.shape, steps.dtype)),
        ]
        return self._node("DequantizeLinear", inputs, name, axis=0)

    def _constants(self) -> None:
        for name, value in {"start": 0, "end": np.iinfo(np.int64).max, "last_1": -1, "last_2": -PAST_FRAMES, "time_axis": 2}.items():
            self._constant(name, np.array([value], np.int64))
        self._constant("batch_axis", np.array([0], np.int64))
        if self.precision == "int8":
            self._constant("uint8_zero", np.array(0, np.uint8))

    def _constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: int | list[int]) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"make_{output}", **attributes))  # type: ignore[arg-type]  # for its own keywords
        return output
