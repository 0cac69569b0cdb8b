"""ONNX Runtime, loaded so that nothing of it reaches its maker or the terminal: import it from here.

What goes wrong comes back as an exception, and is told in a line of ours.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

__all__ = ["FATAL", "ort"]

FATAL = 4  # the only severity of ONNX Runtime's own lines that may be written


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """What is written to the file descriptor goes nowhere."""
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


# Read when the library is loaded. Microsoft's wheels would otherwise report sessions to Microsoft; nothing leaves this device but MQTT.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
with _without_stderr():  # some versions look for devices as they are loaded, and complain in colours before they can be told not to
    import onnxruntime as ort

ort.set_default_logger_severity(FATAL)
