"""Open a network as a bundle's is opened, and run it once: `python -m tests.fuzz.open_network FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from edge.features.frontend import BLOCK_FRAMES
from edge.features.onnx_graph import check_graph
from edge.features.runtime import open_session


def main(path: Path) -> None:
    """Refusals are raised."""
    model = path.read_bytes()
    inputs = check_graph(model).inputs
    session = open_session(model, path)
    session.run(None, {value.name: np.zeros([length or BLOCK_FRAMES for length in value.shape], value.kind.dtype) for value in inputs})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
