"""The input devices, and the one that a name selects."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.errors import DeviceError

DEFAULT = "default"
NOT_LISTED = -1  # the index of a device that another process has seen
_ALSA_INDEX = re.compile(r"\s*\(hw:\d+,\d+\)\s*\Z")  # depends on what was plugged in first
_INDEX_ALONE = re.compile(r"\s*\(?(hw:)?[\d,\s]*\)?\s*")


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A device that can record."""

    index: int  # PortAudio's own, good until the next listing; or NOT_LISTED
    name: str
    host_api: str
    channels: int
    default_rate_hz: int
    is_default: bool

    @property
    def stable_name(self) -> str:
        """The name without the ALSA card index, which changes."""
        return _ALSA_INDEX.sub("", self.name)

    def __str__(self) -> str:
        return f"{self.name} ({self.host_api})"


def name_problem(wanted: str) -> str | None:
    """What is wrong with choosing a device by `wanted`; None when nothing is."""
    if _INDEX_ALONE.fullmatch(wanted):
        return "not a name; numbers change when a device is plugged in, so write part of a name that `auscult devices` lists"
    return None


def choose_input(devices: Sequence[InputDevice], wanted: str, host_api: str | None = None) -> InputDevice:
    """The one device whose name contains `wanted`, in any case; a name that equals it goes before names that contain it.

    Parameters
    ----------
    devices : every input device
    wanted : part of a device name, or "default"
    host_api : part of the name of the host API that must offer it, such as "alsa"

    Raises
    ------
    DeviceError : none or several fit, or `wanted` is only a number
    """
    subject = f'device "{wanted}"'
    if problem := name_problem(wanted):
        raise DeviceError(subject, f"{problem}: {_listed(devices)}")
    offered = [device for device in devices if host_api is None or host_api.lower() in device.host_api.lower()]
    where = "" if host_api is None else f" with host_api {host_api}"
    key = wanted.lower()
    # "default" is what PortAudio says it is, whatever it is called.
    if key == DEFAULT and (defaults := [device for device in offered if device.is_default]):
        return defaults[0]
    fits: tuple[Callable[[InputDevice], bool], ...] = (
        lambda device: device.name.lower() == key,
        lambda device: device.stable_name.lower() == key,
        lambda device: key in device.name.lower(),
    )
    for fit in fits:
        fitting = [device for device in offered if fit(device)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise DeviceError(subject, f"fits {len(fitting)} input devices{where}: {_listed(fitting)}; write more of the name, or host_api")
    raise DeviceError(subject, f"no such input device{where}; available: {_listed(devices)}")


def name_for(device: InputDevice, devices: Sequence[InputDevice]) -> tuple[str, str | None]:
    """What to write as `device` and, where the name alone does not do, `host_api` to get `device` out of `devices`.

    Two devices that differ in nothing but their ALSA index can only be told apart by the index; then it stays in the name.
    """
    for name, host_api in ((device.stable_name, None), (device.stable_name, device.host_api), (device.name, None)):
        try:
            if choose_input(devices, name, host_api) is device:
                return name, host_api
        except DeviceError:
            continue
    return device.name, device.host_api


def _listed(devices: Sequence[InputDevice]) -> str:
    return ", ".join(f'"{device.name}" ({device.host_api})' for device in devices) or "none; plug one in and see `auscult devices`"
