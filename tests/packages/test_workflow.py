"""The workflow of the forge: it runs what anyone can run, and nothing that exists only there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


def jobs() -> dict[str, Any]:
    loaded: dict[str | bool, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert loaded[True].keys() == {"push", "pull_request"}  # YAML 1.1 takes `on` for a truth value
    assert loaded["permissions"] == {"contents": "read"}
    found: dict[str, Any] = loaded["jobs"]
    return found


def test_workflow_checks_with_the_script_that_everybody_runs_on_every_python() -> None:
    check = jobs()["check"]
    assert check["steps"][-1] == {"run": "bash .ci/run"}
    assert check["strategy"]["matrix"]["python"] == PYTHONS
    assert (ROOT / ".ci" / "run").is_file()


def test_workflow_builds_what_is_published_for_tags_only_and_after_the_checks() -> None:
    checks = ["check", "home-assistant"]
    published = {name: job for name, job in jobs().items() if name not in checks}
    assert set(published) == {"distributions", "debian", "image"}
    assert jobs()["home-assistant"]["steps"][-1] == {"run": "make test-homeassistant"}
    for job in (*published.values(), jobs()["home-assistant"]):
        assert job["if"] == "startsWith(github.ref, 'refs/tags/v')"
    for job in published.values():
        assert job["needs"] == checks
        assert job["steps"][-1]["with"]["if-no-files-found"] == "error"
    assert published["debian"]["strategy"]["matrix"] == {"arch": ["amd64", "arm64"], "python": PYTHONS}


def test_workflow_calls_targets_that_exist_and_files_that_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = [step["run"] for job in jobs().values() for step in job["steps"] if "run" in step]
    targets = {target for command in commands for target in re.findall(r"make ([a-z-]+)", command)}
    assert targets == {"dist", "deb", "test-homeassistant"}
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    files = [step["with"]["file"] for job in jobs().values() for step in job["steps"] if "file" in step.get("with", {})]
    assert files == ["packaging/docker/Dockerfile"]
    assert (ROOT / files[0]).is_file()
