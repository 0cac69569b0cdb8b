"""Graft every operator of ONNX onto a backbone, N times each, and open it: `python -m tests.fuzz.all_operators SEED N`."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter

import numpy as np
import onnx

from edge.errors import BackboneError
from edge.features.backbone import BUILT_IN, DEFAULT_BACKBONE
from edge.features.protobuf import LENGTH
from edge.features.runtime import open_session
from tests.fuzz.grafts import graft, schemas


def main(seed: int, times: int) -> None:
    """Print how many operators there were, how often each was opened, the longest time that one took, and every refusal of many lines."""
    backbone = onnx.load_from_string((BUILT_IN / f"{DEFAULT_BACKBONE}.onnx").read_bytes())
    weights = taken_off(backbone)
    opened: Counter[str] = Counter()
    longest_s, odd = 0.0, []
    for number, schema in enumerate(schemas()):
        for repeat in range(times):
            model = onnx.ModelProto()
            model.CopyFrom(backbone)
            graft(np.random.default_rng([seed, number, repeat]), model, schema)
            started_s = time.perf_counter()
            try:
                open_session(put_back(model, weights), "evil.onnx")
                opened[schema.name] += 1
            except BackboneError as error:
                if "\n" in str(error) or not str(error).endswith("; export it again"):
                    odd.append([schema.name, number, repeat, str(error)])
            longest_s = max(longest_s, time.perf_counter() - started_s)
    print(json.dumps({"operators": len(schemas()), "opened": opened, "longest_s": longest_s, "odd": odd}))


def taken_off(model: onnx.ModelProto) -> bytes:
    """The weights of a network, as its file holds them: copied and written each time they would take most of the time."""
    weights = onnx.GraphProto(initializer=model.graph.initializer)
    model.graph.ClearField("initializer")
    return bytes(weights.SerializeToString())


def put_back(model: onnx.ModelProto, weights: bytes) -> bytes:
    """The file of a network without weights, with them: the fields of a message may come in any order."""
    graph = model.graph.SerializeToString() + weights
    model.ClearField("graph")
    key = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number << 3 | LENGTH
    return bytes(model.SerializeToString() + bytes([key]) + varint(len(graph)) + graph)


def varint(number: int) -> bytes:
    """A number of seven bits per byte."""
    return bytes([*(number >> shift & 0x7F | 0x80 for shift in range(0, 28, 7)), number >> 28])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
