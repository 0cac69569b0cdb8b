"""What pip installs is what the repository holds: pyproject.toml against the folders, and a wheel against both."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edge.version import VERSION

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("benchmarks", "calibrate", "edge", "export")
BASE = {"faiss-cpu", "msgspec", "numpy", "onnxruntime", "paho-mqtt", "pyyaml", "sounddevice", "soundfile", "soxr"}


LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PLACES = [
    {"python_version": python, "python_full_version": f"{python}.0", "platform_machine": machine}
    for python in ("3.10", "3.11", "3.12", "3.13")
    for machine in ("x86_64", "aarch64")
]
WITH_TORCH = {"train", "export", "dev"}


def pyproject() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def requirement_name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return match[0].lower()


def logical_lines(lock: Path) -> list[str]:
    """The lines of a lock as pip joins them, without comments."""
    lines = [line for line in lock.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return "\n".join(lines).replace(" \\\n", "").splitlines()


def pins(name: str, place: dict[str, str]) -> dict[str, str]:
    """What `requirements/<name>.lock` installs at a place: versions by name. PyTorch comes from its own lock."""
    names = [name, "torch"] if name in WITH_TORCH else [name]
    found: dict[str, str] = {}
    for line in (line for file in names for line in logical_lines(ROOT / "requirements" / f"{file}.lock")):
        requirement = Requirement(line.partition(" --hash")[0])
        if requirement.marker is None or requirement.marker.evaluate(dict(place)):
            (pin,) = requirement.specifier
            assert found.setdefault(requirement.name, pin.version) == pin.version, f"{name}: two versions of {requirement.name}"
    return found


def wanted(name: str) -> list[Requirement]:
    """What pyproject.toml asks for: `build`, `base`, or the base and an extra."""
    project = pyproject()
    extras = project["project"]["optional-dependencies"]
    if name == "build":
        return [Requirement(text) for text in project["build-system"]["requires"]]
    asked = [*project["project"]["dependencies"], *extras.get(name, [])]
    if name == "dev":
        asked += [text for extra in extras if extra != "dev" for text in extras[extra]]
    return [Requirement(text) for text in asked if not text.startswith("auscult[")]


def folders_with_python() -> list[str]:
    files = (file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
    return sorted({".".join(file.parent.relative_to(ROOT).parts) for file in files})


def data_files() -> list[str]:
    models = [file for suffix in ("onnx", "json") for file in (ROOT / "edge" / "backbones").glob(f"*.{suffix}")]
    page = (ROOT / "edge" / "dashboard" / "static").iterdir()
    return sorted(str(file.relative_to(ROOT)) for file in [*models, *page, *(ROOT / room / "py.typed" for room in ROOMS)])


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


def test_locks_are_there_for_the_base_and_every_extra() -> None:
    assert {lock.stem for lock in LOCKS} == {"base", "build", "torch"} | set(pyproject()["project"]["optional-dependencies"])


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_lock_holds_exact_versions_with_hashes_and_no_address(lock: Path) -> None:
    lines = logical_lines(lock)
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; [^#]+?)?(    --hash=sha256:[0-9a-f]{64})+", line), line
    assert not re.search(r"://|--(extra-)?index|--find-links|[a-z]\.(org|com|io)\b", lock.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [lock.stem for lock in LOCKS if lock.stem != "torch"])
def test_lock_satisfies_what_pyproject_asks_for_on_every_python(name: str) -> None:
    for place in PLACES:
        locked = pins(name, place)
        for requirement in wanted(name):
            assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), (
                f"requirements/{name}.lock does not fit `{requirement}`; run: make lock"
            )


@pytest.mark.parametrize("name", [lock.stem for lock in LOCKS if lock.stem not in ("dev", "torch", "build")])
def test_locks_agree_with_each_other(name: str) -> None:
    for place in PLACES:
        assert pins(name, place).items() <= pins("dev", place).items()


@pytest.mark.parametrize("name", [lock.stem for lock in LOCKS if lock.stem != "torch"])
def test_lock_holds_what_its_packages_need_in_turn(name: str) -> None:
    """Else `pip --require-hashes` refuses the whole lock. Seen from this interpreter, by the packages that it has in the locked version."""
    here = {key: str(value) for key, value in default_environment().items()}
    locked = pins(name, here)
    looked_at = 0
    for package, pinned in locked.items():
        try:
            if version(package).partition("+")[0] != pinned:
                continue
        except PackageNotFoundError:
            continue
        looked_at += 1
        needed = [Requirement(text) for text in requires(package) or ()]
        needed = [need for need in needed if need.marker is None or need.marker.evaluate(here | {"extra": ""})]
        assert {canonicalize_name(need.name) for need in needed} <= set(locked), package
    assert looked_at > 0 or name == "build"


@pytest.mark.slow
def test_copy_for_a_device_takes_no_package_that_was_tampered_with(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for package, pinned in pins("base", {key: str(value) for key, value in default_environment().items()}).items():
        (wheels / f"{package.replace('-', '_')}-{pinned}-py3-none-any.whl").write_bytes(b"not what its author published")
    environment = os.environ | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PYTHON": sys.executable}
    command = [str(ROOT / ".ci" / "setup"), "copy", str(tmp_path / "opt")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert "requirements/base.lock" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "opt").glob("lib/python*/site-packages/numpy*"))


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
