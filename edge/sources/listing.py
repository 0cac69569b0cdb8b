"""The input devices as this process sees them, as JSON: `python -m edge.sources.listing` (see edge/sources/fresh_inputs.py)."""

from __future__ import annotations

import sys

import msgspec

from edge.sources.portaudio import list_inputs

if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(list_inputs()))
