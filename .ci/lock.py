"""Writes requirements/*.lock: the exact versions, with the hashes of their wheels, that Auscult and each of its extras are installed from.

    make lock       the newest versions that pyproject.toml allows

`base.lock` is what a device gets, `build.lock` what the package itself is built with, `EXTRA.lock` the base and that extra. PyTorch has
builds for the CPU and for CUDA under one version, with different hashes and different packages beside it. So the locks of the extras that
need it leave it out, and `torch.lock` holds the build with CUDA.

uv resolves, for all versions of Python at once. What it found is then held against the promise: Linux, x86-64 and aarch64, a glibc as old
as JetPack 6's, and a wheel for each. Hashes of other files are left out. No address of a registry is written: pip asks the one it always
asks.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
UV = Path(sys.executable).with_name("uv")  # `make lock` installs it beside the interpreter
PROMISED = (10, 11, 12, 13)  # minor versions of Python 3
MINORS = (*PROMISED, 14)  # the last one as far as there are wheels
MACHINES = ("x86_64", "aarch64")
GLIBC_MINOR = 35  # of Ubuntu 22.04, on which JetPack 6 stands; Raspberry Pi OS 12 has 2.36
CUDA_BUILD = ("torch", "triton", "nvidia-", "cuda-")  # names, and beginnings of names

Place = tuple[int, str]  # a minor version of Python, a machine
PLACES: tuple[Place, ...] = tuple((minor, machine) for minor in MINORS for machine in MACHINES)


@dataclass(slots=True)
class Pin:
    """One version of one package."""

    name: str
    version: str
    places: list[Place]  # where it is this version that is installed
    hashes: set[str] = field(default_factory=set)  # of the wheels that fit one of the places

    @property
    def requirement(self) -> str:
        """As pip reads it, without hashes."""
        marker = _marker(self.places)
        return f"{self.name}=={self.version}" + (f" ; {marker}" if marker else "")

    @property
    def is_of_cuda_build(self) -> bool:
        """Whether it is PyTorch, or comes with its build for CUDA only."""
        return self.name == "torch" or self.name.startswith(CUDA_BUILD[1:])


def main() -> int:
    """Resolve everything first, then write: a failure leaves the old locks as they were."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    extras = [name for name in project["project"]["optional-dependencies"] if name != "dev"]
    everything = resolve(ROOT / "pyproject.toml", "--extra", "dev")
    with tempfile.TemporaryDirectory() as folder:
        # One version of each package in all locks, so that two of them can be installed together.
        same = Path(folder) / "same.txt"
        same.write_text("".join(f"{pin.requirement}\n" for pin in everything), encoding="utf-8")
        build = Path(folder) / "build.in"
        build.write_text("\n".join(project["build-system"]["requires"]), encoding="utf-8")
        locks = {"build": resolve(build, "--constraint", same), "base": resolve(ROOT / "pyproject.toml", "--constraint", same)}
        for extra in extras:
            locks[extra] = resolve(ROOT / "pyproject.toml", "--extra", extra, "--constraint", same)
    locks["dev"] = everything
    locks["torch"] = [pin for pin in everything if pin.is_of_cuda_build]
    FOLDER.mkdir(exist_ok=True)
    for name, pins in locks.items():
        kept = pins if name == "torch" else [pin for pin in pins if not pin.is_of_cuda_build]
        write(FOLDER / f"{name}.lock", heading(name, leaves_out=len(pins) - len(kept) > 0), kept)
    return 0


