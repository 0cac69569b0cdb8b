"""One message on its way to the broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Message:
    """What is published and how; `expiry_s` is MQTT 5's message expiry interval and is left out in MQTT 3.1.1."""

    topic: str
    payload: bytes
    qos: Literal[0, 1] = 1
    retain: bool = False
    expiry_s: int | None = None
