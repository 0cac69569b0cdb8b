"""Check that the interpreter and the packages that the daemon needs are installed and can be loaded."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Mapping, Sequence

from edge.doctor.finding import Finding, fail, ok, warn

OLDEST_PYTHON = (3, 10)
# What is imported -> what pip installs. ONNX Runtime is imported by way of our module, which silences it first.
PACKAGES: Mapping[str, str] = {
    "numpy": "numpy",
    "edge.features.silent_runtime": "onnxruntime",
    "faiss": "faiss-cpu",
    "msgspec": "msgspec",
    "yaml": "pyyaml",
    "paho.mqtt.client": "paho-mqtt",
    "soundfile": "soundfile",
    "soxr": "soxr",
}


def check_software(packages: Mapping[str, str] = PACKAGES, python: Sequence[int] = tuple(sys.version_info[:3])) -> Finding:
    """Import each package; nothing else of the doctor works without them."""
    check = "software"
    if tuple(python[:2]) < OLDEST_PYTHON:
        return fail(check, f"Python {'.'.join(map(str, python))} is too old", "install Auscult with Python 3.10 or newer")
    broken = [f"{name} ({problem})" for module, name in packages.items() if (problem := _import_problem(module))]
    if broken:
        names = " ".join(entry.partition(" (")[0] for entry in broken)
        return fail(
            check, f"cannot be loaded: {', '.join(broken)}", f"install again: {sys.executable} -m pip install --force-reinstall {names}"
        )
    return ok(check, f"Python {'.'.join(map(str, python))} on {platform.machine()}, ONNX Runtime {_onnxruntime_version()}")


def check_providers(wanted: Sequence[str]) -> Finding:
    """Whether this ONNX Runtime has the providers that config.yaml prefers; the CPU is always there."""
    from edge.features.runtime import PROVIDERS
    from edge.features.silent_runtime import ort

    check = "inference"
    present = ort.get_available_providers()
    missing = [name for name in wanted if PROVIDERS[name] not in present]
    if not missing:
        return ok(check, f"runs on {wanted[0]}")
    left = next((name for name in wanted if name not in missing), "cpu")
    return warn(
        check,
        f"this ONNX Runtime has no provider {', '.join(missing)}; inference runs on {left}",
        "install NVIDIA's build of it, or remove them from inference.providers",
    )


def _import_problem(module: str) -> str | None:
    """Why a module cannot be imported; None when it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken wheel raises what it likes
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None


def _onnxruntime_version() -> str:
    from edge.features.silent_runtime import ort

    return str(ort.__version__)
