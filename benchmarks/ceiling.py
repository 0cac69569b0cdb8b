"""What one core can do at best: single-precision matrix products, against which a network's speed is judged."""

from __future__ import annotations

import time

import numpy as np
import onnxruntime as ort

GEMM_SIZE = 1024
GIGA = 1e9


def gemm_gflops(size: int = GEMM_SIZE, seed: int = 0) -> float:
    """Return the speed of one product of two (size, size) float32 matrices, in GFLOP per second of CPU time.

    CPU time counts every thread's, so this is the speed of one core even where numpy's BLAS was given more.
    """
    random = np.random.default_rng(seed)
    a = random.standard_normal((size, size), dtype=np.float32)
    b = random.standard_normal((size, size), dtype=np.float32)
    product = np.empty((size, size), np.float32)
    start = time.process_time()
    np.matmul(a, b, out=product)
    return 2.0 * size**3 / (time.process_time() - start) / GIGA


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
