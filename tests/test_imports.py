"""The device's part runs where torch and the other large packages are not installed, and no module needs itself."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("edge", "export", "calibrate", "benchmarks")
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


def test_daemon_without_the_extra_has_nothing_of_the_dashboard() -> None:
    """`auscult run`, and all else but the page's own command and room, is what it was before there was a page."""
    names = [path.relative_to(ROOT).with_suffix("").parts for path in (ROOT / "edge").rglob("*.py")]
    modules = [".".join(parts).removesuffix(".__init__") for parts in names if "__main__" not in parts and "dashboard" not in parts]
    program = (
        "import importlib, sys, json\n"
        "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
        "found = {name for name in sys.modules if name.startswith('edge.dashboard')} | {'starlette', 'uvicorn'} & set(sys.modules)\n"
        "assert not found, found"
    )
    assert "edge.commands.run" in modules
    command = [sys.executable, "-c", program, json.dumps(modules)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def test_calibrate_imports_without_large_packages() -> None:
    imported, strangers = _import_all(BLOCKED, ["calibrate"])
    assert "calibrate.commands.calibrate" in imported
    assert "benchmarks" not in strangers


def test_export_command_explains_itself_without_torch() -> None:
    _import_all(BLOCKED, ["export.commands.export"])


def test_pipeline_imports_without_faiss() -> None:
    """Which 13 MB are for bundles whose bands share a bank."""
    _import_all([*BLOCKED, "faiss"], ["edge.commands.run", "edge.pipeline"])


def test_synthesis_needs_numpy_only() -> None:
    _import_all([*BLOCKED, "onnxruntime", "faiss", "paho", "soxr", "soundfile", "sounddevice"], ["export.synthesis"])


def _modules() -> dict[str, Path]:
    """All modules of the rooms, by name."""
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def _imported(tree: ast.AST, modules: dict[str, Path]) -> Iterator[str]:
    """The modules of ours that one imports, wherever in it, and for types alone too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in modules else node.module


def _graph(sources: dict[str, str]) -> dict[str, set[str]]:
    modules = dict.fromkeys(sources, ROOT)
    return {name: set(_imported(ast.parse(text), modules)) for name, text in sources.items()}


def test_imports_have_no_circle() -> None:
    graph = _graph({name: path.read_text(encoding="utf-8") for name, path in _modules().items()})
    assert graph["edge.node.daemon"] > {"edge.node.reload", "edge.node.source_worker"}
    TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_imports_for_types_alone_count_as_a_circle() -> None:
    sources = {
        "a": "import b",
        "b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from c import thing",
        "c": "def f():\n    import a",
    }
    with pytest.raises(CycleError):
        TopologicalSorter(_graph(sources)).prepare()
