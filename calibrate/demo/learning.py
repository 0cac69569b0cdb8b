"""`auscult demo --learn`: the daemon learns a machine that nobody has recorded, hears its fault, is told so, and goes back."""

from __future__ import annotations

import importlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import soundfile

from calibrate.demo.broker import DemoBroker
from calibrate.demo.daemon import FIRST_MINUTES, NODE, SOURCE, DemoDaemon, write_config
from calibrate.demo.subscriber import Subscriber
from edge.console.progress import Progress
from edge.errors import AuscultError, UserError
from edge.mqtt.payloads import EventPayload, LearningPayload, ScorePayload
from edge.mqtt.topics import Topics
from export.synthesis import MachineDesign, RotatingMachine, inject, tone_fault

RATE_HZ = 16000
DESIGN = MachineDesign(load_hold_s=20.0, slip=0.004)
FAULT_S = 60.0 * (FIRST_MINUTES + 1)  # the first evening
FAULT_LASTS_S = 6.0
TONE_HZ = 3150.0
TONE_DBFS = -36.0  # 30 dB below the machine
STREAM_S = FAULT_S + 60.0
PIECE_S = 30.0
STEP_S = 900.0  # the longest that one step may take, on a small board


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a subscriber was told, and when by the sound."""

    stream_s: float
    what: str


@dataclass(frozen=True, slots=True)
class LearningDemo:
    """What happened."""

    happenings: tuple[Happening, ...]
    failures: tuple[str, ...]
    windows: int
    first_score_s: float | None  # when the first window with a score ended
    seconds: float  # that it took

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        return not self.failures


class _Witness(Subscriber):
    """Writes down what one source is told to do, and does, in seconds of its stream."""

    def __init__(self, host: str, port: int) -> None:
        self.topics = Topics(NODE)
        self.happenings: list[Happening] = []
        self.events: list[EventPayload] = []
        self.event_s: list[float] = []  # where each begins
        self.learning: LearningPayload | None = None
        self.windows = 0
        self.first_score_s: float | None = None
        self.answers: dict[str, dict[str, object]] = {}
        self._began_s: float | None = None
        self._now_s = 0.0
        self._changed = threading.Condition()
        topics = self.topics
        handlers = {
            topics.score(SOURCE): self._score,
            topics.event(SOURCE): self._event,
            topics.learning(SOURCE): self._learning,
            topics.response("mark"): lambda payload: self._answer("mark", payload),
            topics.response("rollback"): lambda payload: self._answer("rollback", payload),
        }
        super().__init__(host, port, topics.status, handlers)

    def command(self, verb: str, **fields: object) -> dict[str, object]:
        """Send a command; return its answer."""
        self.answers.pop(verb, None)
        sent_at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._client.publish(self.topics.command(verb), json.dumps({"transaction": verb, "sent_at": sent_at, **fields}), qos=1)
        self.until(lambda: verb in self.answers, f"the answer to {verb}")
        return self.answers[verb]

    def until(self, is_so: Callable[[], bool], what: str, is_alive: Callable[[], bool] = lambda: True) -> None:
        """Wait for something; AuscultError when it does not come."""
        ends_s = time.monotonic() + STEP_S
        with self._changed:
            while not is_so():
                if not is_alive():
                    raise AuscultError("demo", f"the daemon has ended before {what} came")
                if time.monotonic() > ends_s:
                    raise AuscultError("demo", f"{what} did not come within {STEP_S / 60.0:.0f} min")
                self._changed.wait(1.0)

    def note(self, what: str) -> None:
        """Write something down."""
        self.happenings.append(Happening(self._now_s, what))

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _score(self, payload: bytes | bytearray) -> None:
        score = msgspec.json.decode(payload, type=ScorePayload)
        if self._began_s is None:
            self._began_s = _epoch_s(score.t_start)
        self._now_s = _epoch_s(score.t_end) - self._began_s
        self.windows += 1
        if score.score is not None and self.first_score_s is None:
            self.first_score_s = self._now_s
            self.note("the first window with a score")

    def _event(self, payload: bytes | bytearray) -> None:
        event = msgspec.json.decode(payload, type=EventPayload)
        self.events.append(event)
        if event.type != "updated":
            start_s = _epoch_s(event.t_start) - (self._began_s or 0.0)
            self.event_s.append(start_s)
            strongest = max(event.regions, key=lambda region: region.score or 0.0, default=None)
            where = "" if strongest is None else f", {strongest.f_lo_hz:.0f}-{strongest.f_hi_hz:.0f} Hz"
            self.note(f"event {event.type}: since {_clock(start_s)}, peak score {event.peak_score or 0.0:.2f}{where}")
        self._tell()

    def _learning(self, payload: bytes | bytearray) -> None:
        told = msgspec.json.decode(payload, type=LearningPayload) if payload else None
        before, self.learning = self.learning, told
        if told is not None and (
            before is None or (told.state, told.version, told.reason) != (before.state, before.version, before.reason)
        ):
            self.note(_described(told))
        self._tell()

    def _answer(self, verb: str, payload: bytes | bytearray) -> None:
        self.answers[verb] = msgspec.json.decode(payload)
        self._tell()


def run_learning_demo(folder: Path, seed: int, say: Callable[[str], None]) -> LearningDemo:
    """Run it in `folder`; `say` is called with each step.

    Raises
    ------
    ModuleNotFoundError
        amqtt is missing; said before any work is done.
    AuscultError
        A step failed.
    """
    importlib.import_module("amqtt.broker")
    began_s = time.monotonic()
    stream, config = folder / "stream.wav", folder / "config.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(folder, f"cannot make this folder: {error.strerror}; choose another --output") from error
    say(f"synthesising {STREAM_S / 60.0:.0f} minutes of a rotating machine with a tone in its {FIRST_MINUTES + 2}th, in {folder}")
    _write_stream(stream, seed)
    with DemoBroker() as broker, _Witness(broker.host, broker.port) as witness:
        sections: dict[str, Any] = {"commands": {"enabled": True}, "health": {"interval_s": 0.5}}
        write_config(config, None, stream, broker.host, broker.port, loop=True, **sections)
        say("running the daemon without a bundle, faster than the sound")
        with DemoDaemon(config) as daemon:

            def until(is_so: Callable[[], bool], what: str) -> None:
                witness.until(is_so, what, lambda: daemon.is_running)

            until(lambda: _state(witness) == "watching", "the first bundle")
            say("there is a bundle; waiting for the fault")
            until(lambda: bool(witness.events) and witness.events[-1].type == "closed", "the end of the event")
            failures = [] if _is_the_fault(witness) else ["the first event is another one than the fault"]
            marked = witness.command("mark", event=witness.events[-1].id, verdict="real", note="a bearing that sings")
            witness.note(f"marked as real: {marked['status']}")
            rolled = witness.command("rollback", source=SOURCE)
            witness.note(f"rolled back: {rolled['status']}")
            until(lambda: _state(witness) == "listening", "the state `listening`")
    failures += [f"{verb} was answered with {told['error']}" for verb, told in (("mark", marked), ("rollback", rolled)) if told["error"]]
    if witness.first_score_s is None or witness.first_score_s > 60.0 * FIRST_MINUTES:
        failures.append(f"the first score came later than after {FIRST_MINUTES} minutes")
    happenings, seconds = tuple(witness.happenings), round(time.monotonic() - began_s, 1)
    return LearningDemo(happenings, tuple(failures), witness.windows, witness.first_score_s, seconds)


def _write_stream(path: Path, seed: int) -> None:
    machine = RotatingMachine(seed, RATE_HZ, DESIGN)
    tone = tone_fault(RATE_HZ, seed, FAULT_LASTS_S, TONE_HZ, TONE_DBFS).heard_through(machine.colour)
    with Progress("synthesising", total=STREAM_S) as bar, soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
        at_s = 0.0
        for piece in machine.pieces(STREAM_S, PIECE_S):
            piece_s = len(piece) / RATE_HZ
            if at_s <= FAULT_S < at_s + piece_s:
                piece = inject(piece, tone, FAULT_S - at_s).astype(np.float32)
            file.write(piece)
            at_s += piece_s
            bar.update(piece_s)


def _state(witness: _Witness) -> str:
    return "" if witness.learning is None else witness.learning.state


def _is_the_fault(witness: _Witness) -> bool:
    ends_s = FAULT_S + FAULT_LASTS_S
    regions = [region for event in witness.events for region in event.regions]
    return all(FAULT_S - 1.0 <= at_s <= ends_s for at_s in witness.event_s) and any(r.f_lo_hz <= TONE_HZ <= r.f_hi_hz for r in regions)


def _stage(told: LearningPayload) -> tuple[object, ...]:
    return told.state, told.version, told.reason is None


def _described(told: LearningPayload) -> str:
    if told.state == "listening":
        wait_min = (told.first_in_s or 0.0) / 60.0
        return f"listening, {told.reason or 'learning'}; no alarms for about {wait_min:.0f} min of sound"
    now, end = (rate or 0.0 for rate in (told.supported_false_alarms_per_week, told.supported_at_end_per_week))
    return f"{told.state} by version {told.version}, which vouches for {now:.0f} false alarms per week; the last one will for {end:.0f}"


def _clock(stream_s: float) -> str:
    minutes, seconds = divmod(round(stream_s), 60)
    return f"{minutes}:{seconds:02d}"


def told_lines(demo: LearningDemo) -> list[str]:
    """For people."""
    rows = [f"  {_clock(one.stream_s):>6}  {one.what}" for one in demo.happenings]
    lines = ["What a subscriber was told, in minutes and seconds of sound:", "", *rows, ""]
    lines += [f"FAILED: {failure}" for failure in demo.failures]
    if demo.passed:
        lines.append(
            f"passed: no recording, the first score after {_clock(demo.first_score_s or 0.0)} of sound, one event for the one fault"
        )
    return [*lines, f"it took {demo.seconds:.0f} s"]


def _epoch_s(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
