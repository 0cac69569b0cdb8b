from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.errors import BackboneError
from edge.features.onnx_graph import MOST_BYTES
from edge.features.runtime import open_session

ROOT = Path(__file__).parents[3]


def program(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, and what reached its terminal."""
    kept = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**kept, **environment}, check=True, timeout=60, capture_output=True, text=True
    )


def test_runtime_reports_nothing_to_its_maker(tmp_path: Path) -> None:
    """ONNX Runtime's own telemetry would name the device in a file under HOME, and call home."""
    program("import edge.features.runtime; from edge.features.backbone import Backbone; Backbone.load('cnn14-random')", HOME=str(tmp_path))
    assert list(tmp_path.rglob("*")) == []


def fails_on_zeros() -> bytes:
    """A network that passes the check and cannot run: it looks up what is not there."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])]
    graph = helper.make_graph([helper.make_node("Gather", ["x", "place"], ["y"], axis=0)], "g", inputs, outputs)
    graph.initializer.append(numpy_helper.from_array(np.array([7]), "place"))
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


def test_open_session_of_what_cannot_run_is_refused_in_one_line_and_onnx_runtime_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BackboneError, match=r"^pump\.auscult: cannot be opened by ONNX Runtime .*Gather.*; export it again$") as refusal:
        open_session(fails_on_zeros(), "pump.auscult")
    assert "\n" not in str(refusal.value)
    assert capfd.readouterr() == ("", "")


def test_open_session_of_what_the_check_does_not_see_fails_in_its_trial(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A sum of a row and a column, twice as large as a trial may be, once the check is mistaken."""
    monkeypatch.setattr("edge.features.onnx_graph.MOST_BYTES", 100 * MOST_BYTES)
    length = int((2 * MOST_BYTES / 4) ** 0.5)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", (length, 1)), ("z", (1, length)))]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [length, length])
    graph = helper.make_graph([helper.make_node("Add", ["x", "z"], ["y"])], "g", inputs, [output])
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    with pytest.raises(BackboneError, match=r"cannot be opened by ONNX Runtime .*Available memory of \d+ is smaller"):
        open_session(content, "pump.auscult")
    assert capfd.readouterr() == ("", "")


def test_onnx_runtime_that_complains_while_it_is_loaded_is_not_heard(tmp_path: Path) -> None:
    """As some versions do on boards whose graphics they do not know."""
    (tmp_path / "onnxruntime.py").write_text(
        "import os\nos.write(2, b'\\x1b[0;93m[W:onnxruntime:Default] GPU device discovery failed')\n"
        "def set_default_logger_severity(severity): print(severity)\n",
        encoding="utf-8",
    )
    code = "import os; import edge.features.silent_runtime; os.write(2, b'heard')"
    done = program(code, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert (done.stdout, done.stderr) == ("4\n", "heard")
