"""Check a network before ONNX Runtime opens it: before it refuses one, it may read other files, fill the memory or never finish.

A list of what is bad would never be complete. So a network may consist only of what our own exporters write (edge/features/onnx_file.py,
edge/features/onnx_operators.py), and the size of every tensor follows from its inputs and constants before any is made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from edge.features.frontend import BLOCK_FRAMES
from edge.features.onnx_file import Declared, Graph, quoted, read_graph
from edge.features.onnx_operators import result_of
from edge.features.onnx_shapes import Value

# Half as much again, or twice, as the largest network needs that the exporters write by default: AudDSR of 128 mels. (So it is reckoned:
# ONNX Runtime takes 45 MB for it.) tests/fuzz/test_grafts.py measures what the limits come to: 230 MB with the interpreter.
MOST_OPERATORS = 400  # AudDSR has 189
MOST_AXES = 5  # 4
MOST_BYTES = 160 << 20  # 104 MB
MOST_PRODUCTS = 8_000_000_000  # 4.9e9, which take 50 ms of a PC's core


@dataclass(frozen=True, slots=True)
class Needs:
    """What a network needs at most to be opened and to compute once."""

    bytes: int
    products: int  # multiplications, or as much work


def check_graph(model: bytes) -> Graph:
    """The graph of a network that does no more than ours. Otherwise ValueError names what it contains: `the operator 'Loop', which ...`."""
    graph = read_graph(model)
    needs = needs_of(graph, len(model))
    if needs.bytes > MOST_BYTES:
        raise ValueError(f"a network that needs {needs.bytes >> 20} MB of memory; at most {MOST_BYTES >> 20} MB are allowed")
    if needs.products > MOST_PRODUCTS:
        raise ValueError(f"a network that needs {needs.products:.1e} multiplications at a time; at most {MOST_PRODUCTS:.0e} are allowed")
    return graph


def needs_of(graph: Graph, file_bytes: int) -> Needs:
    """What a network needs, if every operator is one of ours; else ValueError.

    An input's dimension without a length is a block's frames: so the daemon calls it. The bytes hold however ONNX Runtime orders its work
    and whatever it computes in advance: the file is in memory twice while it is opened; constants, what follows from constants alone, and
    inputs stay; outputs are copied. What is computed and used once is there, or what is made of it, never both but for the one operator
    that is at work: so of the two the larger counts, and beside all this the operator that makes and works with most.
    """
    if len(graph.nodes) > MOST_OPERATORS:
        raise ValueError(f"{len(graph.nodes)} operators; at most {MOST_OPERATORS} are allowed")
    values: dict[str, Value] = {}
    for name, tensor in graph.constants.items():
        _add(values, name, Value(tensor.kind, tensor.shape, tensor))
    constants = {*values, ""}
    for declared in graph.inputs:
        _add(values, declared.name, Value(declared.kind, tuple(length or BLOCK_FRAMES for length in declared.shape)))
    kept = sum(value.bytes for value in values.values())
    uses = Counter([name for node in graph.nodes for name in node.inputs] + [output.name for output in graph.outputs] * 2)
    passing: dict[str, int] = {}  # bytes of what is computed and not yet used up
    most, products = 0, 0
    for node in graph.nodes:
        result, name = result_of(node, values), node.outputs[0]
        _add(values, name, result.value)
        kept, products, most = kept + result.kept_bytes, products + result.products, max(most, result.working_bytes + result.value.bytes)
        if constants.issuperset(node.inputs):
            constants.add(name)
            kept += result.value.bytes
        else:
            used_up = sum(passing.pop(given) for given in node.inputs if given in passing and uses[given] == 1)
            passing[name] = max(result.value.bytes, used_up)
    for declared in graph.outputs:
        kept += _output(declared, values).bytes
    return Needs(2 * file_bytes + kept + sum(passing.values()) + most, products)


def _add(values: dict[str, Value], name: str, value: Value) -> None:
    if not name or name in values:
        raise ValueError(f"two values of the name {quoted(name)}, or one without a name")
    if len(value.shape) > MOST_AXES:
        raise ValueError(f"a value {quoted(name)} of {len(value.shape)} axes, more than any of Auscult's")
    values[name] = value


def _output(declared: Declared, values: dict[str, Value]) -> Value:
    """What is given out; ONNX Runtime plans with what it is said to be, so that must be true."""
    made = values.get(declared.name)
    if made is None or made.kind is not declared.kind or len(made.shape) != len(declared.shape):
        raise ValueError(f"an output {quoted(declared.name)} that nothing makes")
    if any(said not in (None, length) for said, length in zip(declared.shape, made.shape, strict=True)):
        raise ValueError(f"an output {quoted(declared.name)} of another shape than is made")
    return made
