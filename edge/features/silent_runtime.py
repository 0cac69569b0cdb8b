"""ONNX Runtime, loaded so that it sends nothing to its maker and prints nothing on the terminal: import it from here.

Errors arrive as exceptions, and we report them in our own words.
"""

from __future__ import annotations

import os

from edge.stderr import without_stderr

__all__ = ["FATAL", "ort"]

FATAL = 4  # the only severity of ONNX Runtime's own lines that may be written


# Read when the library is loaded. Microsoft's wheels would otherwise report sessions to Microsoft; nothing leaves this device but MQTT.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
with without_stderr():  # some versions look for devices as they are loaded, and complain in colours before they can be silenced
    import onnxruntime as ort

ort.set_default_logger_severity(FATAL)
