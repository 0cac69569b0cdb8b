from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_runtime_reports_nothing_to_its_maker(tmp_path: Path) -> None:
    """ONNX Runtime's own telemetry would name the device in a file under HOME, and call home."""
    code = "import edge.features.runtime; from edge.features.backbone import Backbone; Backbone.load('cnn14-random')"
    environment = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**environment, "HOME": str(tmp_path)}, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []
