"""What pip installs is what the repository holds: pyproject.toml against the folders, and a wheel against both."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edge.version import VERSION

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("benchmarks", "calibrate", "edge", "export")
BASE = {"faiss-cpu", "msgspec", "numpy", "onnxruntime", "paho-mqtt", "pyyaml", "sounddevice", "soundfile", "soxr"}


def pyproject() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def requirement_name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return match[0].lower()


def folders_with_python() -> list[str]:
    files = (file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
    return sorted({".".join(file.parent.relative_to(ROOT).parts) for file in files})


def data_files() -> list[str]:
    models = [file for suffix in ("onnx", "json") for file in (ROOT / "edge" / "backbones").glob(f"*.{suffix}")]
    return sorted(str(file.relative_to(ROOT)) for file in [*models, *(ROOT / room / "py.typed" for room in ROOMS)])


def test_packages_listed_are_the_folders_that_hold_python() -> None:
    assert sorted(pyproject()["tool"]["setuptools"]["packages"]) == folders_with_python()


def test_packages_each_have_an_init_file() -> None:
    assert [name for name in folders_with_python() if not (ROOT / name.replace(".", "/") / "__init__.py").is_file()] == []


def test_dependencies_base_are_the_daemons_only() -> None:
    assert {requirement_name(requirement) for requirement in pyproject()["project"]["dependencies"]} == BASE


def test_extras_dev_holds_every_other_extra() -> None:
    extras = pyproject()["project"]["optional-dependencies"]
    (everything,) = [requirement for requirement in extras["dev"] if requirement.startswith("auscult[")]
    assert set(everything[len("auscult[") : -1].split(",")) == set(extras) - {"dev"}


def test_wheel_built_from_a_copy_holds_every_module_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77", reason="builds with the setuptools of the [dev] extra, without network")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "auscult.py"):
        shutil.copy(ROOT / name, source)
    for room in (*ROOMS, "tests", "systemd"):
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), "."]
    subprocess.run(command, cwd=source, check=True, timeout=100)
    with zipfile.ZipFile(tmp_path / f"auscult-{VERSION}-py3-none-any.whl") as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        entry_points = wheel.read(f"auscult-{VERSION}.dist-info/entry_points.txt").decode()
    modules = {str(file.relative_to(ROOT)) for room in ROOMS for file in (ROOT / room).rglob("*.py")}
    assert names == modules | set(data_files()) | {"auscult.py"}
    assert "auscult = auscult:main" in entry_points
