"""Nodes that exist on the broker only: they publish what real ones do, as often, and answer commands, but listen to nothing.

What a subscriber costs, or shows, can be measured with twenty machines on one computer. Payloads are those of `edge.mqtt.payloads`.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.features.frontend import CELL_MELS, PANNS, mel_edges_hz
from edge.judgement.cells import Cells
from edge.judgement.event import EventType
from edge.judgement.ulid import new_ulid
from edge.mqtt.encoding import cells_payload
from edge.mqtt.payloads import (
    BrokerHealth,
    CommandsHealth,
    EventPayload,
    HealthPayload,
    InfoPayload,
    LearningPayload,
    LevelPayload,
    LocalizationPayload,
    OutboxPayload,
    RegionPayload,
    ScorePayload,
    SourceHealth,
    SourceInfo,
    ThresholdPayload,
)
from edge.mqtt.timestamp import timestamp
from edge.mqtt.topics import Topics

HEADS = ("cnn14_moment", "cnn14_sustained", "logmel_sustained", "excess_moment", "level", "power", "profile", "dynamics")
HOP_S = 0.5
WINDOW_S = 10.0
CELL_S = 0.04
STEP_S = 13 * CELL_S
BANDS = PANNS.mel_bands // CELL_MELS
SHA = f"sha256:{'5e' * 32}"


@dataclass(slots=True)
class _Fault:
    id: str
    start_s: float
    end_s: float
    f_lo_hz: float
    f_hi_hz: float
    peak: float


@dataclass(slots=True)
class _Source:
    node: str
    name: str
    index: int
    availability: str = "online"
    reason: str | None = None
    warnings: list[str] = field(default_factory=list)
    snoozed_until: str | None = None
    factor: float = 1.0
    watched_until_s: float = 0.0
    fault: _Fault | None = None
    seq: int = 0
    cells_to_s: float = 0.0


class SimulatedFleet:
    """Publishes while the `with` block runs, in a thread. `sources` maps a node's name to the names of its sources."""

    def __init__(self, host: str, port: int, sources: dict[str, list[str]], seed: int = 0) -> None:
        self._topics = {node: Topics(node) for node in sources}
        self._sources = {(node, name): _Source(node, name, index) for node, names in sources.items() for index, name in enumerate(names)}
        self._nodes = sources
        self._events: dict[tuple[str, str], set[str]] = {}  # ids
        self._rng = np.random.default_rng(seed)
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._present = threading.Event()  # once the broker knows all nodes
        self._started_s = time.time()
        self.sent = 0  # scores
        self.commands: list[tuple[str, str, dict[str, Any]]] = []  # node, verb, payload
        self._host, self._port = host, port
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"simulated-{new_ulid()}", protocol=mqtt.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 2)
        self._thread = threading.Thread(target=self._run, name="simulated-fleet", daemon=True)

    def __enter__(self) -> SimulatedFleet:
        """Connect and begin."""
        self._client.connect(self._host, self._port)
        self._client.loop_start()
        self._present.wait(10.0)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """All nodes go offline."""
        self._stopping.set()
        self._thread.join(10.0)
        for topics in self._topics.values():
            self._client.publish(topics.status, "offline", 1, True).wait_for_publish(2.0)
        self._client.disconnect()
        self._client.loop_stop()

    def fail(self, node: str, source: str, seconds: float, f_lo_hz: float, f_hi_hz: float, peak: float = 3.0) -> str:
        """Something sounds wrong from now on, for so long; the id of its event."""
        with self._lock:
            found = self._sources[node, source]
            now_s = time.time()
            found.fault = _Fault(new_ulid(), now_s, now_s + seconds, f_lo_hz, f_hi_hz, peak)
            self._publish_event(found, "opened", now_s)
            self._publish_state(found)
            return found.fault.id

    def silence(self, node: str, source: str, reason: str) -> None:
        """A microphone is gone."""
        with self._lock:
            found = self._sources[node, source]
            found.availability, found.reason = "offline", reason
            self._send(self._topics[node].availability(source), "offline", retain=True)
            self._publish_health(node)

    def warn(self, node: str, source: str, warning: str) -> None:
        """Something needs attention."""
        with self._lock:
            self._sources[node, source].warnings.append(warning)
            self._publish_health(node)

    def learn(self, node: str, source: str, learned_s: float) -> None:
        """A source has not learned enough yet."""
        payload = LearningPayload(
            schema=1,
            source=source,
            t=timestamp(time.time()),
            state="watching",
            first_in_s=None,
            reason=None,
            problem=None,
            learned_s=learned_s,
            days=7.0,
            next_at_learned_s=2.0 * learned_s,
            supported_false_alarms_per_week=3.0 * 604_800.0 / learned_s,
            supported_at_end_per_week=3.0,
            bundle=SHA,
            version=1,
            asks=False,
            marks=[],
            versions=[],
        )
        self._send(self._topics[node].learning(source), msgspec.json.encode(payload), retain=True)

    def leave(self, node: str) -> None:
        """A node ends, as its will would say; the broker knows it, and all before, on return."""
        with self._lock:
            told = self._client.publish(self._topics[node].status, "offline", 1, True)
            for key in [key for key in self._sources if key[0] == node]:
                self._sources[key].availability = "offline"
        told.wait_for_publish(2.0)

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe([(topics.commands, SubscribeOptions(qos=1)) for topics in self._topics.values()])
        with self._lock:
            for node in self._nodes:
                self._send(self._topics[node].status, "online", retain=True)
                self._publish_info(node)
                self._publish_health(node)
            for source in self._sources.values():
                self._send(self._topics[source.node].availability(source.name), source.availability, retain=True)
                self._publish_state(source)
        self._present.set()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        _, node, _, verb = message.topic.split("/")
        asked = msgspec.json.decode(message.payload)
        self.commands.append((node, verb, asked))
        answer: dict[str, Any] = {"schema": 1, "transaction": asked.get("transaction"), "status": "ok", "error": None}
        with self._lock:
            found = self._sources.get((node, asked.get("source", "")))
            if verb == "mark":
                answer |= {"event": asked["event"], "verdict": asked["verdict"], "source": self._source_of(node, asked["event"])}
                answer |= {"t_start": timestamp(time.time()), "peak_score": 3.0}
            elif found is None:
                answer |= {"status": "error", "error": "no such source"}
            elif verb == "watch":
                found.watched_until_s = time.time() + asked["seconds"]
                answer |= {"source": found.name, "watched_until": timestamp(found.watched_until_s)}
            elif verb == "snooze":
                found.snoozed_until = timestamp(time.time() + 60.0 * asked["minutes"]) if asked["minutes"] else None
                answer |= {"source": found.name, "snoozed_until": found.snoozed_until, "warning": None}
                self._publish_health(node)
            elif verb == "recalibrate-threshold":
                before, found.factor = found.factor, 1.0 if asked.get("reset") else 1.12
                answer |= {"source": found.name, "threshold_factor_before": before, "threshold_factor": found.factor}
                answer |= {"hours_used": 161.5, "note": None, "warning": None}
                self._publish_info(node)
        self._send(self._topics[node].response(verb), msgspec.json.encode(answer), qos=1)

    def _source_of(self, node: str, event_id: str) -> str | None:
        return next((name for (of, name), source in self._sources.items() if of == node and event_id in self._ids_of(source)), None)

    def _ids_of(self, source: _Source) -> set[str]:
        return self._events.setdefault((source.node, source.name), set())

    def _run(self) -> None:
        next_s, turn = time.monotonic(), 0
        while not self._stopping.wait(max(0.0, next_s - time.monotonic())):
            next_s, turn = next_s + HOP_S, turn + 1
            with self._lock:
                for source in self._sources.values():
                    if source.availability == "online":
                        self._hop(source, turn)
                if turn % 120 == 0:
                    for node in self._nodes:
                        self._publish_health(node)

    def _hop(self, source: _Source, turn: int) -> None:
        now_s = time.time()
        score = self._publish_score(source, now_s)
        if turn % 2 == 0:
            level = -34.0 + source.index % 5 + float(self._rng.normal(0.0, 0.4))
            payload = LevelPayload(
                schema=1,
                source=source.name,
                t=timestamp(now_s),
                dbfs=round(level, 2),
                peak_dbfs=round(level + 14.0, 2),
                clipped_fraction=0.0,
            )
            self._send(self._topics[source.node].level(source.name), msgspec.json.encode(payload))
            if source.watched_until_s > now_s:
                self._publish_cells(source, now_s)
            else:
                source.cells_to_s = 0.0
        fault = source.fault
        if fault is not None and now_s > fault.end_s and score < 0.9:
            self._publish_event(source, "closed", fault.end_s)
            source.fault = None
            self._publish_state(source)

    def _publish_score(self, source: _Source, now_s: float) -> float:
        slow = 0.12 * math.sin(2.0 * math.pi * now_s / 900.0 + source.index)
        score = max(0.02, 0.42 + slow + float(self._rng.normal(0.0, 0.05)))
        regions: list[RegionPayload] = []
        fault = source.fault
        if fault is not None and now_s < fault.end_s + 2.0:
            score = fault.peak * min(1.0, 0.4 + 0.6 * (now_s - fault.start_s) / 4.0) * (1.0 + float(self._rng.normal(0.0, 0.03)))
            score = score if now_s < fault.end_s else 0.7
            regions = [_region(fault, now_s - WINDOW_S, now_s)]
        shares = self._rng.dirichlet(np.array([4.0, 1.0, 3.0, 1.0, 2.0, 0.5, 1.0, 0.5]))
        payload = ScorePayload(
            schema=1,
            source=source.name,
            t_start=timestamp(now_s - WINDOW_S),
            t_end=timestamp(now_s),
            score=round(score, 4),
            p_value=0.1,
            anomalous=score > 1.0,
            heads={head: round(float(share) * score, 4) for head, share in zip(HEADS, shares, strict=True)},
            lost_s=0.0,
            latency_ms=41.0,
            localization=LocalizationPayload(
                cell_s=CELL_S, time_scores=np.round(self._rng.uniform(0.1, 0.4, 250), 3).tolist(), regions=regions
            ),
        )
        self._send(self._topics[source.node].score(source.name), msgspec.json.encode(payload))
        self.sent += 1
        return score

    def _publish_cells(self, source: _Source, now_s: float) -> None:
        start_s = source.cells_to_s or now_s - 5.0 * STEP_S
        steps = int((now_s - start_s) / STEP_S)
        edges = [float(round(edge, 1)) for edge in mel_edges_hz(PANNS)[::CELL_MELS][: BANDS + 1]]
        times = start_s + STEP_S * np.arange(steps)  # (step,)
        band = np.arange(BANDS)
        shape = -40.0 - 2.2 * band + 9.0 * np.exp(-0.5 * ((band - 4) / 1.2) ** 2)  # (band,) dB
        turning = 4.0 * np.sin(2.0 * np.pi * times * 1.6 + source.index)[:, None] * np.exp(-0.5 * ((band - 8) / 2.0) ** 2)
        level = shape + turning + self._rng.normal(0.0, 1.2, (steps, BANDS))  # (step, band) dB
        anomaly = np.abs(self._rng.normal(0.16, 0.1, (steps, BANDS)))  # (step, band) 1.0 is the threshold
        fault = source.fault
        if fault is not None:
            within = (times >= fault.start_s) & (times < fault.end_s)
            centres = (np.array(edges[1:]) + np.array(edges[:-1])) / 2.0
            hit = (centres >= fault.f_lo_hz) & (centres <= fault.f_hi_hz)
            level[np.ix_(within, hit)] += 13.0
            anomaly[np.ix_(within, hit)] = fault.peak * self._rng.uniform(0.6, 1.0, (int(within.sum()), int(hit.sum())))
        cells = Cells(0.0, STEP_S, tuple(edges), level.astype(np.float32), anomaly.astype(np.float32))
        payload = cells_payload(source.name, cells, lambda s: timestamp(start_s + s))
        source.cells_to_s = start_s + steps * STEP_S
        self._send(self._topics[source.node].cells(source.name), msgspec.json.encode(payload))

    def _publish_event(self, source: _Source, kind: EventType, end_s: float) -> None:
        fault = source.fault
        assert fault is not None
        source.seq += 1
        self._ids_of(source).add(fault.id)
        payload = EventPayload(
            schema=1,
            id=fault.id,
            epoch="simulated",
            seq=source.seq,
            type=kind,
            source=source.name,
            t_start=timestamp(fault.start_s),
            t_end=timestamp(end_s),
            peak_score=fault.peak,
            p_value=0.0004,
            regions=[_region(fault, fault.start_s, max(end_s, fault.start_s + 1.0))],
            detector="patchcore",
            bundle=SHA,
            lost_s=0.0,
            clock_synced=True,
            replayed=False,
            interrupted=False,
            clip=None,
        )
        self._send(self._topics[source.node].event(source.name), msgspec.json.encode(payload), qos=1)

    def _publish_state(self, source: _Source) -> None:
        self._send(self._topics[source.node].state(source.name), "ON" if source.fault is not None else "OFF", retain=True)

    def _publish_info(self, node: str) -> None:
        threshold = ThresholdPayload(
            false_alarms_per_week=1.0, supported_false_alarms_per_week=2.4, note="8 h of recordings support one false alarm in 2.9 days"
        )
        sources = {
            name: SourceInfo(
                device="hw:CARD=Device,DEV=0 (USB PnP Sound Device)",
                rate_hz=48000,
                bundle=SHA,
                detector="patchcore",
                backbone="cnn14-distilled",
                calibrated_at=timestamp(self._started_s - 12 * 86_400.0),
                threshold=threshold,
                threshold_factor=self._sources[node, name].factor,
                snoozed_until=self._sources[node, name].snoozed_until,
            )
            for name in self._nodes[node]
        }
        payload = InfoPayload(schema=1, node=node, version="0.2.0", started_at=timestamp(self._started_s), sources=sources)
        self._send(self._topics[node].info, msgspec.json.encode(payload), retain=True)

    def _publish_health(self, node: str) -> None:
        now = timestamp(time.time())
        sources = {}
        for name in self._nodes[node]:
            source = self._sources[node, name]
            is_online = source.availability == "online"
            sources[name] = SourceHealth(
                availability="online" if is_online else "offline",
                reason=source.reason,
                warnings=list(source.warnings),
                xruns=0,
                lost_s=0.0,
                shed_s=0.0,
                lag_s=0.1,
                rate_hz=48000,
                measured_rate_hz=48000.7,
                dbfs=-34.0,
                clipped_fraction=0.0,
                snoozed_until=source.snoozed_until,
                learning=None,
                drift=None,
            )
        payload = HealthPayload(
            schema=1,
            t=now,
            uptime_s=round(time.time() - self._started_s, 1),
            clock_synced=True,
            xruns=0,
            lost_s=0.0,
            shed_s=0.0,
            lag_s=0.1,
            inference_p50_ms=9.1,
            inference_p95_ms=11.8,
            rss_mb=121.0,
            temperature_c=52.0,
            throttled=False,
            disk_free_fraction=0.71,
            outbox=OutboxPayload(
                depth=0,
                oldest_age_s=None,
                dropped=0,
                expired=0,
                refused=0,
                waiting_bytes=0,
                durable=True,
                problem=None,
                epoch="simulated",
                epoch_reason="new",
            ),
            broker=BrokerHealth(state="connected", since=now, reason=None, attempts=0, connections=1),
            reload=None,
            commands=CommandsHealth(state="subscribed", reason=None, taken=0, refused=0, dropped=0),
            clips=None,
            sources=sources,
        )
        self._send(self._topics[node].health, msgspec.json.encode(payload), retain=True)

    def _send(self, topic: str, payload: bytes | str, *, qos: int = 0, retain: bool = False) -> None:
        self._client.publish(topic, payload, 1 if retain else qos, retain)


def _region(fault: _Fault, start_s: float, end_s: float) -> RegionPayload:
    return RegionPayload(
        t0_s=round(max(0.0, fault.start_s - start_s), 3),
        t1_s=round(max(0.04, min(fault.end_s, end_s) - start_s), 3),
        f_lo_hz=fault.f_lo_hz,
        f_hi_hz=fault.f_hi_hz,
        score=fault.peak,
    )
