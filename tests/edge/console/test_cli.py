"""`auscult`, and what all its commands share, as a shell sees them."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import auscult
from edge.console.cli import find_command, guarded, run_command
from edge.errors import AuscultError, ConfigError
from edge.version import VERSION

ROOT = Path(__file__).parents[3]
COMMANDS = ["run", "score", "calibrate", "calibrate record", "evaluate", "export", "benchmark", "devices", "schema", "demo"]


def _call(*arguments: str, module: str = "auscult", **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def _command(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> str:
    """A command module of our own; its name."""
    name = f"command_{folder.name.replace('-', '_')}"
    (folder / f"{name}.py").write_text(f'"""What it does."""\n\ndef add_arguments(parser):\n    pass\n\ndef run(arguments):\n    {body}\n')
    monkeypatch.syspath_prepend(folder)
    return name


def test_help_lists_every_command_with_an_example() -> None:
    done = _call("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", done.stdout, re.MULTILINE)
    assert "auscult run --config config.yaml" in done.stdout


def test_help_imports_no_room_and_no_numpy() -> None:
    code = (
        "import sys, auscult; auscult.main(['--help']); "
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('numpy', 'export', 'calibrate', 'benchmarks', 'msgspec')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_front_door_runs_as_a_script() -> None:
    done = subprocess.run([sys.executable, ROOT / "auscult.py", "--version"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, f"auscult {VERSION}\n")


def test_no_command_shows_help_as_a_mistake() -> None:
    done = _call()
    assert (done.returncode, done.stdout) == (2, "")
    assert "commands:" in done.stderr


@pytest.mark.parametrize(("typed", "meant"), [("scroe", "score"), ("calibrat", "calibrate"), ("device", "devices")])
def test_unknown_command_suggests_the_closest(typed: str, meant: str) -> None:
    done = _call(typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"auscult: there is no command '{typed}'; did you mean `auscult {meant}`?\n"


def test_unknown_command_unlike_any_lists_them() -> None:
    assert "commands: run, score, calibrate" in _call("xyzzy").stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_command_help_explains_with_an_example(command: str) -> None:
    done = _call(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: auscult {command}")
    assert re.search(rf"examples?:\s+auscult {command}", done.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_with_an_unknown_argument_is_one_line(command: str) -> None:
    done = _call(*command.split(), "--no-such-option")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"auscult {command}.*: .+; see `auscult {command}.* --help`\n", done.stderr)


@pytest.mark.parametrize("room", ["edge", "calibrate", "export", "benchmarks"])
def test_room_runs_without_the_front_door(room: str) -> None:
    done = _call("--help", module=room)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m {room}")


def test_find_command_of_two_words_wins_over_the_first_of_them() -> None:
    commands = {"calibrate", "calibrate record", "run"}
    assert find_command(commands, ["calibrate", "record", "--minutes", "1"]) == "calibrate record"
    assert find_command(commands, ["calibrate", "--output", "record"]) == "calibrate"
    assert find_command(commands, ["run"]) == "run"
    assert find_command(commands, ["record"]) is None
    assert find_command(commands, []) is None


def test_room_runs_a_named_command() -> None:
    assert _call("schema", module="edge").stdout == _call("schema").stdout


def test_run_with_a_bad_config_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("node: a\nnoed: b\n")
    done = _call("run", "--config", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"auscult: {path}:2: noed: unknown key; did you mean 'node'?\n"


def test_threads_are_limited_before_numpy_and_can_be_overridden() -> None:
    code = "import auscult, os; print(os.environ['OPENBLAS_NUM_THREADS'], os.environ['OMP_NUM_THREADS'])"
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    for given, seen in (({}, "1 1\n"), ({"OMP_NUM_THREADS": "2"}, "1 2\n")):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**environment, **given}, capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout == seen


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("return 0", 0, ""),
        ("return 3", 3, ""),
        ("raise KeyboardInterrupt", 130, ""),
        ("raise ImportError('initialization failed') from KeyboardInterrupt()", 130, ""),  # Ctrl-C while a library is loaded
        ("from edge.errors import BundleError; raise BundleError('a.auscult', 'is\\nbroken')", 2, "auscult: a.auscult: is broken\n"),
        ("from edge.errors import AuscultError; raise AuscultError('broker', 'gone')", 1, "auscult: broker: gone\n"),
        ("open('/nonexistent/x')", 1, "auscult: /nonexistent/x: No such file or directory\n"),
        (
            "raise ZeroDivisionError('by\\nzero')",
            1,
            "auscult: internal error: ZeroDivisionError: by zero; run with AUSCULT_DEBUG=1 for the traceback\n",
        ),
        (
            "raise ModuleNotFoundError(name='matplotlib.pyplot')",
            2,
            "auscult: this needs the package matplotlib; install it with: pip install 'auscult[report]'\n",
        ),
    ],
)
def test_run_command_turns_what_happens_into_a_line_and_a_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], body: str, code: int, said: str
) -> None:
    monkeypatch.delenv("AUSCULT_DEBUG", raising=False)
    assert run_command(_command(tmp_path, monkeypatch, body), "auscult x", []) == code
    assert capsys.readouterr() == ("", said)


def test_run_command_in_debug_shows_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUSCULT_DEBUG", "1")
    assert run_command(_command(tmp_path, monkeypatch, "raise ZeroDivisionError"), "auscult x", []) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_run_command_prepares_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = _command(tmp_path, monkeypatch, "return given")
    assert run_command(name, "auscult x", [], lambda module: setattr(module, "given", 7)) == 7


def test_front_door_hands_export_the_gate_on_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    command = importlib.import_module("export.commands.export")
    gates: list[object] = []
    monkeypatch.setattr(command, "extra_gates", gates)
    monkeypatch.setattr(command, "run", lambda _: len(gates))
    assert auscult.main(["export", "--random", "--output", "nowhere"]) == 1
    assert type(gates[0]).__name__ == "ScoreGate"


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("calibrate.commands.calibrate", "torch", "train"),
        ("export.commands.export", "torch", "export"),
        ("export.commands.export", "onnx", "export"),
        ("calibrate.commands.demo", "matplotlib", "demo"),
        ("calibrate.commands.demo", "amqtt", "demo"),
        ("calibrate.commands.evaluate", "sklearn", "benchmark"),
    ],
)
def test_missing_package_names_the_extra(module: str, package: str, extra: str, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise ModuleNotFoundError(name=package)

    assert guarded(work, module) == 2
    assert f"pip install 'auscult[{extra}]'" in capsys.readouterr().err


def test_missing_module_of_our_own_is_an_internal_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("edge.commands.nothing", "auscult nothing", []) == 1
    assert "internal error" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [(ConfigError("a", "b"), 2), (AuscultError("a", "b"), 1)])
def test_guarded_uses_the_errors_own_code(error: AuscultError, code: int) -> None:
    def work() -> int:
        raise error

    assert guarded(work) == code


@pytest.mark.parametrize("arguments", [("schema",), ("schema", "--help"), ("--help",)])
def test_closed_pipe_is_quiet(arguments: tuple[str, ...]) -> None:
    """`auscult schema | true`: the reader is gone before anything is written."""
    command = [sys.executable, "-m", "auscult", *arguments]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode in (0, 1)  # argparse forgives a closed pipe, Python does not


def test_output_that_cannot_be_written_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "auscult", "schema"]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "auscult: standard output: No space left on device\n")


def test_output_that_the_shell_closed_is_not_missed() -> None:
    command = f"exec {shlex.quote(sys.executable)} -m auscult schema >&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_leaves_quietly_with_130() -> None:
    code = (
        "import sys, time; from edge.console.cli import guarded\n"
        "def work():\n    print('ready', flush=True)\n    time.sleep(30)\n    return 0\n"
        "sys.exit(guarded(work))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, restore_signals=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert time.monotonic() - started < 5
        assert process.stderr.read() == ""
