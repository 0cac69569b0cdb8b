"""The discovery message: one device for the node, with the entities of each source.

The keys are those of MQTT device discovery (home-assistant.io/integrations/mqtt, "Device discovery payload", from version 2024.11 on).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from edge.config.schema import Verb
from edge.mqtt.topics import Topics
from edge.version import VERSION

Component = dict[str, Any]

SNOOZE_MIN = 60
UPDATE_S = 10  # Home Assistant stores every change of a state, and scores come twice a second

# The platform of each kind of entity that a source may have, and that is removed with the source.
KINDS = {
    "problem": "binary_sensor",
    "score": "sensor",
    "level": "sensor",
    "event": "event",
    "reason": "sensor",
    "drift": "binary_sensor",
    "snooze": "button",
    "end_snooze": "button",
    "recalibrate": "button",
}
LAST_COMMAND = "last_command"

# Why a source is offline, or else that it has no bundle yet.
_HEALTH = "value_json.sources.get('{source}', {{}})"
_LISTENS = f"({_HEALTH}.get('learning') or {{{{}}}}).get('state') == 'listening'"
_STATUS = f"({_HEALTH}.get('reason') or ('listening, no alarms yet' if {_LISTENS} else 'ok'))[:250]"


def device_payload(
    topics: Topics, sources: Sequence[str], gone: Collection[str], verbs: Collection[Verb], has_board: bool
) -> dict[str, Any]:
    """Return the discovery message.

    The entities of sources in `gone` are removed. `verbs` are the commands that the node accepts; `has_board` is whether the device reports
    its temperature. An entity that does not exist is listed with its platform only, which removes the one of an earlier message.
    """
    components: dict[str, Component] = _node(topics, has_board)
    components[LAST_COMMAND] = _last_command(topics) if verbs else {"platform": "sensor"}
    for source in gone:
        components |= {_key(source, kind): {"platform": platform} for kind, platform in KINDS.items()}
    for source in sources:
        components |= _source(topics, source, verbs)
    return {
        "device": {
            "identifiers": [f"auscult_{topics.node}"],
            "name": f"Auscult {topics.node}",
            "manufacturer": "Auscult",
            "model": "Machine listening",
            "sw_version": VERSION,
        },
        "origin": {"name": "Auscult", "sw_version": VERSION},
        "availability": [{"topic": topics.status}],
        "components": components,
    }


def _key(source: str, kind: str) -> str:
    return f"{source}.{kind}"  # no name of a source has a dot in it


def _source(topics: Topics, source: str, verbs: Collection[Verb]) -> dict[str, Component]:
    """The entities of one source, by key."""
    both = {"availability_mode": "all", "availability": [{"topic": topics.status}, {"topic": topics.availability(source)}]}
    made: dict[str, Component] = {
        "problem": {"name": f"{source} problem", "device_class": "problem", "state_topic": topics.state(source), "qos": 1, **both},
        "score": {
            "name": f"{source} score",
            "icon": "mdi:ear-hearing",
            "state_topic": topics.score(source),
            "value_template": _now_and_then("score", alarm=True),
            "state_class": "measurement",
            "suggested_display_precision": 2,
            **both,
        },
        "level": {
            "name": f"{source} level",
            "icon": "mdi:volume-high",
            "state_topic": topics.level(source),
            "value_template": _now_and_then("dbfs"),
            "unit_of_measurement": "dBFS",
            "state_class": "measurement",
            "suggested_display_precision": 1,
            **both,
        },
        "event": {
            "name": f"{source} event",
            "icon": "mdi:alert-outline",
            "state_topic": topics.event(source),
            "qos": 1,
            "event_types": ["opened", "updated", "closed"],
            "value_template": _EVENT,
            **both,
        },
        "reason": {
            "name": f"{source} status",
            "icon": "mdi:microphone-question",
            "entity_category": "diagnostic",
            "state_topic": topics.health,
            "value_template": _expression(_STATUS.format(source=source)),
        },
        "drift": {
            "name": f"{source} drift",
            "icon": "mdi:trending-up",
            "entity_category": "diagnostic",
            "state_topic": topics.health,
            "value_template": _expression(f"'ON' if value_json.sources.get('{source}', {{}}).get('drift') == 'drifting' else 'OFF'"),
        },
    }
    if "snooze" in verbs:
        made["snooze"] = _button(topics, "snooze", f"{source} snooze for {SNOOZE_MIN} minutes", "mdi:bell-sleep", source, SNOOZE_MIN)
        made["end_snooze"] = _button(topics, "snooze", f"{source} end snooze", "mdi:bell-ring", source, 0)
    if "recalibrate-threshold" in verbs:
        made["recalibrate"] = _button(topics, "recalibrate-threshold", f"{source} set threshold from recent sound", "mdi:tune", source)
        made["recalibrate"]["entity_category"] = "config"
    return {_key(source, kind): _complete(topics, _key(source, kind), platform, made.get(kind)) for kind, platform in KINDS.items()}


def _node(topics: Topics, has_board: bool) -> dict[str, Component]:
    """The entities of the node itself, by key, from `health`."""

    def sensor(name: str, value: str, platform: str = "sensor", **more: Any) -> Component:
        told = {"entity_category": "diagnostic", "state_topic": topics.health, "value_template": _expression(value)}
        return {"name": name, **told, **more}

    number = {"state_class": "measurement"}
    board = {
        "temperature": sensor("temperature", "value_json.temperature_c", device_class="temperature", unit_of_measurement="°C", **number),
        "throttled": sensor("slowed down", "'ON' if value_json.throttled else 'OFF'", device_class="problem"),
    }
    made = {
        "memory": sensor("memory", "value_json.rss_mb", device_class="data_size", unit_of_measurement="MB", **number),
        "disk": sensor(
            "free disk",
            "value_json.disk_free_fraction if value_json.disk_free_fraction is none else (100 * value_json.disk_free_fraction) | round(1)",
            unit_of_measurement="%",
            **number,
        ),
        "lag": sensor("lag", "value_json.lag_s", device_class="duration", unit_of_measurement="s", **number),
        "lost": sensor("lost sound", "value_json.lost_s", device_class="duration", unit_of_measurement="s", state_class="total_increasing"),
        "waiting": sensor("waiting messages", "value_json.outbox.depth", icon="mdi:tray-full", **number),
    }
    platforms = {"throttled": "binary_sensor"}
    wanted = {**made, **(board if has_board else dict.fromkeys(board))}
    return {key: _complete(topics, key, platforms.get(key, "sensor"), component) for key, component in wanted.items()}


def _last_command(topics: Topics) -> Component:
    """The result of the last command, so that it is visible why a button did nothing."""
    component = {
        "name": "last command",
        "icon": "mdi:message-reply-text",
        "entity_category": "diagnostic",
        "state_topic": topics.response("+"),
        # Clients that watch cells get an answer every minute, which is left out.
        "value_template": _expression("this.state if 'watched_until' in value_json else (value_json.error or 'done')[:250]"),
    }
    return _complete(topics, LAST_COMMAND, "sensor", component)


def _complete(topics: Topics, key: str, platform: str, component: Component | None) -> Component:
    """Add platform and id; for None return what removes the entity."""
    if component is None:
        return {"platform": platform}
    return {"platform": platform, "unique_id": f"auscult.{topics.node}.{key}", **component}


def _button(topics: Topics, verb: Verb, name: str, icon: str, source: str, minutes: int | None = None) -> Component:
    """A button for a command. Its payload is valid over MQTT 5 and 3.1.1."""
    more = "" if minutes is None else f', "minutes": {minutes}'
    now = _expression("utcnow().isoformat()")
    return {
        "name": name,
        "icon": icon,
        "command_topic": topics.command(verb),
        "command_template": f'{{"transaction": "home-assistant {now}", "sent_at": "{now}", "source": "{source}"{more}}}',
        "qos": 1,
        "retain": False,
    }


def _now_and_then(field: str, *, alarm: bool = False) -> str:
    """A template that changes at most every ten seconds; with `alarm` also when the number crosses the threshold."""
    passes = " or (new >= 1) != (old >= 1)" if alarm else ""
    due = f"new is none or old is none{passes} or (now() - this.last_updated).total_seconds() >= {UPDATE_S}"
    return f"{{% set new = value_json.{field} %}}{{% set old = this.state | float(none) %}}{_expression(f'new if {due} else old')}"


def _expression(text: str) -> str:
    """A template of one expression."""
    return "{{ " + text + " }}"


_EVENT = (
    "{{ {'event_type': value_json.type, 'id': value_json.id, 't_start': value_json.t_start, 't_end': value_json.t_end, "
    "'peak_score': value_json.peak_score, 'regions': value_json.regions, 'replayed': value_json.replayed, "
    "'interrupted': value_json.interrupted, 'clip': value_json.clip} | to_json }}"
)