def resolve(source: Path, *options: str | Path) -> list[Pin]:
    """What uv takes for `source`, by name; exits with a line when a promised place has no wheel of it."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "pylock.toml"
        command: list[str | Path] = [UV, "--quiet", "--no-config", "pip", "compile", source, *options]
        command += ["--universal", "--python-version", f"3.{MINORS[0]}", "--only-binary", ":all:", "--output-file", output]
        if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
            raise SystemExit(f"auscult: uv could not resolve {source.name} {' '.join(map(str, options))}")
        with output.open("rb") as file:
            packages = tomllib.load(file)["packages"]
    pins = [pin for package in packages if (pin := examine(package)).places]
    return sorted(pins, key=lambda pin: (pin.name, pin.places))


def examine(package: dict[str, Any]) -> Pin:
    """Where the package is needed, and which of its wheels serve there."""
    marker = Marker(package["marker"]) if "marker" in package else None
    places = [place for place in PLACES if marker is None or marker.evaluate(environment(place))]
    pin = Pin(package["name"], package["version"], places)
    wheels = [(parse_wheel_filename(wheel["url"].rpartition("/")[2])[3], wheel["hashes"]["sha256"]) for wheel in package["wheels"]]
    for minor, machine in places:
        tags = _tags(minor, machine)
        fitting = {sha256 for wheel_tags, sha256 in wheels if not tags.isdisjoint(wheel_tags)}
        pin.hashes |= fitting
        if not fitting:
            told = f"{pin.name} {pin.version} has no wheel for Python 3.{minor}, {machine}, glibc 2.{GLIBC_MINOR}"
            if minor in PROMISED:
                raise SystemExit(f"auscult: {told}; bound it in pyproject.toml")
            print(f"auscult: {told}", file=sys.stderr)
    return pin


def write(path: Path, comment: str, pins: Sequence[Pin]) -> None:
    """In the form that pip reads: a requirement and its hashes on one logical line."""
    lines = [f"# {line}\n" for line in comment.splitlines()]
    for pin in pins:
        lines.append(" \\\n    ".join([pin.requirement, *(f"--hash=sha256:{sha256}" for sha256 in sorted(pin.hashes))]) + "\n")
    path.write_text("".join(lines), encoding="utf-8")


def heading(name: str, *, leaves_out: bool) -> str:
    """What stands above the pins."""
    what = {
        "base": "What a device needs: auscult without extras",
        "build": "What the package itself is built with",
        "torch": "PyTorch with CUDA, which the locks of the extras leave out",
    }.get(name, f"auscult[{name}], the base included")
    text = f"{what}; Linux on x86-64 and aarch64. Written by `make lock`."
    return f"{text}\nWithout PyTorch: install the build for the CPU yourself, or torch.lock beside this." if leaves_out else text


def environment(place: Place) -> dict[str, str]:
    """What the markers of requirements are evaluated with."""
    minor, machine = place
    return {
        "implementation_name": "cpython",
        "implementation_version": f"3.{minor}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"3.{minor}.0",
        "python_version": f"3.{minor}",
        "sys_platform": "linux",
    }


def platforms(machine: str) -> list[str]:
    """The platform tags of wheels that run there, with the oldest glibc."""
    old = ["manylinux2014", "manylinux2010", "manylinux1"] if machine == "x86_64" else ["manylinux2014"]
    return [f"{name}_{machine}" for name in (*(f"manylinux_2_{glibc}" for glibc in range(GLIBC_MINOR, 4, -1)), *old, "linux")]


def _tags(minor: int, machine: str) -> set[Tag]:
    """All that pip takes on an interpreter of that version and the oldest glibc."""
    names = platforms(machine)
    return {*cpython_tags((3, minor), platforms=names), *compatible_tags((3, minor), f"cp3{minor}", names)}


def _marker(places: Sequence[Place]) -> str:
    """The shortest environment marker that is true at exactly these places; beyond the last version it stays as it is there."""
    minors = sorted({minor for minor, _ in places})
    machines = [machine for machine in MACHINES if any(place[1] == machine for place in places)]
    first, last = minors[0], minors[-1]
    if sorted(places) != sorted((minor, machine) for minor in range(first, last + 1) for machine in machines):
        raise SystemExit(f"auscult: no simple marker says {places}")
    if first == last != MINORS[-1]:
        parts = [f"python_version == '3.{first}'"]
    else:
        parts = [f"python_version >= '3.{first}'"] if first != MINORS[0] else []
        parts += [f"python_version <= '3.{last}'"] if last != MINORS[-1] else []
    parts += [f"platform_machine == '{machines[0]}'"] if len(machines) != len(MACHINES) else []
    return " and ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
