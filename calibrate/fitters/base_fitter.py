"""What every fitter needs."""

from __future__ import annotations

from typing import Generic, TypeVar

from edge.features.any_backbone import AnyBackbone
from edge.features.frontend import CELL_MELS, mels_below
from edge.judgement.heads import Mode

Settings = TypeVar("Settings")
SomeBackbone = TypeVar("SomeBackbone", bound=AnyBackbone)


class BaseFitter(Generic[Settings, SomeBackbone]):
    """A backbone, the bandwidth of the recordings, and the settings; how to fit is each fitter's own (`Fitter`)."""

    def __init__(self, backbone: SomeBackbone, bandwidth_hz: float, settings: Settings, mode: Mode = "stream") -> None:
        self._backbone = backbone
        self._bandwidth_hz = bandwidth_hz
        self._settings = settings
        self._mode: Mode = mode

    @property
    def _bands(self) -> int:
        """Mel bands of cells that hold sound."""
        return mels_below(self._backbone.front_end, self._bandwidth_hz) // CELL_MELS
