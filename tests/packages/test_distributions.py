"""Wheel and source distribution as `make dist` makes them: checked by twine and check-wheel-contents, and installed cleanly."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.version import VERSION

pytest.importorskip("build")

ROOT = Path(__file__).resolve().parents[2]
MADE_BY_SETUPTOOLS = {"PKG-INFO", "setup.cfg"}


def tracked() -> list[str]:
    """What the repository holds."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nobody knows which files belong to it")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both, built from a copy of what the repository holds."""
    folder = tmp_path_factory.mktemp("distributions")
    for name in tracked():
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "source" / name)
    command: list[str | Path] = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder / "source"]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    return folder / "dist"


def wheel_in(folder: Path) -> Path:
    return folder / f"auscult-{VERSION}-py3-none-any.whl"


def test_sdist_holds_what_the_repository_holds(distributions: Path) -> None:
    with tarfile.open(distributions / f"auscult-{VERSION}.tar.gz") as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert {name for name in names if not name.startswith("auscult.egg-info/")} - MADE_BY_SETUPTOOLS == set(tracked())


def test_distributions_pass_twine_check(distributions: Path) -> None:
    pytest.importorskip("twine")
    files = sorted(distributions.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *files], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == len(files) == 2


def test_wheel_passes_check_wheel_contents(distributions: Path) -> None:
    pytest.importorskip("check_wheel_contents")
    command: list[str | Path] = [sys.executable, "-m", "check_wheel_contents", "--config", ROOT / "pyproject.toml", wheel_in(distributions)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout


def install(python: Path, *arguments: str | Path) -> None:
    """Install with pip; skip the test when there is no package index to install from."""
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "install",
        "--quiet",
        "--no-compile",  # of what the demo does not import
        "--retries",
        "1",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    if "(from versions: none)" in done.stderr:
        pytest.skip(f"no package index to be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder from which no checkout is to be seen."""
    with tempfile.TemporaryDirectory(prefix="auscult-elsewhere-") as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_wheel_installed_where_nothing_else_is_shows_the_demo(distributions: Path, elsewhere: Path, version: str) -> None:
    interpreter = shutil.which(f"python{version}")
    if interpreter is None or subprocess.run([interpreter, "-I", "-c", ""], check=False, capture_output=True).returncode != 0:
        pytest.skip(f"Python {version} is not on this machine")
    environment = elsewhere / "environment"
    subprocess.run([interpreter, "-I", "-m", "venv", environment], check=True, capture_output=True, timeout=100)
    python = environment / "bin" / "python"
    install(python, "--require-hashes", "--only-binary", ":all:", "-r", ROOT / "requirements" / "demo.lock")
    install(python, "--no-deps", wheel_in(distributions))
    subprocess.run([python, "-I", "-m", "pip", "check"], check=True, timeout=100)
    command: list[str | Path] = [environment / "bin" / "auscult", "demo", "--minutes", "6", "--output", "demo", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=elsewhere, env={"PATH": "/usr/bin:/bin"}, timeout=600)
    assert done.returncode == 0, done.stderr
    assert [alert["injection"] for alert in json.loads(done.stdout)["alerts"]] == ["knock", "tone", "bearing"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_wheel_installed_by_pipx_runs(distributions: Path, elsewhere: Path) -> None:
    pipx = shutil.which("pipx")
    if pipx is None:
        pytest.skip("pipx is not installed; sudo apt install pipx")
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(elsewhere),
        "PIPX_HOME": str(elsewhere / "pipx"),
        "PIPX_BIN_DIR": str(elsewhere / "bin"),
    }
    done = subprocess.run([pipx, "install", wheel_in(distributions)], capture_output=True, text=True, env=environment, timeout=500)
    if "(from versions: none)" in done.stderr:
        pytest.skip("no package index to be reached")
    assert done.returncode == 0, done.stderr
    said = subprocess.run([elsewhere / "bin" / "auscult", "--version"], capture_output=True, text=True, cwd=elsewhere, timeout=100)
    assert said.stdout == f"auscult {VERSION}\n"
