"""CNN14 blocks 1-4 as a stateful ONNX graph: every frame is computed once, whatever the window and hop.

Each 3x3 convolution keeps its last two input frames as state, so blocks 2, 3 and 4 come out two of their own cells late
(8, 16 and 32 frames). Here the finer blocks wait for block 4: all features are exactly one block of 32 frames late.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import BackboneError
from edge.features.card import Card, read_card
from edge.features.frontend import BLOCK_FRAMES, FrontEnd, front_end_named
from edge.features.runtime import open_session

if TYPE_CHECKING:
    import onnxruntime as ort

Float32 = NDArray[np.float32]

BUILT_IN = Path(__file__).parents[1] / "backbones"
DEFAULT_BACKBONE = "cnn14-distilled"
BLOCK_SHAPES = {"block2": (8, 16, 128), "block3": (4, 8, 256), "block4": (2, 4, 512)}  # (time, mel, channel) of 32 frames
MOST_STATE = 1 << 24  # numbers in one state: far more than any, and far less than would fill a board
NUMPY_TYPES: dict[str, type[np.generic]] = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


@dataclass(frozen=True, slots=True)
class Features:
    """CNN14's features of the same 32 frames, one block late. The arrays are views that the next push overwrites."""

    block2: Float32  # (8, 16, 128) float32: (time, mel, channel), one cell each
    block3: Float32  # (4, 8, 256) float32
    block4: Float32  # (2, 4, 512) float32


class Backbone:
    """A loaded backbone: one ONNX Runtime session, shared by all streams."""

    has_network = True
    _loaded_from: tuple[Path, tuple[str, ...], int] | None = None

    def __init__(self, model: bytes, card: Card, subject: object, providers: tuple[str, ...] = ("cpu",), threads: int = 1) -> None:
        """`model` is the ONNX file's content; BackboneError when it is not the graph that `card` describes."""
        self.sha256 = hashlib.sha256(model).hexdigest()
        if self.sha256 != card.sha256:
            raise BackboneError(subject, "does not match the sha256 on its card; copy both files again or export again")
        self.card = card
        self.name = card.name
        self.precision = card.precision
        self.front_end: FrontEnd = front_end_named(card.front_end, subject)
        self.session: ort.InferenceSession = open_session(model, subject, providers, threads)
        values = {value.name: value for value in [*self.session.get_inputs(), *self.session.get_outputs()]}
        states = [value for name, value in values.items() if name.startswith("state_")]
        if not (
            {"log_mel", "block2", "block3", "block4"} <= set(values)
            and all(f"next_{state.name.removeprefix('state_')}" in values and state.type in NUMPY_TYPES for state in states)
            and all(isinstance(length, int) and length > 0 for state in states for length in state.shape)
            and all(math.prod(state.shape) <= MOST_STATE for state in states)
            and all(values[name].shape[1:] == list(shape[1:]) for name, shape in BLOCK_SHAPES.items())
        ):
            raise BackboneError(subject, "is not a streaming CNN14 graph; make one with `auscult export`")
        try:
            self.stream().push(np.zeros((BLOCK_FRAMES, self.front_end.mel_bands), np.float32))
        except Exception as error:  # ONNX Runtime has no common base class for what it raises
            raise BackboneError(subject, "cannot compute a block of sound; make one with `auscult export`") from error

    @classmethod
    def load(cls, name_or_path: str | Path, providers: tuple[str, ...] = ("cpu",), threads: int = 1) -> Backbone:
        """Load a built-in backbone by name, or an exported one by the path of its .onnx file (with its card beside it)."""
        path = Path(name_or_path)
        if path.suffix != ".onnx":
            built_in = sorted(p.stem for p in BUILT_IN.glob("*.onnx"))
            if str(name_or_path) not in built_in:
                names = ", ".join([*built_in, "logmel", "logmel-16k"])
                raise BackboneError(name_or_path, f"no such backbone; built in are: {names}; or give the path of an .onnx file")
            path = BUILT_IN / f"{name_or_path}.onnx"
        try:
            model = path.read_bytes()
        except OSError as error:
            raise BackboneError(path, f"cannot be read ({error.strerror}); give the path of an exported .onnx file") from error
        backbone = cls(model, read_card(path.with_suffix(".json")), path, providers, threads)
        backbone._loaded_from = (path, providers, threads)
        return backbone

    def __reduce__(self) -> tuple[Callable[..., Backbone], tuple[object, ...]]:
        """Another process loads the same file again."""
        if self._loaded_from is None:
            raise TypeError("only a backbone that was loaded from a file can be pickled")
        return _loaded_again, (*self._loaded_from, self.sha256)

    def stream(self) -> BackboneStream:
        """A new stream with empty state."""
        return BackboneStream(self)


def _loaded_again(path: Path, providers: tuple[str, ...], threads: int, sha256: str) -> Backbone:
    backbone = Backbone.load(path, providers, threads)
    if backbone.sha256 != sha256:
        raise BackboneError(path, "was replaced while it was in use; run the command again")
    return backbone


class BackboneStream:
    """The state of one stream through the backbone. All buffers are bound once; a push allocates nothing."""

    def __init__(self, backbone: Backbone) -> None:
        session = backbone.session
        self._session = session
        self._log_mel = np.zeros((1, 1, BLOCK_FRAMES, backbone.front_end.mel_bands), np.float32)
        # Block 2 and block 3 wait for block 4: 6 and 2 of their cells are kept from before.
        self._block2 = np.zeros((6 + 8, 16, 128), np.float32)  # (time, mel, channel)
        self._block3 = np.zeros((2 + 4, 8, 256), np.float32)
        self._block4 = np.zeros((2, 4, 512), np.float32)
        self.features = Features(self._block2[:8], self._block3[:4], self._block4)
        states = {
            value.name.removeprefix("state_"): (
                np.zeros(value.shape, NUMPY_TYPES[value.type]),
                np.zeros(value.shape, NUMPY_TYPES[value.type]),
            )
            for value in session.get_inputs()
            if value.name.startswith("state_")
        }
        self._bindings = [self._bind(states, now, 1 - now) for now in (0, 1)]  # states ping-pong between two buffers
        self._states = states  # keeps the buffers alive
        self._turn = 0

    def push(self, log_mel: Float32) -> Features:
        """Advance by one block of level-normalised log-mel, shape = (32, mel) float32; return the features of the block before it."""
        self._block2[:6] = self._block2[8:]
        self._block3[:2] = self._block3[4:]
        self._log_mel[0, 0] = log_mel
        self._session.run_with_iobinding(self._bindings[self._turn])
        self._turn = 1 - self._turn
        return self.features

    def _bind(self, states: dict[str, tuple[NDArray[Any], NDArray[Any]]], source: int, target: int) -> ort.IOBinding:
        binding = self._session.io_binding()
        for name, array in [("log_mel", self._log_mel)] + [(f"state_{name}", pair[source]) for name, pair in states.items()]:
            binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        outputs = [("block2", self._block2[6:]), ("block3", self._block3[2:]), ("block4", self._block4)]
        for name, array in outputs + [(f"next_{name}", pair[target]) for name, pair in states.items()]:
            binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        return binding
