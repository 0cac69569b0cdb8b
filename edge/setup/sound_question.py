"""Where the sound comes from: a microphone with its level shown, a file, or a stream."""

from __future__ import annotations

from pathlib import Path

from edge.audio.channels import Channel, parse_channel
from edge.config.schema import FilesConfig, MicrophoneConfig, UrlConfig
from edge.errors import DeviceError
from edge.setup.meter import show_levels
from edge.setup.terminal import Terminal
from edge.sources.inputs import InputDevice, choose_input, name_for
from edge.sources.microphone import MOST_CHANNELS, Microphone
from edge.sources.portaudio import list_inputs
from edge.sources.stream_address import address_problem

Sound = MicrophoneConfig | FilesConfig | UrlConfig


def ask_sound(terminal: Terminal) -> Sound:
    """Ask until there is an answer."""
    devices = _listed(terminal)
    while True:
        what = "Number or name of the microphone, a file or folder, or the address of a stream"
        written = terminal.ask(what if devices else "A file or folder, or the address of a stream", "1" if devices else "")
        if "://" in written:
            if (problem := address_problem(written)) is None:
                return UrlConfig(address=written)
            terminal.say(f"  {problem}")
        elif written and Path(written).expanduser().exists():
            return FilesConfig(paths=(Path(written).expanduser().absolute(),), realtime=True, loop=True)
        elif written:
            try:
                if (sound := _microphone(written, devices, terminal)) is not None:
                    return sound
            except DeviceError as error:
                terminal.say(f"  {error}")


def _listed(terminal: Terminal) -> list[InputDevice]:
    try:
        devices = list_inputs()
    except DeviceError as error:
        terminal.say(f"  {error}")
        return []
    if not devices:
        terminal.say("  There is no microphone. Plug one in and begin again, or take a file or a stream.")
    for number, device in enumerate(devices, 1):
        channels = f"{device.channels} channel{'s' * (device.channels > 1)}"
        terminal.say(f"  {number}  {device}, {device.default_rate_hz} Hz, {channels}{' (the default)' * device.is_default}")
    return devices


def _microphone(written: str, devices: list[InputDevice], terminal: Terminal) -> MicrophoneConfig | None:
    """Listen to a device; None when the user wants another one. Raises DeviceError."""
    number = int(written) if written.isdecimal() else 0
    device = devices[number - 1] if 1 <= number <= len(devices) else choose_input(devices, written)
    name, host_api = name_for(device, devices)
    channels = device.channels if device.channels <= MOST_CHANNELS else 1
    terminal.say(f"  {device}: knock on the microphone and see whether this moves. Then press Enter.")
    levels = show_levels([Microphone("setup", name, host_api=host_api, channel=channel) for channel in range(channels)], terminal)
    channel: Channel = 0
    if channels > 1:
        channel = _ask_channel(channels, terminal)
    heard = levels if channel == "mix" else [levels[channel]]
    if all(level is None or level.dead for level in heard):
        terminal.say("  It gives no sound: muted, unplugged at the other end, or another channel?")
        if not terminal.confirm("Take it all the same?"):
            return None
    elif not terminal.confirm("Take this one?", default=True):
        return None
    return MicrophoneConfig(device=name, host_api=host_api, channel=channel)


def _ask_channel(channels: int, terminal: Terminal) -> Channel:
    while True:
        written = terminal.ask(f"Channel, 0 to {channels - 1}, or mix for the mean of all", "0")
        if written == "mix" or (written.isdecimal() and int(written) < channels):
            return parse_channel(written)
