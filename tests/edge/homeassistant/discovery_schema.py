"""What Home Assistant takes as a discovery message: a JSON Schema of the keys that Auscult uses, and of none besides.

From its documentation: home-assistant.io/integrations/mqtt, "Device discovery payload", and the pages of the platforms.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
TEMPLATE: Schema = {"type": "string", "pattern": r"\{\{.*\}\}"}
PUBLISH_TOPIC: Schema = {"type": "string", "pattern": r"^[^+#$][^+#]*$", "maxLength": 65535}
SUBSCRIBE_TOPIC: Schema = {"type": "string", "pattern": r"^([^+#$/]+|\+)(/([^+#/]+|\+))*(/#)?$"}
ICON: Schema = {"type": "string", "pattern": "^mdi:[a-z0-9-]+$"}
QOS: Schema = {"enum": [0, 1, 2]}

AVAILABILITY: Schema = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "object", "required": ["topic"], "properties": {"topic": SUBSCRIBE_TOPIC}, "additionalProperties": False},
}

COMMON: Schema = {
    "unique_id": TEXT,
    "name": TEXT,
    "icon": ICON,
    "entity_category": {"enum": ["config", "diagnostic"]},
    "availability": AVAILABILITY,
    "availability_mode": {"enum": ["all", "any", "latest"]},
    "qos": QOS,
}


def _platform(name: str, required: list[str], keys: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["platform", "unique_id", *required],
        "properties": {"platform": {"const": name}, **COMMON, **keys},
        "additionalProperties": False,
    }


BINARY_SENSOR = _platform(
    "binary_sensor", ["state_topic"], {"state_topic": SUBSCRIBE_TOPIC, "value_template": TEMPLATE, "device_class": {"enum": ["problem"]}}
)
SENSOR = _platform(
    "sensor",
    ["state_topic"],
    {
        "state_topic": SUBSCRIBE_TOPIC,
        "value_template": TEMPLATE,
        "device_class": {"enum": ["temperature", "data_size", "duration"]},
        "state_class": {"enum": ["measurement", "total", "total_increasing"]},
        "unit_of_measurement": TEXT,
        "suggested_display_precision": {"type": "integer", "minimum": 0},
    },
)
EVENT = _platform(
    "event",
    ["state_topic", "event_types"],
    {"state_topic": SUBSCRIBE_TOPIC, "value_template": TEMPLATE, "event_types": {"type": "array", "minItems": 1, "items": TEXT}},
)
BUTTON = _platform(
    "button", ["command_topic"], {"command_topic": PUBLISH_TOPIC, "command_template": TEMPLATE, "retain": {"type": "boolean"}}
)
REMOVED: Schema = {  # "an empty component config with a platform option"
    "type": "object",
    "required": ["platform"],
    "properties": {"platform": {"enum": ["binary_sensor", "sensor", "event", "button"]}},
    "additionalProperties": False,
}

DISCOVERY: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["device", "origin", "components"],  # origin is required for device discovery
    "properties": {
        "device": {
            "type": "object",
            "required": ["identifiers"],
            "properties": {
                "identifiers": {"type": "array", "minItems": 1, "items": TEXT},
                "name": TEXT,
                "manufacturer": TEXT,
                "model": TEXT,
                "sw_version": TEXT,
            },
            "additionalProperties": False,
        },
        "origin": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": TEXT, "sw_version": TEXT},
            "additionalProperties": False,
        },
        "availability": AVAILABILITY,
        "components": {"type": "object", "additionalProperties": {"oneOf": [BINARY_SENSOR, SENSOR, EVENT, BUTTON, REMOVED]}},
    },
    "additionalProperties": False,
}

# `<prefix>/<component>/[<node_id>/]<object_id>/config`, where an id has letters, digits, _ and - alone.
TOPIC = r"homeassistant/device/[a-zA-Z0-9_-]+/config"
