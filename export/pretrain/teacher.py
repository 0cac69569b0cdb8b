"""The AudioSet teacher: EfficientAT's mn04, a MobileNetV3-Large of width 0.4. It is used for training and never shipped.

Source: Schmid et al., "Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge Distillation" (2023); Howard et al.,
"Searching for MobileNetV3" (2019), table 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from edge.errors import CheckpointError

CLASSES = 527
BATCH_NORM_EPSILON = 1e-3
SQUEEZE = 4  # channels of a squeeze-and-excitation's bottleneck: this part of them, in steps of CHANNEL_STEP
CHANNEL_STEP = 8


class Bottleneck(NamedTuple):
    """One row of MobileNetV3's table 1, its widths times 0.4."""

    kernel: int
    expanded: int
    out: int
    squeezes: bool
    is_hard_swish: bool
    stride: int


FIRST_CHANNELS = 8
BOTTLENECKS = (
    Bottleneck(3, 8, 8, False, False, 1),
    Bottleneck(3, 24, 16, False, False, 2),
    Bottleneck(3, 32, 16, False, False, 1),
    Bottleneck(5, 32, 16, True, False, 2),
    Bottleneck(5, 48, 16, True, False, 1),
    Bottleneck(5, 48, 16, True, False, 1),
    Bottleneck(3, 96, 32, False, True, 2),
    Bottleneck(3, 80, 32, False, True, 1),
    Bottleneck(3, 72, 32, False, True, 1),
    Bottleneck(3, 72, 32, False, True, 1),
    Bottleneck(3, 192, 48, True, True, 1),
    Bottleneck(3, 272, 48, True, True, 1),
    Bottleneck(5, 272, 64, True, True, 2),
    Bottleneck(5, 384, 64, True, True, 1),
    Bottleneck(5, 384, 64, True, True, 1),
)
LAST_CHANNELS = 384
HIDDEN = 512


class Teacher(nn.Module):
    """Log-mel in, AudioSet logits and intermediate maps out. Parameter names are those of EfficientAT's files."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(1, FIRST_CHANNELS, 3, nn.Hardswish(), stride=2)]
        channels = FIRST_CHANNELS
        for row in BOTTLENECKS:
            layers.append(InvertedResidual(channels, row))
            channels = row.out
        layers.append(_convolution(channels, LAST_CHANNELS, 1, nn.Hardswish()))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(LAST_CHANNELS, HIDDEN),
            nn.Hardswish(),
            nn.Dropout(),
            nn.Linear(HIDDEN, CLASSES),
        )
        self.eval().requires_grad_(False)

    def forward(self, log_mel: Tensor) -> Tensor:
        """From (clip, 1, mel, time), see `teacher_frontend`, to AudioSet logits, (clip, 527)."""
        logits: Tensor = self.classifier(self.features(log_mel))
        return logits

    def maps(self, log_mel: Tensor, layers: tuple[int, ...]) -> dict[int, Tensor]:
        """What these layers of `features` give, each (clip, channel, mel, time), for log-mel of shape (clip, 1, mel, time)."""
        found = {}
        x = log_mel
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in layers:
                found[number] = x
            if number >= max(layers):
                break
        return found

    @staticmethod
    def stride_of(layer: int) -> int:
        """How many frames, and how many mel bands, one place of a layer's map stands for."""
        stride = 2
        for row in BOTTLENECKS[:layer]:
            stride *= row.stride
        return stride

    @staticmethod
    def channels_of(layer: int) -> int:
        """Channels of a bottleneck's map."""
        return BOTTLENECKS[layer - 1].out


class InvertedResidual(nn.Module):
    """Expand, filter each channel, weigh the channels, project; and add the input where the shapes allow."""

    def __init__(self, channels_in: int, row: Bottleneck) -> None:
        super().__init__()
        activation: nn.Module = nn.Hardswish() if row.is_hard_swish else nn.ReLU()
        layers: list[nn.Module] = []
        if row.expanded != channels_in:
            layers.append(_convolution(channels_in, row.expanded, 1, activation))
        layers.append(_convolution(row.expanded, row.expanded, row.kernel, activation, stride=row.stride, groups=row.expanded))
        if row.squeezes:
            layers.append(_Excitations(row.expanded))
        layers.append(_convolution(row.expanded, row.out, 1, None))
        self.block = nn.Sequential(*layers)
        self.is_residual = row.stride == 1 and channels_in == row.out

    def forward(self, x: Tensor) -> Tensor:
        """(clip, channel, mel, time)."""
        projected: Tensor = self.block(x)
        return projected + x if self.is_residual else projected


class _Excitations(nn.Module):
    """EfficientAT's concurrent squeeze-and-excitation; mn04 has one branch, over channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conc_se_layers = nn.ModuleList([_Excitation(channels)])

    def forward(self, x: Tensor) -> Tensor:
        weighed: Tensor = self.conc_se_layers[0](x)
        return weighed


class _Excitation(nn.Module):
    """Hu et al., "Squeeze-and-Excitation Networks" (2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = _in_steps(channels // SQUEEZE)
        self.fc1 = nn.Linear(channels, squeezed)
        self.fc2 = nn.Linear(squeezed, channels)

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean(dim=(2, 3))))))  # (clip, channel)
        return x * weight[:, :, None, None]


def load_teacher(path: Path) -> Teacher:
    """Load EfficientAT's mn04 strictly, and nothing that would run code.

    Raises
    ------
    CheckpointError : missing, damaged, or not the parameters of mn04
    """
    try:
        parameters = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(path, f"cannot be read ({error.strerror}); give EfficientAT's mn04_as_mAP_432.pt") from error
    except Exception as error:  # torch raises whatever its parsers ran into
        raise CheckpointError(path, "is truncated, damaged or not a torch checkpoint; download it again") from error
    teacher = Teacher()
    if problem := _problem(parameters, teacher.state_dict()):
        raise CheckpointError(path, f"{problem}; --teacher takes EfficientAT's mn04_as_mAP_432.pt")
    teacher.load_state_dict(parameters)
    return teacher


def _problem(parameters: object, expected: Mapping[str, Tensor]) -> str | None:
    if not isinstance(parameters, dict):
        return "holds no parameters"
    for name, tensor in expected.items():
        given = parameters.get(name)
        if not isinstance(given, Tensor):
            return f"lacks {name}"
        if given.shape != tensor.shape:
            return f"{name} has shape {tuple(given.shape)} instead of {tuple(tensor.shape)}"
        if not bool(torch.isfinite(given).all()):
            return f"{name} holds NaN or infinite numbers"
    return next((f"holds {name}, which mn04 does not have" for name in parameters if name not in expected), None)


def _convolution(
    channels_in: int, channels_out: int, kernel: int, activation: nn.Module | None, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out, BATCH_NORM_EPSILON),
    ]
    return nn.Sequential(*layers) if activation is None else nn.Sequential(*layers, activation)


def _in_steps(channels: int) -> int:
    """The nearest multiple of CHANNEL_STEP that is not more than a tenth below."""
    rounded = max(CHANNEL_STEP, (channels + CHANNEL_STEP // 2) // CHANNEL_STEP * CHANNEL_STEP)
    return rounded + CHANNEL_STEP if rounded < 0.9 * channels else rounded
