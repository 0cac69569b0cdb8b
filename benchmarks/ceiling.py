"""What one core can do at best: single-precision matrix products, against which a network's speed is judged."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.features.runtime import open_session

if TYPE_CHECKING:
    import onnxruntime as ort

GEMM_SIZE = 1024
GIGA = 1e9
# An ONNX model of one MatMul, c = a b; tests/benchmarks/test_ceiling.py makes it again.
MATRIX_PRODUCT = (
    "CAk6YQoRCgFhCgFiEgFjIgZNYXRNdWwSB3Byb2R1Y3RaFQoBYRIQCg4IARIKCgMSAW0KAxIBa1oVCgFiEhAKDggBEgoKAxIBawoDEgFuYhUKAWMSEAoOCAESCgoDEgFt"
    "CgMSAW5CBAoAEBE="
)


class Gemm:
    """A product of two square float32 matrices, by numpy's BLAS and by ONNX Runtime: the faster one is what the core can do.

    A BLAS that does not know the processor stays far below it: measured on one with AVX-512, OpenBLAS reached 120 and ONNX Runtime 220.
    """

    def __init__(self, size: int = GEMM_SIZE, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self._a = random.standard_normal((size, size), dtype=np.float32)
        self._b = random.standard_normal((size, size), dtype=np.float32)
        self._session = open_session(base64.b64decode(MATRIX_PRODUCT), "matrix product")

    def gflops(self) -> float:
        """Return the speed of one product in GFLOP per second of CPU time: that of one core, even where a BLAS was given more threads."""
        return max(self._gflops(self.by_numpy), self._gflops(self.by_onnxruntime))

    def by_numpy(self) -> NDArray[np.float32]:
        """Return the product, (size, size) float32."""
        product: NDArray[np.float32] = np.matmul(self._a, self._b)
        return product

    def by_onnxruntime(self) -> NDArray[np.float32]:
        """Return the product, (size, size) float32."""
        product: NDArray[np.float32] = self._session.run(None, {"a": self._a, "b": self._b})[0]
        return product

    def _gflops(self, multiply: Callable[[], object]) -> float:
        start = time.process_time()
        multiply()
        return 2.0 * len(self._a) ** 3 / (time.process_time() - start) / GIGA


def trunk_gflop_per_s(session: ort.InferenceSession, frames_per_s: float) -> float:
    """Count what a streaming CNN14 graph computes for one second of audio, in GFLOP; a multiplication with its addition is two.

    Read off the graph: each convolution's state (1, channels in, 2 frames, mel) says how many channels it takes and on how many bands it
    works, and its output channels are what the next one takes. Frames are pooled as bands are. Only convolutions count; the rest is < 1 %.
    """
    inputs = {value.name: value.shape for value in session.get_inputs()}
    mel_bands = inputs["log_mel"][-1]
    channels_last = {value.name: value.shape for value in session.get_outputs()}["block4"][-1]
    convolutions = [shape for name, shape in inputs.items() if name.startswith("state_") and "conv" in name]
    channels_out = [shape[1] for shape in convolutions[1:]] + [channels_last]
    flop = 0.0
    for (_, channels_in, past_frames, mel), out in zip(convolutions, channels_out, strict=True):
        kernel = past_frames + 1  # square: as many bands as frames
        flop += 2.0 * kernel**2 * channels_in * out * mel * frames_per_s * mel / mel_bands
    return flop / GIGA
