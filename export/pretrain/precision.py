"""The precision in which a trunk is trained: half precision is twice as fast, on processors that have it."""

from __future__ import annotations

import torch


def precision_named(name: str, device: torch.device) -> str:
    """What `--precision` asks for: "float32" or "bfloat16"; for "auto", bfloat16 where the device has it."""
    if name != "auto":
        return name
    if device.type == "cuda":
        has_bfloat16 = torch.cuda.is_bf16_supported()
    else:
        has_mkldnn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        has_bfloat16 = has_mkldnn and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return "bfloat16" if has_bfloat16 else "float32"
