"""A backbone's card: the JSON file beside its .onnx that says what it is and where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edge.errors import BackboneError

CARD_SCHEMA = 1
MAXIMUM_BYTES = 1 << 20  # parsed it takes many times as much


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a backbone is, what it was trained on, and how well its forms agree."""

    schema: int = CARD_SCHEMA
    name: str
    precision: str  # "fp32" | "int8"
    front_end: str  # a key of edge.features.frontend.FRONT_ENDS
    sha256: str  # hex, of the .onnx file
    training_data: list[str]
    calibration_data: list[str] = []  # what batch norms and int8 ranges were calibrated on
    licence: str
    seed: int | None = None
    parity: dict[str, Any] = {}
    protocol: dict[str, Any] = {}  # ROC AUC on benchmarks/PROTOCOL.md, measured once the backbone was there
    faster_on_this_board: str | None = None


def read_card(path: Path) -> Card:
    """Read the card at `path`; BackboneError in one line when it is missing, damaged or of a newer schema."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BackboneError(path, f"cannot be read ({error.strerror}); a backbone's card lies beside its .onnx file") from error
    return decode_card(content, path)


def decode_card(content: bytes, subject: object) -> Card:
    """Decode a card that `subject` holds; BackboneError in one line when it is damaged or of a newer schema."""
    if len(content) > MAXIMUM_BYTES:
        raise BackboneError(subject, f"is not a backbone's card (larger than {MAXIMUM_BYTES // 1024} KB); export the backbone again")
    try:
        card = msgspec.json.decode(content, type=Card)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BackboneError(subject, f"is not a backbone's card ({error}); export the backbone again") from error
    if card.schema != CARD_SCHEMA:
        raise BackboneError(subject, f"has card schema {card.schema}, this version reads {CARD_SCHEMA}; upgrade Auscult")
    return card
