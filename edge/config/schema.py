"""What config.yaml may say: one frozen struct per section.

A field's `description` is what an error message tells the user to write; unknown keys are refused everywhere.
Paths are absolute or relative to the current folder once loaded (`edge.config.load.load_config` resolves them from the file's folder).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from edge.config import credentials
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

    enabled: bool = True
    ca_file: Path | None = None
    cert_file: Path | None = None  # a client certificate, with its key
    key_file: Path | None = None


class MqttConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The broker."""

    host: Text
    port: Port = 0  # 0 never leaves load_config: it becomes 1883, or 8883 with TLS
    protocol: Literal["5", "3.1.1"] = "5"
    username: Text | None = None
    password_file: Path | None = None
    password_env: Text | None = None
    client_id: str = ""  # load_config makes it auscult-<node>
    keepalive_s: Annotated[int, Meta(ge=5, le=3600, description="whole seconds from 5 to 3600")] = 60
    tls: TlsConfig | None = None
    base_topic: Text = "auscult"
    allow_plaintext: bool = False

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

    device: Text
    host_api: Text | None = None
    rate_hz: RateHz | None = None  # the device's own rate
    channels: Channels | None = None  # as many as the chosen channel needs
    channel: Channel = 0


class FilesConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Audio files and folders of them, played in order."""

    paths: Annotated[tuple[Path, ...], Meta(min_length=1, description="a list of files or folders")]
    realtime: bool = False
    loop: bool = False
    channel: Channel = 0


class StdinConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Raw PCM on standard input."""

    rate_hz: RateHz
    channels: Channels = 1
    format: Literal["s16le", "s24le", "s32le", "f32le"] = "s16le"
    channel: Channel = 0


class SourceConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One machine that is listened to: a bundle, and exactly one of microphone, files and stdin."""

    bundle: Annotated[Path, Meta(description="the file that `auscult calibrate` wrote")]
    microphone: MicrophoneConfig | None = None
    files: FilesConfig | None = None
    stdin: StdinConfig | None = None


class InferenceConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the backbone runs."""

    providers: Annotated[
        tuple[Literal["cpu", "cuda", "tensorrt"], ...], Meta(min_length=1, description="a list of cpu, cuda and tensorrt")
    ] = ("cpu",)
    threads: Annotated[int, Meta(ge=1, le=64, description="a number of threads from 1 to 64")] = 1


class BundlesConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which bundles are taken: all, or those that bear a signature of a trusted key."""

    trusted_keys: Annotated[tuple[Path, ...], Meta(description="a list of files, each an Ed25519 public key (PEM)")] = ()
    require_signature: bool = False


class EventsConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When windows above the threshold become an event."""

    minimum_duration_s: Seconds = 0.5
    cooldown_s: Seconds = 5.0
    release_score: Annotated[float, Meta(gt=0, le=1, description="a score above 0 and at most 1 (1 is the alarm threshold)")] = 0.9
    update_interval_s: IntervalSeconds = 10.0


class OutboxConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where event messages wait for the broker, and how many."""

    path: Annotated[Path, Meta(description="a file on a disk that keeps what is written")] | None = None  # see `outbox_path`
    capacity_mb: Annotated[float, Meta(ge=0.1, le=10_000, description="megabytes, from 0.1 to 10000")] = 50.0
    keep_days: Annotated[float, Meta(ge=0.01, le=3650, description="days, from 0.01 to 3650")] = 30.0
    replays_per_s: Annotated[float, Meta(ge=0.1, le=1000, description="messages per second, from 0.1 to 1000")] = 50.0


class CommandsConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether the node takes commands over MQTT, and which. Who may give them is for the broker's access rules to say."""

    enabled: bool = False
    allow: Annotated[tuple[Verb, ...], Meta(min_length=1, description=f"a list of {', '.join(VERBS)}")] = VERBS


class ClipsConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether the sound of events is kept, where, and for how long."""

    enabled: bool = False
    folder: Annotated[Path, Meta(description="a folder on a disk with room")] | None = None  # see `clips_folder`
    before_s: Annotated[float, Meta(ge=0, le=20, description="seconds, from 0 to 20")] = 5.0
    after_s: Annotated[float, Meta(ge=0, le=20, description="seconds, from 0 to 20")] = 5.0
    keep_days: Annotated[float, Meta(ge=0.01, le=3650, description="days, from 0.01 to 3650")] = 30.0
    capacity_mb: Annotated[float, Meta(ge=1, le=1_000_000, description="megabytes, from 1 to 1000000")] = 500.0


class HealthConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often the node tells how it is."""

    interval_s: IntervalSeconds = 60.0


class LogConfig(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is logged to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of config.yaml."""

    node: Name
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
