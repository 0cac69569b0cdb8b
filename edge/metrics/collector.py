"""What a node knows of itself, as metrics of Prometheus.

Nothing is counted here: each number is the one that `health`, `info` or the last score says. Names and units follow
https://prometheus.io/docs/practices/naming/. What a device cannot tell is left out, as its JSON has null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.metrics.family import counter, flag, gauge
from edge.mqtt.payloads import BrokerHealth, BrokerState, HealthPayload, InfoPayload, OutboxPayload
from edge.node.node_report import NodeReport


class NodeCollector(Collector):
    """Asks for a report at every scrape."""

    def __init__(self, report: Callable[[], NodeReport]) -> None:
        """`report` may raise TimeoutError, as `collect` does then."""
        self._report = report

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry is not to ask the daemon when it is made."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The metrics of this moment."""
        report = self._report()
        yield InfoMetricFamily("auscult_build", "The node and its version.", {"node": report.info.node, "version": report.info.version})
        yield from _device(report.health)
        yield _inference(report)
        yield from _outbox(report.health.outbox)
        yield from _broker(report.health.broker)
        yield from _parts(report.health)
        yield from _sources_heard(report.health)
        yield from _sources_scored(report)
        yield from _sources_bundles(report.info)


def _device(health: HealthPayload) -> Iterator[Metric]:
    yield flag("auscult_clock_synchronized", "Whether the system's clock is synchronised.", health.clock_synced)
    yield gauge("auscult_temperature_celsius", "Temperature of the hottest sensor.", health.temperature_c)
    yield flag("auscult_throttled", "Whether the board slows its processor down.", health.throttled)
    yield gauge("auscult_disk_free_ratio", "Free part of the disk with the bundles.", health.disk_free_fraction)


def _inference(report: NodeReport) -> Metric:
    """A summary, as the daemon measures it: quantiles of recent windows, sum and count of all."""
    name = "auscult_inference_seconds"
    summary = Metric(name, "Time from samples to the score of one window; quantiles are of the last 1200 windows.", "summary")
    for quantile, milliseconds in (("0.5", report.health.inference_p50_ms), ("0.95", report.health.inference_p95_ms)):
        if milliseconds is not None:
            summary.add_sample(name, {"quantile": quantile}, milliseconds / 1000.0)
    summary.add_sample(f"{name}_sum", {}, report.inference_s)
    summary.add_sample(f"{name}_count", {}, report.inference_windows)
    return summary


def _outbox(outbox: OutboxPayload) -> Iterator[Metric]:
    yield gauge("auscult_outbox_messages", "Event messages that wait for the broker.", outbox.depth)
    yield gauge("auscult_outbox_bytes", "Size of what waits.", outbox.waiting_bytes)
    yield gauge("auscult_outbox_oldest_age_seconds", "Age of the oldest message that waits.", outbox.oldest_age_s)
    yield flag("auscult_outbox_durable", "Whether what waits survives a crash.", outbox.durable)
    dropped = CounterMetricFamily("auscult_outbox_dropped_messages", "Event messages that were dropped.", labels=["reason"])
    reasons = {"expired": outbox.expired, "refused": outbox.refused}
    for reason, count in {**reasons, "other": outbox.dropped - sum(reasons.values())}.items():
        dropped.add_metric([reason], count)
    yield dropped


def _broker(broker: BrokerHealth) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "auscult_broker_state", "1 for the state of the connection to the broker, 0 for the others.", labels=["state"]
    )
    for name in get_args(BrokerState):
        state.add_metric([name], broker.state == name)
    yield state
    yield gauge("auscult_broker_state_timestamp_seconds", "When this state began, since 1970.", _epoch_s(broker.since))
    yield gauge("auscult_broker_failed_attempts", "Failed attempts since a connection last held.", broker.attempts)
    yield counter("auscult_broker_connections", "Connections to the broker.", broker.connections)


def _parts(health: HealthPayload) -> Iterator[Metric]:
    """What a node may have, or not."""
    if (reload := health.reload) is not None:
        yield flag("auscult_config_last_reload_successful", "Whether the last reload was applied.", reload.result == "applied")
        yield gauge("auscult_config_last_reload_timestamp_seconds", "When that was known, since 1970.", _epoch_s(reload.at))
    if (commands := health.commands) is not None:
        yield flag("auscult_commands_subscribed", "Whether the broker lets the node take commands.", commands.state == "subscribed")
        yield counter("auscult_commands_taken", "Commands received.", commands.taken)
        yield counter("auscult_commands_refused", "Of these, answered with an error.", commands.refused)
        yield counter("auscult_commands_dropped", "Commands that came too fast and were not answered.", commands.dropped)
    if (clips := health.clips) is not None:
        yield counter("auscult_clips_written", "Clips written.", clips.written)
        yield counter("auscult_clips_failed", "Clips that could not be written.", clips.failed)
        yield counter("auscult_clips_deleted", "Clips deleted because of age or space.", clips.deleted)
        yield gauge("auscult_clips_bytes", "Size of all clips.", clips.stored_bytes)


