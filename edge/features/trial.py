"""A network's trial: it runs once, with no more memory than the check of its graph found (edge/features/onnx_graph.py).

Should that check be mistaken, an allocation fails here, and the network is refused like any other. A child process with a limit of its own
would cost a second at each start of a Raspberry Pi, and the service's sandbox forbids setrlimit. An arena of ONNX Runtime's costs the
milliseconds of one more session. Sessions that stay have arenas of their own: one for all would bound all sources together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.features.frontend import BLOCK_FRAMES
from edge.features.onnx_file import Declared
from edge.features.onnx_graph import MOST_BYTES
from edge.features.silent_runtime import ort

_GROWS_EXACTLY, _AS_USUAL = 1, -1  # an arena, as ONNX Runtime numbers it

# One for the whole process; only sessions that ask for it use it.
ort.create_and_register_allocator(
    ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT),
    ort.OrtArenaCfg(MOST_BYTES, _GROWS_EXACTLY, _AS_USUAL, _AS_USUAL),
)


def try_out(model: bytes, inputs: Sequence[Declared], options: ort.SessionOptions) -> None:
    """Open a network and run it on zeros; an exception of ONNX Runtime's when it fails, or wants too much. `options` are used up."""
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # what is computed in advance is not from the arena
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.use_env_allocators", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    zeros = {value.name: np.zeros([length or BLOCK_FRAMES for length in value.shape], value.kind.dtype) for value in inputs}
    giving_back = ort.RunOptions()
    giving_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    session.run(None, zeros, giving_back)
