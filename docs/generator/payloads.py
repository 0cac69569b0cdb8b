"""The reference of MQTT: topics, and the fields of every payload, from the JSON Schema that `auscult schema` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docs.generator.markdown import code, table
from edge.commands.schema import schema_document

Schema = dict[str, Any]  # a JSON Schema


def topics() -> str:
    """Every topic that a node publishes to."""
    return table(
        ("topic", "QoS", "retained", "payload", "meaning"),
        (
            (code(topic), str(entry["qos"]), "yes" if entry["retained"] else "no", _summary(entry), entry["description"])
            for topic, entry in schema_document()["topics"].items()
        ),
    )


def payload_fields(topic: str) -> str:
    """The fields of the payload of one topic."""
    return _fields(schema_document()["topics"][topic]["payload"])


def commands() -> str:
    """Every command, each with the fields that its payload takes."""
    parts = []
    for topic, entry in schema_document()["commands"].items():
        verb = topic.rpartition("/")[2]
        common = ("transaction", "sent_at")
        parts.append(f"#### {verb}\n\n{entry['description']}\n\n{_fields(entry['payload'], leave_out=common)}")
    return "\n".join(parts)


def answers() -> str:
    """The fields of every answer."""
    parts = []
    for topic, entry in schema_document()["topics"].items():
        if "/response/" in topic:
            parts.append(f"#### Answer to {topic.rpartition('/')[2]}\n\n{_fields(entry['payload'], leave_out=_COMMON_ANSWER)}")
    return "\n".join(parts)


def common_fields() -> str:
    """The fields that all commands and all answers have."""
    document = schema_document()
    request, response = document["commands"]["auscult/<node>/cmd/info"], document["topics"]["auscult/<node>/response/info"]
    return f"In every command:\n\n{_fields(request['payload'])}\nIn every answer:\n\n{_fields(response['payload'], only=_COMMON_ANSWER)}"


_COMMON_ANSWER = ("schema", "transaction", "status", "error")


def _summary(entry: Schema) -> str:
    """What a topic carries, in a few words."""
    payload = entry["payload"]
    return " or ".join(code(choice) for choice in payload["enum"]) if "enum" in payload else "JSON"


def _fields(schema: Schema, leave_out: tuple[str, ...] = (), only: tuple[str, ...] = ()) -> str:
    fields = [
        (code(path), kind, meaning)
        for path, kind, meaning in _walk(schema, schema["$defs"], "")
        if path not in leave_out and (not only or path in only)
    ]
    return table(("field", "type", "meaning"), fields) if fields else "No fields of its own.\n"


def _walk(schema: Schema, definitions: Schema, prefix: str) -> Iterator[tuple[str, str, str]]:
    """(path, type, meaning) of every field below an object, in the order of the code."""
    for name, field in _resolved(schema, definitions).get("properties", {}).items():
        inner, nullable = _not_null(field)
        path, inner = _element(f"{prefix}{name}", inner)
        yield path, _type(_resolved(inner, definitions)) + (" or null" if nullable else ""), _description(field)
        if "properties" in _resolved(inner, definitions):
            yield from _walk(inner, definitions, f"{path}.")


def _element(path: str, schema: Schema) -> tuple[str, Schema]:
    """A list or map of objects stands for its elements: `regions[]`, `sources.<name>`."""
    items, values = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, dict) and "$ref" in items:
        return f"{path}[]", items
    if isinstance(values, dict) and "$ref" in values:
        return f"{path}.<name>", values
    return path, schema


def _description(field: Schema) -> str:
    """A field's own description, or that of its type; never that of a whole object, which speaks of more than the field."""
    found = field.get("description")
    if found is None:
        found = next((member["description"] for member in field.get("anyOf", []) if "description" in member), None)
    if found is None:
        raise LookupError(f"a payload field has no description: {field}; add one where it is declared")
    return str(found)


def _not_null(schema: Schema) -> tuple[Schema, bool]:
    members = schema.get("anyOf", [schema])
    rest = [member for member in members if member.get("type") != "null"]
    return (rest[0] if len(rest) == 1 else {"anyOf": rest}), len(rest) < len(members)


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    reference = schema.get("$ref", "").rpartition("/")[2]
    return definitions[reference] if reference else schema


def _type(schema: Schema) -> str:
    """A type in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(member) for member in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(code(str(choice)) for choice in schema["enum"])
    if schema.get("format") == "date-time":
        return "UTC time"
    if schema.get("contentEncoding") == "base64":
        return "base64"
    if schema.get("type") == "array":
        element, nullable = _not_null(schema["items"])
        return f"list of {_type(element)}{' or null' if nullable else ''}"
    if schema.get("type") == "object" and "additionalProperties" in schema:
        element, nullable = _not_null(schema["additionalProperties"])
        return f"map of {_type(element)}{' or null' if nullable else ''}"
    return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(schema["type"], str(schema["type"]))
