from __future__ import annotations

import pytest

from edge.doctor.software import check_providers, check_software


def test_software_here_is_complete() -> None:
    finding = check_software()
    assert finding.verdict == "OK"
    assert "ONNX Runtime" in finding.found


def test_software_that_cannot_be_imported_fails_with_what_to_install() -> None:
    finding = check_software({"no_such_module_of_ours": "some-package"})
    assert finding.verdict == "FAIL"
    assert "ModuleNotFoundError" in finding.found
    assert finding.remedy.endswith("-m pip install --force-reinstall some-package")


def test_software_on_an_old_python_fails() -> None:
    assert check_software(python=(3, 9, 2)).verdict == "FAIL"


def test_providers_missing_are_a_warning_that_says_what_runs_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    assert check_providers(("cpu",)).verdict == "OK"
    finding = check_providers(("tensorrt", "cuda", "cpu"))
    assert finding.verdict == "WARN"
    assert "tensorrt, cuda; inference runs on cpu" in finding.found
