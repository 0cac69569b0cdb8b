"""Backbones by name: CNN14 from a file, or none at all."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from edge.features.backbone import Backbone
from edge.features.logmel_backbone import LOGMELS, LogMelBackbone

AnyBackbone: TypeAlias = "Backbone | LogMelBackbone"


def load_backbone(name_or_path: str | Path, providers: tuple[str, ...] = ("cpu",), threads: int = 1) -> AnyBackbone:
    """Load a built-in backbone by name, or an exported one by the path of its .onnx file; BackboneError when there is none."""
    name = str(name_or_path)
    return LogMelBackbone.load(name) if name in LOGMELS else Backbone.load(name_or_path, providers, threads)
