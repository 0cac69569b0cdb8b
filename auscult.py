"""The front door: `auscult <command>`. A room is imported only when one of its commands is called."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from types import ModuleType

import edge.threads  # noqa: F401  # before anything imports numpy
from edge.console.cli import find_command, guarded, run_command
from edge.errors import UserError
from edge.version import VERSION

COMMANDS = {  # command -> (module, help)
    "run": ("edge.commands.run", "the daemon: listen to every source of config.yaml and publish over MQTT"),
    "score": ("edge.commands.score", "score audio files with a bundle, one JSON line per file"),
    "calibrate": ("calibrate.commands.calibrate", "make a bundle from normal recordings"),
    "calibrate record": ("calibrate.commands.record", "make these recordings, with a level meter"),
    "learn": ("edge.commands.learn", "learning in place: how far it has come; roll back, freeze, resume or forget it"),
    "evaluate": ("calibrate.commands.evaluate", "measure how well a bundle separates normal files from anomalous ones"),
    "export": ("export.commands.export", "make a streaming backbone, fp32 and int8, from a CNN14 checkpoint and check its parity"),
    "export pretrain": ("export.commands.pretrain", "train a CNN14 trunk and export it like a checkpoint"),
    "benchmark": ("benchmarks.commands.benchmark", "measure cost per second of audio, and detection on sets of machines"),
    "setup": ("edge.commands.setup", "ask five questions, write config.yaml and check the node"),
    "devices": ("edge.commands.devices", "list the microphones of this node by name"),
    "dashboard": ("edge.commands.dashboard", "show machines, their sound and their events in a browser"),
    "doctor": ("edge.commands.doctor", "check this node: settings, devices, bundles, broker, clock, disk, processor"),
    "schema": ("edge.commands.schema", "print the JSON Schema of every MQTT payload"),
    "demo": (
        "calibrate.commands.demo",
        "calibrate on a synthesised machine, inject faults, and show the alerts that a subscriber receives",
    ),
}

EXAMPLE = """a first hour on site:
  auscult setup
  auscult calibrate record --config config.yaml --source pump1 --minutes 30 --output recordings/
  auscult calibrate --recordings recordings/ --output pump1.auscult
  auscult doctor --config config.yaml
  auscult run --config config.yaml

`auscult <command> --help` explains a command and shows an example."""


def _with_score_gate(export: ModuleType) -> None:
    """The gate on scores and alarms stands in a room that export may not import."""
    from calibrate.parity import ScoreGate

    export.extra_gates[:] = [ScoreGate()]


PREPARE = {"export": _with_score_gate, "export pretrain": _with_score_gate}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code of the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = find_command(COMMANDS, given)
    if name is not None:
        return run_command(COMMANDS[name][0], f"auscult {name}", given[len(name.split()) :], PREPARE.get(name))
    return guarded(lambda: _answer(given[0] if given else "--help", asked=bool(given)))


def _answer(word: str, *, asked: bool) -> int:
    """Answer what is no command: --help, --version, or a slip."""
    if word in ("-h", "--help", "help"):
        # Without a command nothing was asked for, which is a mistake: the help then goes where mistakes go.
        print(_help(), file=sys.stdout if asked else sys.stderr)
        return 0 if asked else UserError.exit_code
    if word in ("-V", "--version", "version"):
        print(f"auscult {VERSION}")
        return 0
    near = difflib.get_close_matches(word, COMMANDS, n=1)
    hint = f"did you mean `auscult {near[0]}`?" if near else f"commands: {', '.join(COMMANDS)}"
    print(f"auscult: there is no command {word!r}; {hint}", file=sys.stderr)
    return UserError.exit_code


def _help() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items())
    return (
        "usage: auscult <command> [options]\n\n"
        "Listens to a machine and says when, where in time and where in frequency it starts to sound wrong.\n\n"
        f"commands:\n{commands}\n\noptions:\n  --version  print the version\n  --help     print this\n\n{EXAMPLE}"
    )


if __name__ == "__main__":
    sys.exit(main())
