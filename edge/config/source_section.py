"""The section `sources` of config.yaml: one machine each, with its bundle and where its sound comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from edge.config.meaning import meaning
from edge.config.secret_file import read_secret
from edge.config.section import Section, Text
from edge.errors import ConfigError
from edge.sources.stream_address import Login

RateHz = Annotated[int, Meta(ge=4000, le=384_000, description="a sample rate from 4000 to 384000 Hz")]
Channels = Annotated[int, Meta(ge=1, le=256, description="a number of channels from 1 to 256")]
ChannelIndex = Annotated[int, Meta(ge=0, le=255)]
Channel = Annotated[ChannelIndex | Literal["mix"], Meta(description='"mix", or a channel\'s number (0 is the first)')]


class MicrophoneConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A microphone, chosen by a part of its name; indices change when a device is plugged in."""

    device: Annotated[Text, meaning("Part of a device name that `auscult devices` lists, or `default`.")]
    host_api: Annotated[
        Text | None, meaning("Part of the host API's name, such as `ALSA`, for when several devices match `device`.", default="any")
    ] = None
    rate_hz: Annotated[
        RateHz | None,
        meaning(
            "Sample rate at which the device is opened. Every rate is resampled to the bundle's. Sources of one device with the same "
            "`rate_hz` and `channels` share one stream.",
            default="the device's own",
        ),
    ] = None
    channels: Annotated[
        Channels | None, meaning("How many channels to open.", default="all; of more than 8 as many as `channel` needs")
    ] = None
    channel: Annotated[Channel, meaning("Number of the channel to use (0 is the first), or `mix` for the mean of all channels.")] = 0


class FilesConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Audio files and folders of them, played in order."""

    paths: Annotated[
        tuple[Path, ...],
        Meta(min_length=1, description="a list of files or folders"),
        meaning("Audio files (WAV, FLAC, OGG, MP3), or folders of them, played in this order."),
    ]
    realtime: Annotated[bool, meaning("`true` plays at the speed of the recording; `false` as fast as possible.")] = False
    loop: Annotated[bool, meaning("`true` starts again after the last file.")] = False
    channel: Annotated[Channel, meaning("Number of the channel to use, or `mix`.")] = 0


class StdinConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Raw PCM on standard input."""

    rate_hz: Annotated[RateHz, meaning("Sample rate of the raw PCM on standard input.")]
    channels: Annotated[Channels, meaning("Number of interleaved channels.")] = 1
    format: Annotated[
        Literal["s16le", "s24le", "s32le", "f32le"],
        meaning("Sample format: signed 16, 24 or 32 bit integers or 32 bit floats, all little-endian."),
    ] = "s16le"
    channel: Annotated[Channel, meaning("Number of the channel to use, or `mix`.")] = 0


class UrlConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A stream from the network, which ffmpeg reads."""

    address: Annotated[
        Text,
        meaning("Address of the stream, such as `rtsp://camera.local/stream` or `https://radio.local/a.mp3`, without user and password."),
    ]
    credentials_file: Annotated[
        Path | None,
        meaning(
            "A file with `user:password` and nothing else, read for each connection; or `credential:NAME`, a credential of systemd.",
            default="none",
        ),
    ] = None
    ca_file: Annotated[
        Path | None,
        meaning("PEM certificate of the authority that signed the server's, for `https://`.", default="the system's certificates"),
    ] = None
    rate_hz: Annotated[
        RateHz, meaning("Sample rate to which ffmpeg resamples. For a stream that has less, such as a camera's 8000, write that.")
    ] = 32_000
    channels: Annotated[Channels, meaning("How many channels ffmpeg gives; it mixes the stream's to as many.")] = 1
    channel: Annotated[Channel, meaning("Number of the channel to use, or `mix`.")] = 0

    def login(self) -> Login | None:
        """Read who we are at the server, for each connection anew; None without `credentials_file`.

        Raises
        ------
        ConfigError
            The file cannot be read, or does not hold user:password.
        """
        if self.credentials_file is None:
            return None
        missing = "write user:password into this file, or remove url.credentials_file if the server asks for no login"
        user, colon, password = read_secret(self.credentials_file, "the stream's login", "url.credentials_file", missing).partition(":")
        if not user or not colon:
            raise ConfigError(self.credentials_file, "expected user:password on one line (url.credentials_file)")
        return Login(user, password)


class LearnConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Learning in place: features of normal sound are kept, and better bundles are made of them."""

    days: Annotated[
        float,
        Meta(ge=0.01, le=30, description="days, from 0.01 to 30"),
        meaning("Learning ends after so many days of normal sound; only sound that was learned counts."),
    ] = 7.0
    first_minutes: Annotated[
        float,
        Meta(ge=15, le=1440, description="minutes, from 15 to 1440"),
        meaning(
            "Without `bundle`: minutes of sound until the first bundle is in force, and with it the first alarms. A machine whose cycle is "
            "longer wants more."
        ),
    ] = 30.0


class SourceConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One machine that is listened to: a bundle or `learn` or both, and exactly one of microphone, files, stdin and url."""

    bundle: Annotated[
        Annotated[Path, Meta(description="the file that `auscult calibrate` wrote")] | None,
        meaning(
            "The bundle that `auscult calibrate` wrote for this machine. It may be left out of a source with `learn`.",
            default="none, the source [learns by itself](calibrate.md#without-recordings)",
        ),
    ] = None
    microphone: MicrophoneConfig | None = None
    files: FilesConfig | None = None
    stdin: StdinConfig | None = None
    url: UrlConfig | None = None
    learn: LearnConfig | None = None
