"""`auscult devices`: the microphones there are, and what to write in config.yaml to get each."""

from __future__ import annotations

import argparse
import json

from edge.console.output import aligned, print_document
from edge.sources.inputs import InputDevice, name_for
from edge.sources.portaudio import list_inputs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = "List input devices and what to write in config.yaml to listen to each."
    parser.epilog = "example: auscult devices --format json"
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the list (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """List the devices on stdout."""
    devices = list_inputs()
    print_document({"devices": [_described(device, devices) for device in devices]}, args.format, lambda: _table(devices))
    return 0


def _described(device: InputDevice, devices: list[InputDevice]) -> dict[str, object]:
    wanted, host_api = name_for(device, devices)
    return {
        "name": device.name,
        "host_api": device.host_api,
        "default_rate_hz": device.default_rate_hz,
        "channels": device.channels,
        "default": device.is_default,
        "config": {"device": wanted} if host_api is None else {"device": wanted, "host_api": host_api},
    }


def _table(devices: list[InputDevice]) -> list[str]:
    if not devices:
        return ["No input devices. Plug a microphone in, and check that this user is in the group `audio`."]
    rows = [("name", "host API", "rate", "channels", "in config.yaml, under microphone:")]
    for device in devices:
        wanted, host_api = name_for(device, devices)
        config = f"device: {json.dumps(wanted, ensure_ascii=False)}"
        if host_api is not None:
            config += f", host_api: {json.dumps(host_api, ensure_ascii=False)}"
        name = device.name + " *" * device.is_default
        rows.append((name, device.host_api, f"{device.default_rate_hz} Hz", str(device.channels), config))
    return aligned(rows) + ["* the default"] * any(device.is_default for device in devices)
