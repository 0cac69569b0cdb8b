"""A process that learns in place is killed again and again (SIGKILL): is its store whole, and how much had it not kept yet?

The process hears a machine as fast as it can and says in shared memory how far it is. After each kill the store is opened as the daemon
opens it and read to its end, and the next process goes on with it. Lost is what was heard, less what was left out because its windows were
above the threshold, less what the store has more than before.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edge.threads  # noqa: F401  # before anything imports numpy, in the process that learns too
from benchmarks.learning import calibrated
from benchmarks.learning_site import LOW, RATE_HZ, STILL, Calendar, Site
from calibrate.settings import CalibrationSettings
from edge.errors import AuscultError
from edge.judgement.window import Window
from edge.learning.segment import records
from edge.learning.source_learner import SourceLearner
from edge.learning.store import Store
from edge.learning.stretch import LONGEST_RECORD
from edge.model import Model
from edge.pipeline import Listener
from edge.remote.background_writer import BackgroundWriter

SOURCE = "machine"
PUSH_S = 2.0
LEARN_DAYS = 30.0
LOOK_S = 0.002
STALLED_S = 600.0
SOUND_S = 300.0  # that is heard over and over
FRAME_BYTES = 12  # around a record


@dataclass(frozen=True, slots=True)
class Kill:
    """What was found after one."""

    heard_s: float  # by the process that was killed
    lost_s: float
    stretches: int  # in the store
    problem: str | None  # with the store; None when it is whole

    def document(self) -> dict[str, Any]:
        """For the JSON."""
        return asdict(self)


def measure_kills(seed: int, settings: CalibrationSettings, kills: int, sound_s: float, calendar: Calendar = STILL) -> list[Kill]:
    """Let a machine be learned from for so long in all, and kill the process that does it at random times of that."""
    random = np.random.default_rng([seed, 0x1C111])
    at_s = np.sort(random.uniform(0.0, sound_s, kills))
    found = []
    with tempfile.TemporaryDirectory(prefix="auscult-") as name:
        folder = Path(name)
        site = Site(seed, calendar)
        bundle = calibrated(site, settings, folder)
        np.save(folder / "sound.npy", site.render(SOUND_S))
        assert site.state == LOW
        learned_s = 0.0
        for lasts_s in np.diff(at_s, prepend=0.0):
            heard_s, left_out_s = _heard_until_killed(folder, bundle, float(lasts_s))
            stretches, now_s, problem = _inspected(folder / "store")
            lost_s = heard_s - left_out_s - (now_s - learned_s)
            found.append(Kill(heard_s, max(0.0, lost_s), stretches, problem))
            learned_s = now_s
    return found


def _heard_until_killed(folder: Path, bundle: Path, lasts_s: float) -> tuple[float, float]:
    """Seconds that the process had heard when it was killed, and of that in windows that nothing may be learned of."""
    context = multiprocessing.get_context("spawn")
    heard, left_out = context.Value("d", 0.0), context.Value("d", 0.0)
    process = context.Process(target=_learn, args=(folder, bundle, heard, left_out), daemon=True)
    process.start()
    deadline_s = time.monotonic() + STALLED_S
    while heard.value < lasts_s:
        if not process.is_alive() or time.monotonic() > deadline_s:
            raise AuscultError("the process that learns", "ended, or hears nothing more; run it again with --kill 1")
        time.sleep(LOOK_S)
    process.kill()
    process.join()
    return heard.value, left_out.value


def _learn(folder: Path, bundle: Path, heard: Synchronized[float], left_out: Synchronized[float]) -> None:
    """Hear and learn until killed."""
    model = Model.load(bundle)
    writer = BackgroundWriter()
    listener = Listener(model, RATE_HZ)
    listener.overhear(SourceLearner(SOURCE, folder / "store", LEARN_DAYS, writer.write))
    sound: NDArray[np.float32] = np.load(folder / "sound.npy")
    step = round(PUSH_S * RATE_HZ)
    bad_until_s = 0.0
    while True:
        for first in range(0, len(sound), step):
            for window in listener.push(sound[first : first + step]):
                if isinstance(window, Window) and window.anomalous:
                    left_out.value += max(0.0, window.t_end_s - max(bad_until_s, window.t_start_s))
                    bad_until_s = max(bad_until_s, window.t_end_s)
            writer.poll()
            heard.value = listener.heard_s


def _inspected(folder: Path) -> tuple[int, float, str | None]:
    """Stretches and seconds of a store, and what is wrong with it; none may be there yet."""
    if not (folder / "store.json").exists():
        return 0, 0.0, None
    try:
        store = Store.opened(folder, SOURCE, Store(folder).description.kind, {})  # cuts off what is torn at its end
        whole = all(sum(FRAME_BYTES + len(one) for one in records(path, LONGEST_RECORD)) == path.stat().st_size for path in store.segments)
        kept = [(stretch.number, stretch.learned_s) for stretch in store.stretches()]
    except (AuscultError, OSError, ValueError) as error:
        return 0, 0.0, str(error)
    in_order = all(after > before for before, after in pairwise(kept))
    problem = None if whole and in_order else "its stretches are out of order" if whole else "a record is damaged"
    return store.count, store.learned_s, problem
