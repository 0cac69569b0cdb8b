"""No operator that is grafted onto a network takes the machine: it is refused before ONNX Runtime sees it, or it is small."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.features.backbone import BUILT_IN, DEFAULT_BACKBONE
from tests.fuzz.grafts import GRAFTS, grafted
from tests.fuzz.largest import CASES, FORMS, largest
from tests.fuzz.measured import measured
from tests.fuzz.network_cases import with_network
from tests.fuzz.seeds import bundles, packed

SEED = 20261129
MOST_MB = 300
MOST_S = 10
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
    assert re.fullmatch(
        rf".*{re.escape(str(bundle))}: holds (the operator '?{name}\b|a network that needs \d+ MB).*; export it again\n", done.stderr
    )
    assert done.peak_mb <= MOST_MB


@pytest.mark.parametrize("times", [1, pytest.param(40, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_every_operator_of_onnx_as_a_graft_is_refused_in_one_line_or_small(times: int, tmp_path: Path) -> None:
    done = measured(tmp_path, str(SEED), str(times), module="tests.fuzz.all_operators", limit_s=600)
    assert (done.code, done.stderr) == (0, "")  # nor does ONNX Runtime say anything
    told = json.loads(done.stdout)
    assert told["operators"] > 200
    assert told["odd"] == []
    assert told["longest_s"] <= MOST_S
    assert done.peak_mb <= MOST_MB


@pytest.mark.parametrize(
    ("form", "operator"),
    [
        pytest.param(form, operator, marks=[] if (form, operator) in (("often", "Identity"), ("once", "Gemm")) else pytest.mark.slow)
        for form in FORMS
        for operator in CASES
    ],
)
def test_largest_network_that_is_accepted_is_small(form: str, operator: str, tmp_path: Path) -> None:
    path = tmp_path / "largest.onnx"
    path.write_bytes(largest(CASES[operator], operator, form))
    done = measured(tmp_path, str(path), module="tests.fuzz.open_network", limit_s=MOST_S)
    assert (done.code, done.stderr) == (0, "")
    assert done.peak_mb <= MOST_MB


@pytest.mark.parametrize(("command", "code"), [("run", 2), ("doctor", 1)])
def test_commands_with_a_config_refuse_a_graft_too(command: str, code: int, sound: Path, tmp_path: Path) -> None:
    bundle = bundle_with(grafted(BACKBONE, "HannWindow"), tmp_path / "evil.auscult")
    config = tmp_path / "config.yaml"
    head = f"node: test\nmqtt: {{host: localhost}}\noutbox: {{path: {tmp_path / 'outbox.sqlite'}}}\n"
    source = f"sources:\n  pump1:\n    bundle: {bundle}\n    files: {{paths: [{sound}]}}\n"
    config.write_text(head + source, encoding="utf-8")
    done = measured(tmp_path, command, "--config", str(config))
    assert done.code == code
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if str(bundle) in line]
    assert "holds the operator 'HannWindow', which Auscult never writes" in line
    assert done.peak_mb <= MOST_MB
