"""The device's part runs where torch and the other large packages are not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCKED = ["torch", "onnx", "sklearn", "matplotlib", "amqtt", "dask", "distributed", "cryptography"]

# The fitters that train a network import torch inside the function that trains: every module can be imported without it.
PROGRAM = """
import importlib, json, pkgutil, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r} (blocked by the test)", name=name)

blocked, roots = json.loads(sys.argv[1])
sys.meta_path.insert(0, Blocker())
imported = []
for root in roots:
    package = importlib.import_module(root)
    for found in pkgutil.walk_packages(getattr(package, '__path__', []), root + "."):
        if not found.name.endswith(".__main__"):
            importlib.import_module(found.name)
            imported.append(found.name)
assert not set(blocked) & {name.partition(".")[0] for name in sys.modules}
rooms = {name.partition(".")[0] for name in sys.modules} & {"export", "calibrate", "benchmarks"}
strangers = rooms - {root.partition(".")[0] for root in roots}
print(json.dumps([imported, sorted(strangers)]))
"""


def _import_all(blocked: list[str], roots: list[str]) -> tuple[list[str], list[str]]:
    """The modules imported, and the rooms that they brought along."""
    command = [sys.executable, "-W", "error::ImportWarning", "-c", PROGRAM, json.dumps([blocked, roots])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    imported, strangers = json.loads(done.stdout)
    return imported, strangers


def test_edge_imports_without_large_packages_and_other_rooms() -> None:
    imported, strangers = _import_all(BLOCKED, ["edge"])
    assert "edge.commands.run" in imported
    assert strangers == []


def test_calibrate_imports_without_large_packages() -> None:
    imported, strangers = _import_all(BLOCKED, ["calibrate"])
    assert "calibrate.commands.calibrate" in imported
    assert "benchmarks" not in strangers


def test_export_command_explains_itself_without_torch() -> None:
    _import_all(BLOCKED, ["export.commands.export"])


def test_synthesis_needs_numpy_only() -> None:
    _import_all([*BLOCKED, "onnxruntime", "faiss", "paho", "soxr", "soundfile", "sounddevice"], ["export.synthesis"])