def _sources_heard(health: HealthPayload) -> Iterator[Metric]:
    """How the sources fare."""
    of = {name: {"source": name} for name in health.sources}
    heard = [(of[name], source) for name, source in health.sources.items()]
    name = "auscult_source_"
    yield flag(f"{name}available", "Whether plausible sound arrives.", [(by, source.availability == "online") for by, source in heard])
    yield gauge(f"{name}warnings", "Things that need attention; health names them.", [(by, len(source.warnings)) for by, source in heard])
    yield counter(f"{name}xruns", "Buffer overruns of the device.", [(by, source.xruns) for by, source in heard])
    yield counter(f"{name}lost_seconds", "Audio that was not scored, whatever the cause.", [(by, source.lost_s) for by, source in heard])
    yield counter(f"{name}shed_seconds", "Of these, dropped because inference was too slow.", [(by, source.shed_s) for by, source in heard])
    yield gauge(f"{name}lag_seconds", "How far scoring is behind the sound.", [(by, source.lag_s) for by, source in heard])
    yield gauge(f"{name}sample_rate_hertz", "Sample rate of the device.", [(by, source.rate_hz) for by, source in heard])
    yield gauge(f"{name}measured_sample_rate_hertz", "The same, measured.", [(by, source.measured_rate_hz) for by, source in heard])
    yield gauge(f"{name}level_dbfs", "Median loudness of the last minute.", [(by, source.dbfs) for by, source in heard])
    yield gauge(
        f"{name}clipped_ratio", "Samples at full scale in the last minute.", [(by, source.clipped_fraction) for by, source in heard]
    )
    yield flag(f"{name}snoozed", "Whether its events are suppressed.", [(by, source.snoozed_until is not None) for by, source in heard])
    known = [(by, source.drift == "drifting") for by, source in heard if source.drift is not None]
    yield flag(f"{name}drifting", "Whether its normal sound drifts.", known)
    until = [(by, None if source.snoozed_until is None else _epoch_s(source.snoozed_until)) for by, source in heard]
    yield gauge(f"{name}snoozed_until_timestamp_seconds", "End of the snooze, since 1970.", until)


def _sources_scored(report: NodeReport) -> Iterator[Metric]:
    """What the sources have said. A score that is not of now is none: without plausible sound there is no sample."""
    name = "auscult_source_"
    scored = [({"source": source}, tally) for source, tally in report.tallies.items()]
    now = [(by, tally.score) for by, tally in scored if tally.score and report.health.sources[by["source"]].availability == "online"]
    yield gauge(f"{name}score", "Score of the last window; 1 is the alarm threshold.", [(by, score.score) for by, score in now])
    heads = [({**by, "head": head}, value) for by, score in now for head, value in score.heads.items()]
    yield gauge(f"{name}head_score", "The part of the score that each head accounts for.", heads)
    yield counter(f"{name}windows", "Windows scored.", [(by, tally.windows) for by, tally in scored])
    yield counter(f"{name}anomalous_windows", "Of these, above the threshold.", [(by, tally.anomalous_windows) for by, tally in scored])
    yield flag(f"{name}event_open", "Whether an event is open.", [(by, tally.is_open) for by, tally in scored])
    events = [({**by, "type": kind}, count) for by, tally in scored for kind, count in tally.events.items()]
    yield counter(f"{name}events", "Event messages.", events)


def _sources_bundles(info: InfoPayload) -> Iterator[Metric]:
    """What listens."""
    bundle = InfoMetricFamily("auscult_source", "What listens to the machine.", labels=["source"])
    for name, source in info.sources.items():
        told = {"bundle": source.bundle, "detector": source.detector, "backbone": source.backbone, "calibrated_at": source.calibrated_at}
        bundle.add_metric([name], {"device": source.device, **{label: value or "" for label, value in told.items()}})
    yield bundle
    sources = [({"source": name}, source) for name, source in info.sources.items()]
    factors = [(by, source.threshold_factor) for by, source in sources]
    yield gauge("auscult_source_threshold_factor", "1 for the threshold of the bundle; commands move it.", factors)
    text = "False alarms per week that the threshold is set for."
    rates = [(by, source.threshold.false_alarms_per_week) for by, source in sources if source.threshold is not None]
    yield gauge("auscult_source_false_alarms_per_week", text, rates)


def _epoch_s(timestamp: str) -> float:
    """A timestamp of a payload in seconds since 1970."""
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()
