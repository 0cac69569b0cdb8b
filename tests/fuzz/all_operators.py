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
from edge.features.runtime import open_session
from tests.fuzz.grafts import graft, schemas


def main(seed: int, times: int) -> None:
    """Print how many operators there were, how often each was opened, the longest time that one took, and every refusal of many lines."""
    backbone = onnx.load_from_string((BUILT_IN / f"{DEFAULT_BACKBONE}.onnx").read_bytes())
    opened: Counter[str] = Counter()
    longest_s, odd = 0.0, []
    for number, schema in enumerate(schemas()):
        for repeat in range(times):
            model = onnx.ModelProto()
            model.CopyFrom(backbone)
            graft(np.random.default_rng([seed, number, repeat]), model, schema)
            started_s = time.perf_counter()
            try:
                open_session(model.SerializeToString(), "evil.onnx")
                opened[schema.name] += 1
            except BackboneError as error:
                if "\n" in str(error) or not str(error).endswith("; export it again"):
                    odd.append([schema.name, number, repeat, str(error)])
            longest_s = max(longest_s, time.perf_counter() - started_s)
    print(json.dumps({"operators": len(schemas()), "opened": opened, "longest_s": longest_s, "odd": odd}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
