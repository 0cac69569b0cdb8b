"""What the command line says already."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from edge.audio.channels import Channel, parse_channel
from edge.config.schema import FilesConfig, MicrophoneConfig, MqttConfig, TlsConfig, UrlConfig
from edge.errors import UserError
from edge.setup.broker_answer import parse_broker

DAYS = 7  # that a source without a bundle learns for


@dataclass(frozen=True, slots=True)
class Options:
    """The answers that were given as options; None where one was not."""

    config: Path
    device: str | None
    host_api: str | None
    channel: Channel | None
    files: list[Path] | None
    url: str | None
    url_credentials_file: Path | None
    broker: str | None
    tls: bool | None
    ca_file: Path | None
    username: str | None
    password_file: Path | None
    allow_plaintext: bool
    node: str | None
    source: str | None
    learn: bool | None
    keep: Path | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Options:
        """Paths are made absolute: those in a configuration are taken from its own folder."""
        values = {name: getattr(arguments, name) for name in cls.__slots__}
        absolute = {name: value.expanduser().absolute() for name, value in values.items() if isinstance(value, Path)}
        files = arguments.files and [path.expanduser().absolute() for path in arguments.files]
        return cls(**{**values, **absolute, "files": files})

    def sound(self) -> MicrophoneConfig | FilesConfig | UrlConfig | None:
        """Where the sound comes from, if that was said; UserError when it was said twice."""
        given = [f"--{name}" for name in ("device", "files", "url") if getattr(self, name) is not None]
        if len(given) > 1:
            raise UserError("setup", f"one source has one input: {' or '.join(given)}")
        if self.device is not None:
            return MicrophoneConfig(device=self.device, host_api=self.host_api, channel=self.channel or 0)
        if self.files is not None:
            return FilesConfig(paths=tuple(self.files), realtime=True, loop=True, channel=self.channel or 0)
        if self.url is not None:
            return UrlConfig(address=self.url, credentials_file=self.url_credentials_file)
        return None

    def mqtt(self, written: str) -> MqttConfig:
        """The broker as far as options say; UserError when `written` is none."""
        host, port, implied = parse_broker(written)
        tls = self.tls if self.tls is not None else implied or self.ca_file is not None
        return MqttConfig(
            host=host,
            port=port,
            username=self.username,
            password_file=self.password_file,
            tls=TlsConfig(ca_file=self.ca_file) if tls else None,
            allow_plaintext=self.allow_plaintext,
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """One option for each answer."""
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="FILE", help="what to write (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="replace a configuration that is there; the old one is kept as .bak")
    parser.add_argument("--yes", action="store_true", help="ask nothing: what has no option takes its default, or is named as missing")
    sound = parser.add_argument_group("1. where the sound comes from")
    sound.add_argument("--device", metavar="NAME", help="part of a microphone's name that `auscult devices` lists")
    sound.add_argument("--host-api", metavar="NAME", help="part of the host API's name, when several devices match")
    sound.add_argument("--channel", type=parse_channel, metavar="N", help="channel to use, 0 for the first, or mix")
    sound.add_argument("--files", type=Path, nargs="+", metavar="PATH", help="audio files or folders instead, played in a loop")
    sound.add_argument("--url", metavar="ADDRESS", help="a stream instead, such as rtsp://camera.local/stream")
    sound.add_argument("--url-credentials-file", type=Path, metavar="FILE", help="a file with user:password for the stream")
    broker = parser.add_argument_group("2. the broker")
    broker.add_argument("--broker", metavar="HOST[:PORT]", help="name or address; [fe80::1]:8883 and mqtts://broker.local too")
    broker.add_argument("--tls", action=argparse.BooleanOptionalAction, help="whether it speaks TLS (default: with port 8883)")
    broker.add_argument("--ca-file", type=Path, metavar="FILE", help="PEM certificate of the authority that signed the broker's")
    broker.add_argument("--username", metavar="NAME", help="user name at the broker")
    broker.add_argument("--password-file", type=Path, metavar="FILE", help="a file with the password; never the password itself")
    broker.add_argument("--allow-plaintext", action="store_true", help="let the password go to another host without TLS")
    parser.add_argument_group("3. the node").add_argument("--node", metavar="NAME", help="its name in topics (default: the host's name)")
    source = parser.add_argument_group("4. the machine that it listens to")
    source.add_argument("--source", metavar="NAME", help="its name in topics (default: machine1)")
    source.add_argument(
        "--learn",
        action=argparse.BooleanOptionalAction,
        help=f"learn the machine in place, for {DAYS} days, or make a bundle of recordings first (default: --learn)",
    )
    keep = parser.add_argument_group("5. where to keep things")
    keep.add_argument("--keep", type=Path, metavar="FOLDER", help="bundles, recordings and waiting events (default: the state folder)")
