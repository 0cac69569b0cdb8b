"""Hostile networks in bundles whose digests, card and seal are right."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
from onnx import TensorProto, helper

from edge.bundles.bundle import MANIFEST
from tests.fuzz.grafts import graft, schemas
from tests.fuzz.mutations import Rng, mutated, pick
from tests.fuzz.seeds import Members, packed


def network(rng: Rng, members: Members) -> bytes:
    """A network that reads other files, runs for ever, fills the memory, or does not fit."""
    name = next(name for name in members if name.endswith(".onnx"))
    if rng.random() < 0.3:
        content = mutated(rng, members[name])
    else:
        model = onnx.load_from_string(members[name])
        _spoil(rng, model)
        content = model.SerializeToString()
    return packed(list(with_network(members, name, content).items()))


def with_network(members: Members, name: str, content: bytes) -> Members:
    """A bundle's members with another network, and the digests that belong to it."""
    members = {**members, name: content}
    if name == "backbone.onnx":
        digest = hashlib.sha256(content).hexdigest()
        members["backbone.json"] = json.dumps({**json.loads(members["backbone.json"]), "sha256": digest}).encode()
        head = json.loads(members[MANIFEST])
        members[MANIFEST] = json.dumps({**head, "backbone": {**head["backbone"], "sha256": digest}}).encode()
    return members


def _spoil(rng: Rng, model: onnx.ModelProto) -> None:
    graph = model.graph
    constant = pick(rng, graph.initializer)
    output = graph.output[-1].name
    node = next(node for node in graph.node if output in node.output)
    match int(rng.integers(10)):
        case 0:  # weights from a file of the bundle's choice
            constant.ClearField("raw_data")
            constant.data_location = TensorProto.EXTERNAL
            entry = constant.external_data.add()
            entry.key, entry.value = "location", pick(rng, ("/etc/passwd", "../../etc/passwd", "weights.bin", "/dev/zero"))
        case 1:  # memory without end, which constant folding would allocate on opening
            size = int(pick(rng, (10, 10**6, 10**11, 10**18)))
            graph.initializer.append(helper.make_tensor("much", TensorProto.INT64, [1], [size]))
            graph.node.insert(0, helper.make_node("ConstantOfShape", ["much"], ["zeros"]))
            graph.node.insert(1, helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0))
            node.output[0] = "before"
            graph.node.append(helper.make_node("Add", ["before", "sum"], [output]))
        case 2:  # time without end
            state = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
            body_in = [
                helper.make_tensor_value_info("i", TensorProto.INT64, []),
                helper.make_tensor_value_info("go", TensorProto.BOOL, []),
                state,
            ]
            body_out = [
                helper.make_tensor_value_info("go2", TensorProto.BOOL, []),
                helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
            ]
            nodes = [helper.make_node("Identity", ["go"], ["go2"]), helper.make_node("Sin", ["x"], ["y"])]
            body = helper.make_graph(nodes, "body", body_in, body_out)
            graph.initializer.append(helper.make_tensor("times", TensorProto.INT64, [], [2**62]))
            graph.initializer.append(helper.make_tensor("true", TensorProto.BOOL, [], [1]))
            node.output[0] = "before"
            graph.node.append(helper.make_node("Loop", ["times", "true", "before"], [output], body=body))
        case 3:  # it gives another shape than it says
            graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [1], [-1]))
            node.output[0] = "before"
            graph.node.append(helper.make_node("Reshape", ["before", "shape"], ["flat"]))
            graph.node.append(helper.make_node("Unsqueeze", ["flat", "axis"], [output]))
            graph.initializer.append(helper.make_tensor("axis", TensorProto.INT64, [1], [0]))
            del graph.output[-1].type.tensor_type.shape.dim[1:]
        case 4:  # dimensions and types of inputs, outputs and constants
            value = pick(rng, (*graph.input, *graph.output))
            if rng.random() < 0.3:
                value.type.tensor_type.elem_type = int(rng.integers(0, 18))
            elif value.type.tensor_type.shape.dim:
                pick(rng, value.type.tensor_type.shape.dim).dim_value = int(pick(rng, (0, -1, 1, 7, 10**6, 10**12, 2**62)))
        case 5:
            constant.dims[:] = [int(number) for number in pick(rng, ((2**40,), (-1,), (0,), (1, 1, 1), (2**31, 2**31, 2**31), ()))]
        case 6:  # an operator of nobody's
            node.domain, node.op_type = pick(
                rng, (("evil", "Call"), ("com.microsoft", "FusedMatMul"), ("", "Nothing"), ("", "RandomNormal"))
            )
        case 7 | 8:  # any operator of ONNX's
            graft(rng, model, pick(rng, schemas()))
        case _:  # values that are no numbers
            filling = np.full(tuple(constant.dims), pick(rng, (np.nan, np.inf, 3e38)), np.float32)
            constant.raw_data = filling.tobytes()
