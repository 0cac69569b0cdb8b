"""The demo: calibrate on a synthesised machine, run the real daemon with a real broker, and check what a subscriber receives."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from calibrate.calibration import calibrate
from calibrate.demo.broker import DemoBroker
from calibrate.demo.daemon import NODE, SOURCE, run_daemon, write_config
from calibrate.demo.picture import ScoreTrace, draw_picture
from calibrate.demo.replay import replay
from calibrate.demo.scene import STREAM_S, Scene, build_scene
from calibrate.demo.subscriber import DemoSubscriber
from calibrate.demo.verdict import Alert, failures
from calibrate.fitters.patchcore import PatchCoreSettings
from calibrate.settings import CalibrationSettings
from calibrate.workers_here import cores
from edge.console.progress import Progress
from edge.errors import AuscultError, UserError
from edge.judgement.window import Region
from edge.mqtt.payloads import EventPayload

DAEMON_TIMEOUT_S = 600.0
LAST_WORDS_S = 20.0


@dataclass(frozen=True, slots=True)
class Message:
    """One event message as it arrived, in seconds of the stream."""

    type: str
    alert: Alert


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo did and found."""

    scene: Scene
    bundle: Path
    picture: Path
    messages: tuple[Message, ...]  # in order of arrival
    alerts: tuple[Alert, ...]  # one per event, after its last message
    failures: tuple[str, ...]
    windows: int  # scores received
    seconds: dict[str, float] = field(default_factory=dict)  # wall time of each step

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        return not self.failures


def run_demo(folder: Path, minutes: float, seed: int, say: Callable[[str], None], watched: DemoBroker | None = None) -> DemoResult:
    """Run the whole demo in `folder`; `say` is called with each step.

    With a broker `watched`, the stream is played to it at its own speed; otherwise to a broker of its own, as fast as can be.

    Raises
    ------
    ModuleNotFoundError
        amqtt or matplotlib is missing; said before any work is done.
    AuscultError
        A step failed. A demo that runs through and is wrong raises nothing: see `DemoResult.failures`.
    """
    for package in ("amqtt.broker", "matplotlib.figure"):
        importlib.import_module(package)
    seconds: dict[str, float] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(folder, f"cannot make this folder: {error.strerror}; choose another --output") from error
    with _step(seconds, "synthesise"), Progress("synthesising", total=60.0 * minutes + STREAM_S) as bar:
        say(f"synthesising {minutes:g} minutes of a rotating machine, and a stream of it with three faults, in {folder}")
        scene = build_scene(folder, minutes, seed, bar.update)
    with _step(seconds, "calibrate"):
        say("calibrating on the normal recordings")
        bundle = folder / "machine.auscult"
        calibrate(list(scene.recordings), bundle, CalibrationSettings(fitting=PatchCoreSettings(seed=seed)), say, workers=cores())
    own = DemoBroker() if watched is None else nullcontext(watched)
    with _step(seconds, "listen"), own as broker, DemoSubscriber(broker.host, broker.port, NODE, SOURCE) as subscriber:
        say(f"running the daemon over {scene.stream_s:.0f} s of stream, with a broker on {broker.host}:{broker.port}")
        config = folder / "config.yaml"
        write_config(config, bundle, scene.stream, broker.host, broker.port, live=watched is not None)
        run_daemon(config, DAEMON_TIMEOUT_S)
        if not subscriber.wait_until_offline(LAST_WORDS_S):
            raise AuscultError(f"{broker.host}:{broker.port}", "the daemon ended, but its `offline` never reached the subscriber")
    with _step(seconds, "draw"):
        say("drawing")
        replayed = replay(bundle, scene.stream)
        if not subscriber.scores:
            raise AuscultError(config, "the daemon published no score")
        # The daemon stamps with the wall clock; its last window ends where the stream's last cell does.
        started = _epoch_s(subscriber.scores[-1].t_end) - replayed.heard_s
        ends_s = np.array([_epoch_s(score.t_end) - started for score in subscriber.scores])  # (window,)
        scores = np.array([np.nan if score.score is None else score.score for score in subscriber.scores])  # (window,)
        messages = tuple(Message(event.type, _alert(event, started)) for event in subscriber.events)
        alerts = tuple({message.alert.id: message.alert for message in messages}.values())
        picture = folder / "demo.png"
        draw_picture(picture, replayed, ScoreTrace(ends_s, scores), scene, alerts)
    broken = tuple(failures(alerts, scene))
    return DemoResult(scene, bundle, picture, messages, alerts, broken, len(subscriber.scores), seconds)


@contextmanager
def _step(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - start, 2)


def _epoch_s(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def _alert(event: EventPayload, started_s: float) -> Alert:
    """What one event message says, in seconds of the stream."""
    return Alert(
        id=event.id,
        start_s=_epoch_s(event.t_start) - started_s,
        end_s=_epoch_s(event.t_end) - started_s,
        peak_score=np.nan if event.peak_score is None else event.peak_score,
        regions=tuple(
            Region(region.t0_s, region.t1_s, region.f_lo_hz, region.f_hi_hz, np.nan if region.score is None else region.score)
            for region in event.regions
        ),
        closed=event.type == "closed",
    )
