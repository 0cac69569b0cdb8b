"""The device on which a network is trained: a GPU if there is one, unless `--device` says otherwise."""

from __future__ import annotations

import torch

from edge.errors import UserError

DEVICES = ("auto", "cpu", "cuda")


def device_named(name: str) -> torch.device:
    """The device for one of `DEVICES`; UserError when a GPU is asked for and there is none."""
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise UserError("--device cuda", "no GPU that this torch can use; leave it out, or give --device cpu")
    return torch.device("cuda" if name != "cpu" and has_cuda else "cpu")
