"""Ask five questions, write the configuration, and check the node with it."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from edge.commands.doctor import CHECK_WIDTH
from edge.console.output import printable
from edge.doctor.examination import examine
from edge.doctor.finding import Finding
from edge.doctor.sandbox import UNIT_FOLDERS, Sandbox, is_installed, take_state_folder
from edge.errors import UserError
from edge.setup.answers import Answers
from edge.setup.options import Options, add_options
from edge.setup.questions import ask_all
from edge.setup.terminal import Terminal
from edge.setup.writing import check_place, doctor_command, service_user, write

EXAMPLE = """example:
  sudo auscult setup --config /etc/auscult/config.yaml
  auscult setup --yes --device USB --broker localhost --node workshop --source pump1

Every answer has an option. With --yes, or without a terminal, nothing is asked. A password is never an option: it is asked for, or stands
in a file. The exit code is 0 when all checks are well but for the bundle, which comes with the next step; 1 when one says FAIL."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.epilog = EXAMPLE
    add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask, write and examine."""
    options = Options.of(arguments)
    check_place(options.config, force=arguments.force)
    is_asked = not arguments.yes and sys.stdin is not None and sys.stdin.isatty()
    try:
        answers = ask_all(options, Terminal() if is_asked else None, _service_state())
    except KeyboardInterrupt:
        print("\nNothing was written.", file=sys.stderr)
        raise
    write(options.config, answers)
    print(f"Written: {', '.join(map(str, (*answers.secrets, options.config)))}", file=sys.stderr)
    is_well = _examine(options.config, answers)
    print(_next_steps(options.config, answers), file=sys.stderr)
    return 0 if is_well else 1


def _service_state() -> Path | None:
    if not is_installed():
        return None
    try:
        return next(iter(Sandbox.of(UNIT_FOLDERS).state), None)
    except OSError:
        return None


def _examine(path: Path, answers: Answers) -> bool:
    """Print what the doctor finds; a bundle that is still to be made is no trouble."""
    is_well = True
    bundle = answers.sound.bundle
    for finding in _findings(path):
        if finding.check.startswith("bundle") and bundle is not None and not bundle.exists():
            finding = Finding(finding.check, "WARN", f"{bundle} is still to be made: see below")
        is_well = is_well and finding.verdict != "FAIL"
        print(printable(finding.line(width=CHECK_WIDTH)), flush=True)
    return is_well


def _findings(path: Path) -> Iterator[Finding]:
    command = doctor_command(path)
    if command is None:
        take_state_folder()
        yield from examine(path)
        return
    said = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False).stdout
    try:
        yield from (Finding(**found) for found in json.loads(said)["checks"])
    except (ValueError, KeyError, TypeError):
        raise UserError("doctor", f"could not be run as the service's user; try: {' '.join(command)}") from None


def _next_steps(path: Path, answers: Answers) -> str:
    user = "sudo -u auscult " if service_user() is not None else ""
    recordings = answers.keep / "recordings" / answers.source
    start = "sudo systemctl restart auscult" if service_user() is not None else f"auscult run --config {path}"
    if (learn := answers.sound.learn) is not None:
        return f"""
Next, while the machine works normally:
  {start}
It listens for {learn.first_minutes:.0f} minutes, then watches, and knows the machine better every day. How far it is:
  {user}auscult learn --config {path} --status"""
    if answers.sound.files is None:
        head = "Next, while the machine works normally:"
        record = f"\n  {user}auscult calibrate record --config {path} --source {answers.source} --minutes 30 --output {recordings}"
        learned = str(recordings)
    else:
        head = "Next, if these files are normal sound; if not, with others that are:"
        record = ""
        learned = shlex.join(map(str, answers.sound.files.paths))
    return f"""
{head}{record}
  {user}auscult calibrate --recordings {learned} --output {answers.sound.bundle}
  {start}"""
