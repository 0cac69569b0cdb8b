"""One case: make a hostile file, hand it to the program, and say how that ended."""

from __future__ import annotations

import contextlib
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

import msgspec
import numpy as np

from edge.audio.audio_file import audio_info, read_blocks
from edge.config.load import load_config
from edge.config.schema import VERBS, Verb
from edge.errors import UserError
from edge.model import Model
from edge.mqtt.subscription import Delivery
from edge.mqtt.topics import Topics
from edge.pipeline import Listener
from edge.remote.commands import Commands, Handler, Reply
from edge.remote.inbox import Inbox
from edge.remote.responses import Response
from edge.scoring import SHORTEST_S
from tests.fuzz.audio_cases import audio_case
from tests.fuzz.bundle_cases import bundle_case, large_manifest
from tests.fuzz.command_cases import command_case
from tests.fuzz.config_cases import config_case
from tests.fuzz.mutations import Rng
from tests.fuzz.seeds import CONFIG, bundles, packed, sounds

Target = Literal["bundle", "config", "audio", "command"]
TARGETS: tuple[Target, ...] = ("bundle", "config", "audio", "command")

LONGEST_S = 10.0  # of one case: far more than any takes, even on a busy machine
MOST_MB = 256.0  # that one case may need beyond what was in use before
LONGEST_LINE = 2000  # characters of a refusal


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case ended: `accepted`, `refused`, or what is wrong."""

    target: Target
    case: str
    ending: Literal["accepted", "refused", "failed"]
    detail: str  # the refusal, or what is wrong
    peak_mb: float  # of the process so far


class Hang(BaseException):
    """A case took too long; no `except Exception` may swallow it."""


def attempt(target: Target, seed: int, number: int, folder: Path) -> Outcome:
    """Run the case `number` of `seed`."""
    rng = np.random.default_rng([seed, number, TARGETS.index(target)])
    case, content = _case(target, rng)
    path = folder / {"bundle": "hostile.auscult", "config": "hostile.yaml", "audio": "hostile.wav", "command": "hostile.mqtt"}[target]
    path.write_bytes(content)
    before_mb = peak_mb()
    started_s = time.perf_counter()
    try:
        with _time_limit(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            {"bundle": _load_bundle, "config": _load_config, "audio": _read_audio, "command": _give_command}[target](path)
        ending, detail = "accepted", ""
    except UserError as error:
        ending, detail = "refused", str(error)
    except (Exception, Hang) as error:
        return Outcome(target, case, "failed", "".join(traceback.format_exception(error)), peak_mb())
    took_s, grown_mb = time.perf_counter() - started_s, peak_mb() - before_mb
    problem = _problem(detail, path, took_s, grown_mb) if ending == "refused" else _beyond(took_s, grown_mb)
    if problem:
        return Outcome(target, case, "failed", f"{problem} ({detail[:300]})", peak_mb())
    return Outcome(target, case, "refused" if ending == "refused" else "accepted", detail, peak_mb())


def peak_mb() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def warm_up(folder: Path) -> None:
    """Use everything once as it should be, so that what is allocated for good does not count as a case's."""
    for members in bundles():
        (folder / "good.auscult").write_bytes(packed(list(members.items())))
        _load_bundle(folder / "good.auscult")
    (folder / "good.yaml").write_text(CONFIG, encoding="utf-8")
    _load_config(folder / "good.yaml")
    for sound in sounds().values():
        (folder / "good.wav").write_bytes(sound)
        _read_audio(folder / "good.wav")


def _case(target: Target, rng: Rng) -> tuple[str, bytes]:
    if target == "bundle" and rng.random() < 0.005:  # it costs seconds
        return "large_manifest", large_manifest(rng, dict(bundles()[0]))
    cases: dict[Target, Callable[[Rng], tuple[str, bytes]]] = {
        "bundle": bundle_case,
        "config": config_case,
        "audio": audio_case,
        "command": command_case,
    }
    return cases[target](rng)


def _load_bundle(path: Path) -> None:
    """Load it, and score three seconds with it: what was accepted must work."""
    model = Model.load(path)
    listener = Listener(model, 48000)
    sound = np.random.default_rng(0).standard_normal(3 * 48000).astype(np.float32) * np.float32(0.05)
    listener.push(sound)
    listener.finish()


def _load_config(path: Path) -> None:
    load_config(path)


def _read_audio(path: Path) -> None:
    """Read it as `score` and the file source do; only as much as says how the rest would end."""
    info = audio_info(path)
    if info.seconds < SHORTEST_S:
        return
    for number, _ in enumerate(read_blocks(path, "mix")):
        if number >= 50:
            break


def _give_command(path: Path) -> None:
    """Give it to a node whose verbs do nothing: there is one answer at most, in the form that `auscult schema` tells."""
    verb, _, payload = path.read_bytes().partition(b"\n")
    answers: list[bytes] = []
    inbox = Inbox()

    def carry_out(_request: object, reply: Reply) -> None:
        reply.error("carried out")

    handlers: dict[Verb, Handler] = dict.fromkeys(VERBS, carry_out)
    commands = Commands(inbox, Topics("test"), lambda _topic, answer: answers.append(answer), handlers)
    inbox.put(Delivery(f"auscult/test/cmd/{verb.decode()}", payload, False))
    if not commands.poll() or commands.poll() or len(answers) > 1:
        raise RuntimeError(f"{len(answers)} answers")
    for answer in answers:
        problem = msgspec.json.decode(answer, type=Response).error or ""
        if problem != "carried out":
            raise UserError(path, problem)


def _problem(line: str, path: Path, took_s: float, grown_mb: float) -> str:
    if "\n" in line or len(line) > LONGEST_LINE:
        return f"a refusal of {len(line)} characters, {line.count(chr(10)) + 1} lines"
    if not line.startswith(str(path)):
        return "a refusal that does not begin with the file"
    return _beyond(took_s, grown_mb)


def _beyond(took_s: float, grown_mb: float) -> str:
    if took_s > LONGEST_S:
        return f"took {took_s:.1f} s"
    return f"needed {grown_mb:.0f} MB" if grown_mb > MOST_MB else ""


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """Interrupt Python code that takes too long; the watcher of `tests.fuzz.runner` sees to the rest."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"more than {LONGEST_S:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
