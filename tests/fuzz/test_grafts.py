"""No operator that is grafted onto a network takes the machine: it is refused before ONNX Runtime sees it, or it is small."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile

from edge.errors import BackboneError
from edge.features.backbone import BUILT_IN, DEFAULT_BACKBONE
from edge.features.onnx_graph import check_graph
from tests.fuzz.grafts import GRAFTS, graft, grafted, schemas
from tests.fuzz.measured import measured
from tests.fuzz.network_cases import with_network
from tests.fuzz.seeds import bundles, packed

SEED = 20261129
MOST_MB = 300
BACKBONE = (BUILT_IN / f"{DEFAULT_BACKBONE}.onnx").read_bytes()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "a.wav"
    soundfile.write(path, 0.05 * np.random.default_rng(0).standard_normal(96000), 32000)
    return path


def bundle_with(network: bytes, path: Path) -> Path:
    members = with_network(dict(bundles()[0]), "backbone.onnx", network)
    path.write_bytes(packed(list(members.items())))
    return path


@pytest.mark.parametrize("name", GRAFTS)
def test_score_of_a_grafted_backbone_is_refused_in_one_line_and_little_memory(name: str, sound: Path, tmp_path: Path) -> None:
    bundle = bundle_with(grafted(BACKBONE, name), tmp_path / "evil.auscult")
    done = measured(tmp_path, "score", "--bundle", str(bundle), str(sound))
    assert (done.code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert re.fullmatch(rf".*{re.escape(str(bundle))}: holds (the operator '?{name}\b|what would take \d+ MB).*; export it again\n", done.stderr)
    assert done.peak_mb <= MOST_MB
