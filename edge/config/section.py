"""What the sections of config.yaml share: their base, and types of values that several of them use."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edge.whole_text import whole

NAME_PATTERN = whole("[a-zA-Z0-9_-]+")
NAME_RULE = "a name of letters, digits, _ and - (it becomes part of an MQTT topic)"

Name = Annotated[str, Meta(pattern=NAME_PATTERN, max_length=64, description=NAME_RULE)]
Text = Annotated[str, Meta(min_length=1, description="text")]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
Seconds = Annotated[float, Meta(ge=0, le=86_400, description="seconds, from 0 to 86400")]
IntervalSeconds = Annotated[float, Meta(ge=0.5, le=86_400, description="seconds, from 0.5 to 86400")]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping in config.yaml."""
