"""Makes a bundle of a store in a process of its own, when enough was learned, and tries again when that fails."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from edge.bundles.bundle import Bundle
from edge.bundles.manifest import Manifest
from edge.errors import BundleError
from edge.learning.starter import starter_path
from edge.learning.versions import Versions
from edge.private_files import make_folder

LOG = logging.getLogger("auscult.learning")

FIRST_AFTER_S = 1800.0  # of learned sound
AT_LEAST_EVERY_S = 86_400.0  # and before that, whenever the store has become twice as old: a bundle is then worth another
LONGEST_S = 1800.0  # that a process may take
RETRY_FIRST_S, RETRY_LONGEST_S = 600.0, 21_600.0

Take = Callable[[Bundle], str]  # makes a bundle that was made count; returns what to log


def due_s(last_learned_s: float, first_s: float = FIRST_AFTER_S) -> float:
    """At how many seconds of learned sound the next bundle is made; the last one was at so many, 0 for none."""
    return max(first_s, min(2.0 * last_learned_s, last_learned_s + AT_LEAST_EVERY_S))


def options_of(manifest: Manifest) -> list[str]:
    """What `auscult calibrate` has to be told so that the next bundle is of the same kind as this one."""
    parameters = manifest.detector.parameters
    level = parameters.get("steady", {}).get("level", "absolute")
    options = ["--false-alarms-per-week", str(manifest.threshold.false_alarms_per_week), "--level", str(level)]
    return [*options, "--coreset", str(parameters["coreset"]), "--banks", str(parameters["banks"])]


class Fitting:
    """The process of one source, if there is one. Polled by the worker's thread; nothing here waits."""

    def __init__(self, source: str, store: Path, command: Sequence[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        """`command` runs `calibrate`, this Python's own if it is empty."""
        self.problem: str | None = None  # why the last one failed
        self._source = source
        self._store = store
        self._command = command or (sys.executable, "-m", "edge.learning.modest", "calibrate")
        self._clock = clock
        self._wait_s = RETRY_FIRST_S
        self._not_before_s = -1.0
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._began_s = 0.0
        self._take: Take = lambda bundle: ""
        self._what = ""  # the bundle is made of

    @property
    def is_busy(self) -> bool:
        """Whether a process is at work."""
        return self._process is not None

    def begin(self, learned_s: float, base: str, manifest: Manifest) -> None:
        """Make a bundle of what was learned by now, to stand for the bundle `base`, but not while one is made, or soon after a failure."""

        def take(bundle: Bundle) -> str:
            supported = bundle.manifest.threshold.supported_false_alarms_per_week
            version = Versions(self._store).take(bundle.sha256, learned_s, supported, base)
            return f"version {version.number} was made of {learned_s / 3600.0:.1f} h of learned sound"

        self._begin(str(self._store), ["--store", str(self._store), *options_of(manifest)], take)

    def begin_starter(self, sound: str) -> None:
        """Make the starter of the file with the first minutes; see `begin`."""

        def take(bundle: Bundle) -> str:
            bundle.path.replace(starter_path(self._store))
            return f"listening by a bundle of the first {bundle.manifest.data.seconds / 60.0:.0f} min, which gives no alarms"

        self._begin("the first minutes of sound", ["--recordings", sound], take)

    def _begin(self, what: str, options: Sequence[str], take: Take) -> None:
        if self.is_busy or self._clock() < self._not_before_s:
            return
        self._what, self._take, self._began_s = what, take, self._clock()
        candidate = Versions(self._store).candidate
        command = [*self._command, *options, "--output", str(candidate), "--format", "json"]
        try:
            make_folder(candidate.parent)
            with tempfile.TemporaryFile() as log:
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
                self._log = os.fdopen(os.dup(log.fileno()), "rb")
        except OSError as error:
            self._fail(f"cannot be begun ({error.strerror or error})")

    def poll(self) -> bool:
        """Look after the process; whether a version, or the starter, has just come into force."""
        process = self._process
        if process is None:
            return False
        if process.poll() is None:
            if self._clock() - self._began_s > LONGEST_S:
                self.stop()
                self._fail(f"took longer than {LONGEST_S / 60.0:.0f} min, and was stopped")
            return False
        self._process = None
        told = self._last_line()
        if process.returncode != 0:
            self._fail(told or f"ended with {process.returncode}")
            return False
        return self._took()

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._last_line()

    def _took(self) -> bool:
        try:
            told = self._take(Bundle.read(Versions(self._store).candidate))
        except (BundleError, OSError) as error:
            self._fail(str(error))
            return False
        LOG.info("%s: %s", self._source, told)
        self.problem, self._not_before_s = None, -1.0
        self._wait_s = RETRY_FIRST_S
        return True

    def _fail(self, problem: str) -> None:
        self._process = None
        wait_s, self._wait_s = self._wait_s, min(2.0 * self._wait_s, RETRY_LONGEST_S)
        self._not_before_s = self._clock() + wait_s
        self.problem = f"no bundle could be made of {self._what}: {problem}"
        LOG.error("%s: %s; trying again in %.0f min", self._source, self.problem, wait_s / 60.0)

    def _last_line(self) -> str:
        """The last line that the process has said of itself, which ended; nobody asks twice."""
        if self._log is None:
            return ""
        with self._log as log:
            log.seek(0)
            lines = log.read()[-2000:].decode(errors="replace").strip().splitlines()
        self._log = None
        return lines[-1] if lines else ""
