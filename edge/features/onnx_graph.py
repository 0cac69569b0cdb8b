"""Look into a network before ONNX Runtime does: by the time that it refuses, it has read other files, filled the memory or taken for ever.

A list of what is bad would never be complete. So a network may consist only of what our own exporters write (edge/features/onnx_file.py,
edge/features/onnx_operators.py), and the size of every tensor follows from its inputs and constants before any is made. What ONNX Runtime
then takes is bounded by the sum of all of them, however it orders its work and whatever it computes in advance.
"""

from __future__ import annotations

from edge.features.frontend import BLOCK_FRAMES
from edge.features.onnx_file import Declared, read_graph, quoted
from edge.features.onnx_operators import Value, result_of

# The largest networks that the exporters write as they are set by default, and what each limit leaves beside:
MOST_NODES = 512
MOST_AXES = 5
MOST_BYTES = 192 << 20
MOST_PRODUCTS = 8_000_000_000


def check_graph(model: bytes) -> None:
    """Refuse a network that could do more than ours, or more of it; ValueError says what it holds, as in `the operator 'Loop', which ...`.

    An input's dimension without a length is a block's frames: so the daemon calls it.
    """
    graph = read_graph(model)
    if len(graph.nodes) > MOST_NODES:
        raise ValueError(f"{len(graph.nodes)} operators, {MOST_NODES} are the most")
    values = {name: Value(tensor.kind, tensor.shape, tensor) for name, tensor in graph.constants.items()}
    kept, working, products = 0, 0, 0
    for declared in graph.inputs:
        _add(values, declared.name, Value(declared.kind, tuple(length or BLOCK_FRAMES for length in declared.shape)))
    for node in graph.nodes:
        result = result_of(node, values)
        _add(values, node.outputs[0], result.value)
        kept, working, products = kept + result.kept_bytes, max(working, result.working_bytes), products + result.products
    print(sum(value.bytes for value in values.values())/2**20, kept/2**20, working/2**20, products/1e6, max(v.bytes for v in values.values())/2**20)
