"""The input devices as a new process sees them: PortAudio looks for devices only when it starts, and in this process streams are open."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from edge.errors import DeviceError
from edge.sources.inputs import InputDevice

TIMEOUT_S = 20.0
_COMMAND = (sys.executable, "-m", "edge.sources.listing")


def fresh_inputs() -> list[InputDevice]:
    """Every input device there is now; their `index` means nothing in this process.

    Raises
    ------
    DeviceError : they cannot be listed, or the listing hangs
    """
    try:
        # ALSA writes to stderr about devices that were not asked for.
        listed = subprocess.run(_COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=TIMEOUT_S)
        return msgspec.json.decode(listed.stdout, type=list[InputDevice])
    except subprocess.TimeoutExpired as error:
        raise DeviceError("PortAudio", f"cannot list devices within {TIMEOUT_S:.0f} s; does the sound server answer?") from error
    except (OSError, msgspec.DecodeError) as error:
        raise DeviceError("PortAudio", f"cannot list devices ({error}); see `auscult devices`") from error
