from __future__ import annotations

import pytest
import torch

from export.pretrain.precision import precision_named


@pytest.mark.parametrize(("has", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_precision_named_is_that_of_the_processor_by_default(has: bool, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has)
    assert precision_named("auto", torch.device("cpu")) == precision
    assert precision_named("float32", torch.device("cpu")) == "float32"
    assert precision_named("bfloat16", torch.device("cpu")) == "bfloat16"
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert precision_named("auto", torch.device("cpu")) == "float32"
