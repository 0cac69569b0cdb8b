"""One small trunk for all tests of this room: random weights, believable batch norms, a few seconds of synthesised sound."""

from __future__ import annotations

from typing import Any

import pytest
from numpy.typing import NDArray

from edge.features.frontend import PANNS
from export.architecture import SOURCES
from export.checkpoint import generate_checkpoint
from export.graph import build_graph
from export.quantize import calibrate_ranges
from export.sound import Clip, synthesised_clips
from export.trunk import fold, trunk_shapes


@pytest.fixture(scope="session")
def parameters() -> dict[str, NDArray[Any]]:
    model = generate_checkpoint(SOURCES["panns"], seed=1)["model"]
    return {name: model[name].numpy() for name in trunk_shapes()}


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    return synthesised_clips(PANNS, 12.0, seed=7)


@pytest.fixture(scope="session")
def models(parameters: dict[str, NDArray[Any]], clips: list[Clip]) -> dict[str, bytes]:
    trunk = fold(parameters)
    exposed = build_graph(trunk, "fp32", name="tiny", front_end=PANNS.name, expose_activations=True)
    ranges = calibrate_ranges(exposed, clips[:1])
    return {
        "fp32": build_graph(trunk, "fp32", name="tiny", front_end=PANNS.name).SerializeToString(),
        "int8": build_graph(trunk, "int8", name="tiny", front_end=PANNS.name, ranges=ranges).SerializeToString(),
    }
