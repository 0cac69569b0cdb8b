"""ONNX Runtime sessions for a board that runs all day: few threads, no spinning, configured providers, no network that overloads it.

A network meets three walls: the check of its graph before ONNX Runtime sees it, a trial in limited memory, and the service's MemoryMax=.
"""

from __future__ import annotations

import contextlib
import logging

from edge.errors import BackboneError
from edge.features.onnx_graph import check_graph
from edge.features.silent_runtime import FATAL, ort
from edge.features.trial import try_out

log = logging.getLogger("auscult.runtime")

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}


def open_session(model: bytes, subject: object, providers: tuple[str, ...] = ("cpu",), threads: int = 1) -> ort.InferenceSession:
    """Open `model` once and for all; a provider that this ONNX Runtime lacks is left out with a clear message, and CPU always remains.

    Raises
    ------
    BackboneError
        Not a network that ONNX Runtime can open and run, or one that could do more than ours (`check_graph`).
    """
    try:
        graph = check_graph(model)
    except ValueError as error:
        raise BackboneError(subject, f"holds {error}; export it again") from error
    try:
        try_out(model, graph.inputs, _options(1))
        session = _started(model, _options(threads), _available(providers))
    except Exception as error:  # ONNX Runtime has no common base class for what it raises
        first_line = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise BackboneError(subject, f"cannot be opened by ONNX Runtime {ort.__version__} ({first_line}); export it again") from error
    wanted = PROVIDERS[providers[0]]
    if wanted in ort.get_available_providers() and wanted not in session.get_providers():
        log.warning("provider %s did not start; inference runs on %s", providers[0], session.get_providers()[0])
    return session


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # an idle board must idle
    options.log_severity_level = FATAL
    return options


def _started(model: bytes, options: ort.SessionOptions, providers: list[str]) -> ort.InferenceSession:
    """A session with the providers, or with the CPU alone when they do not start. (ONNX Runtime's own second try prints to stdout.)"""
    cpu = [PROVIDERS["cpu"]]
    if providers != cpu:
        with contextlib.suppress(Exception):  # ONNX Runtime has no common base class for what it raises
            return ort.InferenceSession(model, options, providers=providers, enable_fallback=0)
    return ort.InferenceSession(model, options, providers=cpu, enable_fallback=0)


def _available(providers: tuple[str, ...]) -> list[str]:
    present = set(ort.get_available_providers())
    chosen = []
    for name in providers:
        if PROVIDERS[name] in present:
            chosen.append(PROVIDERS[name])
        else:
            log.warning(
                "provider %s is not in this ONNX Runtime (%s); on a Jetson install NVIDIA's onnxruntime-gpu wheel, or set "
                "inference.providers: [cpu]; falling back",
                name,
                ", ".join(sorted(present)),
            )
    return list(dict.fromkeys([*chosen, PROVIDERS["cpu"]]))
