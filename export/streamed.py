"""Run a streaming graph outside the daemon: any block size, every output, aligned with the offline computation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np
import onnx
from numpy.typing import NDArray

from edge.features.backbone import NUMPY_TYPES
from edge.features.frontend import BLOCK_FRAMES
from edge.features.runtime import open_session
from export.trunk import Float32Array

LAG_CELLS = 2  # every block comes out two of its own cells late


class StreamedGraph:
    """One session; each call of `steps` or `blocks` is a stream of its own that starts with empty states."""

    def __init__(self, model: onnx.ModelProto | bytes, subject: object = "exported graph") -> None:
        self._session = open_session(model if isinstance(model, bytes) else model.SerializeToString(), subject)
        self._states = {v.name: np.zeros(v.shape, NUMPY_TYPES[v.type]) for v in self._session.get_inputs() if v.name.startswith("state_")}
        self.output_names = [v.name for v in self._session.get_outputs()]

    def steps(self, log_mel: Float32Array, block_frames: int | Sequence[int] = BLOCK_FRAMES) -> Iterator[dict[str, NDArray[np.generic]]]:
        """Push log-mel, shape = (time, mel) float32 dB; yield all outputs of each call.

        `block_frames`, or each of several that take turns, is a multiple of 16.
        """
        sizes = cycle((block_frames,) if isinstance(block_frames, int) else block_frames)
        states = dict(self._states)
        start = 0
        while start < len(log_mel):
            block = np.ascontiguousarray(log_mel[start : start + next(sizes)])[None, None]  # (1, 1, time, mel)
            outputs = dict(zip(self.output_names, self._session.run(None, {"log_mel": block} | states), strict=True))
            states = {name: outputs[name.replace("state_", "next_", 1)] for name in states}
            start += block.shape[2]
            yield outputs

    def blocks(self, log_mel: Float32Array, block_frames: int | Sequence[int] = BLOCK_FRAMES) -> dict[str, Float32Array]:
        """`block2` .. `block4` of a clip, each (time, mel, channel) float32; cell 0 is the clip's first, and its last two are missing."""
        steps = list(self.steps(log_mel, block_frames))
        names = [name for name in self.output_names if name in ("block2", "block3", "block4")]
        return {name: np.concatenate([step[name] for step in steps])[LAG_CELLS:].astype(np.float32, copy=False) for name in names}
