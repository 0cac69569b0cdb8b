"""What config.yaml may say: one frozen struct per section.

A field's `description` is what an error message tells the user to write, its `meaning` the line of the reference; unknown keys are
refused everywhere.
Paths are absolute or relative to the current folder once loaded (`edge.config.load.load_config` resolves them from the file's folder).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from edge.config import credentials
from edge.config.meaning import meaning
from edge.errors import ConfigError
from edge.whole_text import whole

NAME_PATTERN = whole("[a-zA-Z0-9_-]+")
NAME_RULE = "a name of letters, digits, _ and - (it becomes part of an MQTT topic)"

Name = Annotated[str, Meta(pattern=NAME_PATTERN, max_length=64, description=NAME_RULE)]
Text = Annotated[str, Meta(min_length=1, description="text")]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
RateHz = Annotated[int, Meta(ge=4000, le=384_000, description="a sample rate from 4000 to 384000 Hz")]
Channels = Annotated[int, Meta(ge=1, le=256, description="a number of channels from 1 to 256")]
ChannelIndex = Annotated[int, Meta(ge=0, le=255)]
Seconds = Annotated[float, Meta(ge=0, le=86_400, description="seconds, from 0 to 86400")]
IntervalSeconds = Annotated[float, Meta(ge=0.5, le=86_400, description="seconds, from 0.5 to 86400")]

Verb = Literal["snooze", "mark", "reload", "recalibrate-threshold", "snapshot", "info"]
VERBS: tuple[Verb, ...] = get_args(Verb)

Channel = Annotated[ChannelIndex | Literal["mix"], Meta(description='"mix", or a channel\'s number (0 is the first)')]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping in config.yaml."""


class TlsConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """TLS to the broker. Without `ca_file` the system's certificates are trusted; the certificate is always verified."""

    enabled: Annotated[bool, meaning("`false` switches encryption off and keeps the section. `tls:` alone switches it on.")] = True
    ca_file: Annotated[
        Path | None, meaning("PEM certificate of the authority that signed the broker's certificate.", default="the system's certificates")
    ] = None
    cert_file: Annotated[Path | None, meaning("Client certificate (PEM), for a broker that asks for one.", default="none")] = None
    key_file: Annotated[Path | None, meaning("Private key of the client certificate, without a passphrase.", default="none")] = None


class MqttConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The broker."""

    host: Annotated[Text, meaning("The broker's name or address, without `mqtt://`.")]
    port: Annotated[Port, meaning("The broker's TCP port.", default="`1883`, with TLS `8883`")] = (
        0  # 0 never leaves load_config: it becomes 1883, or 8883 with TLS
    )
    protocol: Annotated[Literal["5", "3.1.1"], meaning("The version of MQTT.")] = "5"
    username: Annotated[Text | None, meaning("User name at the broker.", default="none")] = None
    password_file: Annotated[
        Path | None,
        meaning(
            "A file with the password and nothing else, read for each connection; or `credential:NAME`, a credential of systemd.",
            default="none",
        ),
    ] = None
    password_env: Annotated[
        Text | None,
        meaning(
            "Instead, an environment variable with the password. The password itself never stands in `config.yaml`.",
            default="none",
        ),
    ] = None
    client_id: Annotated[
        str, meaning("Name of this client at the broker. Two clients of one broker must not share it.", default="`auscult-<node>`")
    ] = ""  # load_config makes it auscult-<node>
    keepalive_s: Annotated[
        int,
        Meta(ge=5, le=3600, description="whole seconds from 5 to 3600"),
        meaning("After one and a half of these intervals without a packet, the broker publishes `offline` for this node."),
    ] = 60
    tls: TlsConfig | None = None
    base_topic: Annotated[Text, meaning("First part of every topic.")] = "auscult"
    allow_plaintext: Annotated[
        bool, meaning("`true` allows a password to go to another host without TLS, where others on the network can read it.")
    ] = False

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.tls is not None and self.tls.enabled

    def password(self) -> str | None:
        """Read the broker's password from where the configuration says it is; None without one.

        It is read when it is needed and never kept, so a rotated secret is picked up on the next connection.

        Raises
        ------
        ConfigError
            The file cannot be read or is empty, or the environment variable is not set.
        """
        if self.password_file is not None:
            try:
                secret = self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
                hint = f"; {credentials.remedy(self.password_file)}" if credentials.is_credential(self.password_file) else ""
                raise ConfigError(self.password_file, f"cannot read the broker's password (mqtt.password_file): {reason}{hint}") from error
            if not secret:
                raise ConfigError(self.password_file, "is empty; write the broker's password into it (mqtt.password_file)")
            return secret
        if self.password_env is not None:
            secret = os.environ.get(self.password_env, "")
            if not secret:
                raise ConfigError(
                    f"environment variable {self.password_env}", "is not set; mqtt.password_env expects the broker's password there"
                )
            return secret
        return None


class MicrophoneConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A microphone, chosen by a part of its name; indices change when a device is plugged in."""

    device: Annotated[Text, meaning("Part of a device name that `auscult devices` lists, or `default`.")]
    host_api: Annotated[
        Text | None, meaning("Part of the host API's name, such as `ALSA`, for when several devices match `device`.", default="any")
    ] = None
    rate_hz: Annotated[
        RateHz | None,
        meaning("Sample rate at which the device is opened. Every rate is resampled to the bundle's.", default="the device's own"),
    ] = None
    channels: Annotated[Channels | None, meaning("How many channels to open.", default="as many as the chosen channel needs")] = None
    channel: Annotated[Channel, meaning("Number of the channel to use (0 is the first), or `mix` for the mean of all channels.")] = 0


class FilesConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Audio files and folders of them, played in order."""

    paths: Annotated[
        tuple[Path, ...],
        Meta(min_length=1, description="a list of files or folders"),
        meaning("Audio files, or folders of them, played in this order."),
    ]
    realtime: Annotated[bool, meaning("`true` plays at the speed of the recording; `false` as fast as possible.")] = False
    loop: Annotated[bool, meaning("`true` starts again after the last file.")] = False
    channel: Annotated[Channel, meaning("Number of the channel to use, or `mix`.")] = 0


class StdinConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Raw PCM on standard input."""

    rate_hz: Annotated[RateHz, meaning("Sample rate of the raw PCM on standard input.")]
    channels: Annotated[Channels, meaning("Number of interleaved channels.")] = 1
    format: Annotated[
        Literal["s16le", "s24le", "s32le", "f32le"],
        meaning("Sample format: signed 16, 24 or 32 bit integers or 32 bit floats, all little-endian."),
    ] = "s16le"
    channel: Annotated[Channel, meaning("Number of the channel to use, or `mix`.")] = 0


class SourceConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One machine that is listened to: a bundle, and exactly one of microphone, files and stdin."""

    bundle: Annotated[
        Path,
        Meta(description="the file that `auscult calibrate` wrote"),
        meaning("The bundle that `auscult calibrate` wrote for this machine."),
    ]
    microphone: MicrophoneConfig | None = None
    files: FilesConfig | None = None
    stdin: StdinConfig | None = None


class InferenceConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the backbone runs."""

    providers: Annotated[
        tuple[Literal["cpu", "cuda", "tensorrt"], ...],
        Meta(min_length=1, description="a list of cpu, cuda and tensorrt"),
        meaning("Execution providers of ONNX Runtime in order of preference. The first that works is used."),
    ] = ("cpu",)
    threads: Annotated[int, Meta(ge=1, le=64, description="a number of threads from 1 to 64"), meaning("Threads of one inference.")] = 1


class BundlesConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which bundles are taken: all, or those that bear a signature of a trusted key."""

    trusted_keys: Annotated[
        tuple[Path, ...],
        Meta(description="a list of files, each an Ed25519 public key (PEM)"),
        meaning("Ed25519 public keys (PEM files). A signed bundle must be signed with one of them.", default="none"),
    ] = ()
    require_signature: Annotated[bool, meaning("`true` refuses bundles without a signature.")] = False


class EventsConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When windows above the threshold become an event."""

    minimum_duration_s: Annotated[Seconds, meaning("The score must stay above 1.0 for this long to open an event.")] = 0.5
    cooldown_s: Annotated[Seconds, meaning("The score must stay below `release_score` for this long to close an event.")] = 5.0
    release_score: Annotated[
        float,
        Meta(gt=0, le=1, description="a score above 0 and at most 1 (1 is the alarm threshold)"),
        meaning("An event can close only while the score is below this value. 1.0 is the alarm threshold."),
    ] = 0.9
    update_interval_s: Annotated[IntervalSeconds, meaning("How often an open event sends an `updated` message.")] = 10.0


class OutboxConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where event messages wait for the broker, and how many."""

    path: Annotated[
        Annotated[Path, Meta(description="a file on a disk that keeps what is written")] | None,
        meaning("The file in which event messages wait for the broker.", default="`outbox.sqlite` in the state folder"),
    ] = None  # see `outbox_path`
    capacity_mb: Annotated[
        float,
        Meta(ge=0.1, le=10_000, description="megabytes, from 0.1 to 10000"),
        meaning("Largest size. Beyond it the oldest messages are dropped and counted; `closed` messages are dropped last."),
    ] = 50.0
    keep_days: Annotated[
        float,
        Meta(ge=0.01, le=3650, description="days, from 0.01 to 3650"),
        meaning("Messages that wait longer than this are dropped and counted. Only time in which the daemon runs counts."),
    ] = 30.0
    replays_per_s: Annotated[
        float,
        Meta(ge=0.1, le=1000, description="messages per second, from 0.1 to 1000"),
        meaning("How fast waiting messages are sent when the broker is back."),
    ] = 50.0


class CommandsConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether the node takes commands over MQTT, and which. Who may give them is for the broker's access rules to say."""

    enabled: Annotated[bool, meaning("`true` accepts [commands over MQTT](alerts.md#commands-over-mqtt).")] = False
    allow: Annotated[
        tuple[Verb, ...],
        Meta(min_length=1, description=f"a list of {', '.join(VERBS)}"),
        meaning("The commands that the node accepts.", default="all"),
    ] = VERBS


class ClipsConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether the sound of events is kept, where, and for how long."""

    enabled: Annotated[bool, meaning("`true` keeps the [sound of events](alerts.md#clips) on this device.")] = False
    folder: Annotated[
        Annotated[Path, Meta(description="a folder on a disk with room")] | None,
        meaning(
            "Where clips are kept. Open a folder outside the state folder to the service with `ReadWritePaths=`.",
            default="`clips` in the state folder",
        ),
    ] = None  # see `clips_folder`
    before_s: Annotated[
        float, Meta(ge=0, le=20, description="seconds, from 0 to 20"), meaning("Seconds of sound to keep before the event.")
    ] = 5.0
    after_s: Annotated[
        float, Meta(ge=0, le=20, description="seconds, from 0 to 20"), meaning("Seconds of sound to keep after the event.")
    ] = 5.0
    keep_days: Annotated[float, Meta(ge=0.01, le=3650, description="days, from 0.01 to 3650"), meaning("Older clips are deleted.")] = 30.0
    capacity_mb: Annotated[
        float,
        Meta(ge=1, le=1_000_000, description="megabytes, from 1 to 1000000"),
        meaning("Largest size of all clips. Beyond it the oldest are deleted. Snapshots use at most a tenth of it."),
    ] = 500.0


class HealthConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often the node tells how it is."""

    interval_s: Annotated[IntervalSeconds, meaning("How often `health` is published.")] = 60.0


class LogConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is logged to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], meaning("How much is logged to standard error, which systemd keeps in the journal.")
    ] = "info"


class Config(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of config.yaml."""

    node: Annotated[Name, meaning("Name of this device in every topic: letters, digits, `_` and `-`.")]
    mqtt: MqttConfig
    sources: Annotated[dict[Name, SourceConfig], Meta(min_length=1, description="a mapping with at least one source")]
    inference: InferenceConfig = InferenceConfig()
    bundles: BundlesConfig = BundlesConfig()
    events: EventsConfig = EventsConfig()
    outbox: OutboxConfig = OutboxConfig()
    commands: CommandsConfig = CommandsConfig()
    clips: ClipsConfig = ClipsConfig()
    health: HealthConfig = HealthConfig()
    log: LogConfig = LogConfig()

    @property
    def state_folder(self) -> Path:
        """Where the node keeps what it must not forget: systemd's StateDirectory, or the node's own in the user's state folder."""
        if folder := os.environ.get("STATE_DIRECTORY", "").split(":")[0]:
            return Path(folder)
        home = os.environ.get("XDG_STATE_HOME", "")
        return (Path(home) if home else Path.home() / ".local" / "state") / "auscult" / self.node

    @property
    def outbox_path(self) -> Path:
        """`outbox.path`, or a file in the state folder."""
        return self.outbox.path or self.state_folder / "outbox.sqlite"

    @property
    def clips_folder(self) -> Path:
        """`clips.folder`, or one in the state folder."""
        return self.clips.folder or self.state_folder / "clips"

    def password(self) -> str | None:
        """The broker's password; see `MqttConfig.password`."""
        return self.mqtt.password()
