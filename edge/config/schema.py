"""The contents of config.yaml: one frozen struct per section.

A field's `description` is what an error message tells the user to write, its `meaning` the line of the reference; unknown keys are
refused everywhere.
Paths are absolute or relative to the current folder once loaded (`edge.config.load.load_config` resolves them from the file's folder).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, get_args

from msgspec import Meta

from edge.config.address import Listen
from edge.config.dashboard_section import DashboardConfig, DashboardTlsConfig
from edge.config.meaning import meaning
from edge.config.mqtt_section import MqttConfig, TlsConfig
from edge.config.section import NAME_PATTERN, NAME_RULE, IntervalSeconds, Name, Seconds, Section, Text
from edge.config.source_section import FilesConfig, LearnConfig, MicrophoneConfig, SourceConfig, StdinConfig, UrlConfig

__all__ = [
    "NAME_PATTERN",
    "NAME_RULE",
    "VERBS",
    "BundlesConfig",
    "ClipsConfig",
    "CommandsConfig",
    "Config",
    "DashboardConfig",
    "DashboardTlsConfig",
    "DriftConfig",
    "EventsConfig",
    "FilesConfig",
    "FleetConfig",
    "HealthConfig",
    "HomeAssistantConfig",
    "InferenceConfig",
    "LearnConfig",
    "LogConfig",
    "MetricsConfig",
    "MicrophoneConfig",
    "MqttConfig",
    "OutboxConfig",
    "SourceConfig",
    "StdinConfig",
    "TlsConfig",
    "UrlConfig",
    "Verb",
    "state_folder",
]

Verb = Literal["snooze", "mark", "reload", "recalibrate-threshold", "snapshot", "watch", "rollback", "accept", "info"]
VERBS: tuple[Verb, ...] = get_args(Verb)


class InferenceConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the backbone runs."""

    providers: Annotated[
        tuple[Literal["cpu", "cuda", "tensorrt"], ...],
        Meta(min_length=1, description="a list of cpu, cuda and tensorrt"),
        meaning("Execution providers of ONNX Runtime in order of preference. The first that works is used."),
    ] = ("cpu",)
    threads: Annotated[int, Meta(ge=1, le=64, description="a number of threads from 1 to 64"), meaning("Threads of one inference.")] = 1


class BundlesConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which bundles are taken: all, or those that bear a signature of a trusted key."""

    trusted_keys: Annotated[
        tuple[Path, ...],
        Meta(description="a list of files, each an Ed25519 public key (PEM)"),
        meaning("Ed25519 public keys (PEM files). A signed bundle must be signed with one of them.", default="none"),
    ] = ()
    require_signature: Annotated[bool, meaning("`true` refuses bundles without a signature.")] = False


class EventsConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When windows above the threshold become an event."""

    minimum_duration_s: Annotated[
        Seconds,
        meaning("The score must stay above 1.0 for this long to open an event. A score [far above](alerts.md#events) opens it at once."),
    ] = 0.5
    cooldown_s: Annotated[Seconds, meaning("The score must stay below `release_score` for this long to close an event.")] = 5.0
    release_score: Annotated[
        float,
        Meta(gt=0, le=1, description="a score above 0 and at most 1 (1 is the alarm threshold)"),
        meaning("An event can close only while the score is below this value. 1.0 is the alarm threshold."),
    ] = 0.9
    update_interval_s: Annotated[IntervalSeconds, meaning("How often an open event sends an `updated` message.")] = 10.0


class OutboxConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
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


class CommandsConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether the node accepts commands over MQTT, and which. The broker's access rules decide who may send them."""

    enabled: Annotated[bool, meaning("`true` accepts [commands over MQTT](alerts.md#commands-over-mqtt).")] = False
    allow: Annotated[
        tuple[Verb, ...],
        Meta(min_length=1, description=f"a list of {', '.join(VERBS)}"),
        meaning("The commands that the node accepts.", default="all"),
    ] = VERBS


class ClipsConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
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


class HomeAssistantConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """MQTT discovery for Home Assistant."""

    enabled: Annotated[bool, meaning("`true` makes the sources appear in [Home Assistant](home-assistant.md) by themselves.")] = False
    prefix: Annotated[Text, meaning("The discovery prefix that is set in Home Assistant's MQTT integration.")] = "homeassistant"


class DriftConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether it is measured how normal sound changes over days and weeks."""

    enabled: Annotated[bool, meaning("`false` measures no [drift](alerts.md#drift), and keeps nothing for it.")] = True


class HealthConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often the node reports its health."""

    interval_s: Annotated[IntervalSeconds, meaning("How often `health` is published.")] = 60.0


class MetricsConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether the node serves its figures over HTTP, and where."""

    listen: Annotated[
        Listen | None,
        meaning(
            "Serves [metrics for Prometheus](metrics.md) here, at `/metrics`. Needs the extra `[metrics]`.", default="none, metrics are off"
        ),
    ] = None


class LogConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is logged to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], meaning("How much is logged to standard error, which systemd keeps in the journal.")
    ] = "info"


def state_folder(node: str) -> Path:
    """Where a node keeps what it must not forget: systemd's StateDirectory, or the node's own in the user's state folder."""
    if folder := os.environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(folder)
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if home else Path.home() / ".local" / "state") / "auscult" / node


class Config(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
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
    homeassistant: HomeAssistantConfig = HomeAssistantConfig()
    drift: DriftConfig = DriftConfig()
    health: HealthConfig = HealthConfig()
    metrics: MetricsConfig = MetricsConfig()
    dashboard: DashboardConfig = DashboardConfig()
    log: LogConfig = LogConfig()

    @property
    def state_folder(self) -> Path:
        """Where the node keeps what it must not forget; see the function of this name."""
        return state_folder(self.node)

    @property
    def outbox_path(self) -> Path:
        """`outbox.path`, or a file in the state folder."""
        return self.outbox.path or self.state_folder / "outbox.sqlite"

    @property
    def discovery_path(self) -> Path:
        """A file beside the outbox with the discovery topics that this node has used."""
        return self.outbox_path.with_name(f"{self.outbox_path.name}.homeassistant")

    @property
    def clips_folder(self) -> Path:
        """`clips.folder`, or one in the state folder."""
        return self.clips.folder or self.state_folder / "clips"

    def password(self) -> str | None:
        """The broker's password; see `MqttConfig.password`."""
        return self.mqtt.password()


class FleetConfig(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The config.yaml of a computer that listens to no machine, and shows those of others: the dashboard's alone."""

    mqtt: MqttConfig
    dashboard: DashboardConfig = DashboardConfig()
    log: LogConfig = LogConfig()
