from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from torch import nn

from edge.detectors.detector import Parts
from edge.detectors.network import Network
from edge.errors import BundleError
from export.training.onnx_file import as_onnx

BLOB = as_onnx(nn.ReLU(), (2, 3), "x", "y")


def test_network_makes_what_the_exported_one_makes() -> None:
    network = Network(Parts({}, 1, {"n.onnx": BLOB}), "n.onnx", (2, 3), (2, 3))
    np.testing.assert_array_equal(network(np.array([[1, -1, 2], [-3, 0, 4]], np.float32)), [[1, 0, 2], [0, 0, 4]])


def test_network_export_of_the_same_weights_gives_the_same_bytes() -> None:
    assert as_onnx(nn.ReLU(), (2, 3), "x", "y") == BLOB


@pytest.mark.parametrize("blob", [b"", b"not a network", BLOB[: len(BLOB) // 2]])
def test_network_that_is_damaged_is_refused_in_one_line(blob: bytes) -> None:
    with pytest.raises(BundleError, match=r"^pump\.auscult: its network n\.onnx holds .*; .*calibrate again$") as refusal:
        Network(Parts({}, 1, {"n.onnx": blob}, subject="pump.auscult"), "n.onnx", (2, 3), (2, 3))
    assert "\n" not in str(refusal.value)


def test_network_of_other_shapes_is_refused_in_one_line() -> None:
    with pytest.raises(BundleError, match=r"its network n\.onnx does not take \(2, 4\) and give \(2, 3\)"):
        Network(Parts({}, 1, {"n.onnx": BLOB}), "n.onnx", (2, 4), (2, 3))


def test_network_that_lacks_is_named() -> None:
    with pytest.raises(KeyError, match=r"n\.onnx"):
        Network(Parts({}, 1, {}), "n.onnx", (2, 3), (2, 3))
