"""The interface of the parity gates: export knows that there are gates, but not which.

`export.parity` compares features. What compares maps, scores and alarms needs detectors, which are built on top of this room; so it is
handed in from outside, as one more `Gate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from edge.errors import AuscultError
from edge.features.backbone import Backbone
from export.sound import Clip
from export.trunk import Float32Array, Precision

Side = Literal["most", "least"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backbone in both precisions, before anything is written: as `edge` would load it."""

    fp32: Backbone
    int8: Backbone
    models: Mapping[Precision, bytes]  # content of the .onnx files
    clips: tuple[Clip, ...]  # sound that neither batch norms nor int8 ranges were calibrated on
    torch_offline: Callable[[Float32Array], Mapping[str, Float32Array]]  # (time, mel) -> block2 .. block4, each (time, mel, channel)


def check_bound(subject: object, name: str, value: float, side: Side, bound: float) -> None:
    """AuscultError that names the figure when `value` is more than `bound`, at side "most", or less than it, at side "least"."""
    if not (value <= bound if side == "most" else value >= bound):  # written so that NaN is outside
        raise AuscultError(subject, f"fails the parity gate: {name} is {value:.3g}, may be at {side} {bound:g}; nothing was written")


class Gate(Protocol):
    """Compares the two precisions of a candidate."""

    name: str  # the key of its figures on the card

    def __call__(self, candidate: Candidate) -> Mapping[str, object]:
        """Return figures that JSON can hold; AuscultError, naming the figure and its bound, when one is outside."""
        ...
