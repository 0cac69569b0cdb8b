"""Check that a source gives sound, and that the sound is plausible."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.audio.level_meter import Level, LevelMeter
from edge.config.credentials import is_out_of_reach
from edge.config.make_source import make_source
from edge.config.schema import SourceConfig
from edge.doctor.finding import Finding, examined, fail, ok, warn
from edge.errors import DeviceError
from edge.node.opening import Opening
from edge.sources.source import Source

LISTEN_S = 0.5
SILENCE_S = 3.0  # as long as the daemon waits before it calls a microphone dead
OPEN_WAIT_S = 10.0
STREAM_WAIT_S = 30.0  # longer than a stream waits for its first sound
CLIPPED_FRACTION = 1e-3
QUIET_DBFS = -80.0  # the noise of an open microphone is louder than that


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """What a source gave. `rate_hz` is None when it could not be opened."""

    finding: Finding
    rate_hz: int | None


def check_source(name: str, settings: SourceConfig) -> SourceCheck:
    """Open a source for half a second and look at its level."""
    check = f"source {name}"
    if settings.stdin is not None:  # what is read here would be missing there
        return SourceCheck(ok(check, f"standard input at {settings.stdin.rate_hz} Hz, which only the daemon reads"), settings.stdin.rate_hz)
    if settings.url is not None and settings.url.credentials_file is not None and is_out_of_reach(settings.url.credentials_file):
        found = f"the login is the service's credential {settings.url.credentials_file.name}, which only the service can read; not tried"
        return SourceCheck(warn(check, found, "see what the service says: journalctl -u auscult -n 20"), settings.url.rate_hz)
    source = make_source(name, settings)
    finding = examined(check, lambda: _listen(check, source, settings))
    return SourceCheck(finding, source.rate_hz or None)


def service_is_active() -> bool:
    """Whether the daemon runs as a service on this node, and so holds its microphones."""
    try:
        return subprocess.run(["systemctl", "is-active", "--quiet", "auscult.service"], capture_output=True, timeout=5).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _listen(check: str, source: Source, settings: SourceConfig) -> Finding:
    opening = Opening(source)
    is_microphone = settings.microphone is not None
    if not opening.wait(OPEN_WAIT_S if is_microphone else STREAM_WAIT_S):
        return fail(check, f"{source.device} does not answer", "unplug it and plug it in again, or restart the sound server")
    try:
        opening.check()
        return judge_sound(check, f"{source.device}, {source.rate_hz} Hz", _samples(source), source.rate_hz, is_microphone=is_microphone)
    except DeviceError as error:
        if settings.url is not None:
            return fail(check, str(error), "does `ffplay ADDRESS` play it on this device? See url.address and url.credentials_file")
        if "in use" in error.problem and service_is_active():
            return warn(check, f"{error.subject} is in use while the service runs", "to check it: sudo systemctl stop auscult, then again")
        see = "" if "in use" in error.problem else "is this user in the group `audio`, like the service's user?"
        return fail(check, str(error), see)
    finally:
        source.close()


def _samples(source: Source) -> NDArray[np.float32]:
    """Half a second of sound, shape = (samples,); less when no more comes."""
    parts: list[NDArray[np.float32]] = []
    wanted, give_up_s = round(LISTEN_S * source.rate_hz), time.monotonic() + LISTEN_S + SILENCE_S
    while sum(map(len, parts)) < wanted and not source.finished and time.monotonic() < give_up_s:
        block = source.read()
        if block is not None:
            parts.append(block.samples)
    return np.concatenate([*parts, np.empty(0, np.float32)])[:wanted]


def judge_sound(check: str, device: str, samples: NDArray[np.float32], rate_hz: int, *, is_microphone: bool) -> Finding:
    """Say whether `samples` (samples,) can be the sound of a machine."""
    if not len(samples):
        return fail(check, f"{device}: opens, but gives no sound", "try another USB port or cable, or unplug it and plug it in again")
    if not np.isfinite(samples).all():
        return fail(check, f"{device}: gives samples that are not numbers", "use another device, or record the file again")
    level = _level(samples, rate_hz)
    if level.dead or level.dbfs is None:
        found = f"{device}: all of {len(samples) / rate_hz:.1f} s is one value ({level.constant:g})"
        if is_microphone:
            return fail(check, found, "is it muted (alsamixer), unplugged at the other end, or is `channel` the wrong one?")
        return warn(check, found, "listen to the file: is its beginning silent on purpose?")
    told = f"{device}: {level.dbfs:.1f} dBFS"
    if level.clipped_fraction > CLIPPED_FRACTION:
        return warn(check, f"{told}, {100 * level.clipped_fraction:.1f} % clipped", "lower the gain and calibrate again")
    if level.dbfs < QUIET_DBFS:
        return warn(check, f"{told} is hardly any sound", "raise the gain (alsamixer); is it the right device and channel?")
    return ok(check, told)


def _level(samples: NDArray[np.float32], rate_hz: int) -> Level:
    meter = LevelMeter(rate_hz, len(samples) / rate_hz)
    levels = [*meter.push(samples), meter.finish()]
    return next(level for level in levels if level is not None)
