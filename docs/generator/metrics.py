"""The reference of the metrics: what the collector makes of a node that has everything."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from docs.generator.markdown import code, table
from edge.metrics.collector import NodeCollector
from edge.mqtt.payloads import HealthPayload, InfoPayload, ScorePayload
from edge.node.node_report import NodeReport
from edge.node.tally import Tally

COLUMNS = ("metric", "type", "labels", "meaning")
SUFFIXES = {"counter": "_total", "info": "_info"}
TEXTS = ("2026-11-20T10:00:00.000Z", f"sha256:{'0' * 64}")  # one for each pattern
SOURCE = "pump1"

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def metrics() -> str:
    """One line for each metric, in the order in which they are served."""
    rows = []
    for family in NodeCollector(example).collect():
        labels = sorted({label for sample in family.samples for label in sample.labels})
        name = family.name + SUFFIXES.get(family.type, "")
        kind = "gauge" if family.type == "info" else family.type
        rows.append((code(name), kind, ", ".join(map(code, labels)), family.documentation))
    return table(COLUMNS, rows)


def example() -> NodeReport:
    """A node that has told everything once."""
    tally = Tally()
    tally.window(filled(ScorePayload))
    return NodeReport(filled(InfoPayload), filled(HealthPayload), {SOURCE: tally}, inference_windows=1, inference_s=0.05)


def filled(kind: type[_Struct]) -> _Struct:
    """A payload without a null, and with one source."""
    return msgspec.convert(_value(inspect.type_info(kind)), kind)


def _value(kind: inspect.Type) -> Any:
    if isinstance(kind, inspect.Metadata):
        return _value(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _value(next(member for member in kind.types if not isinstance(member, inspect.NoneType)))
    if isinstance(kind, inspect.StructType):
        return {field.encode_name: _value(field.type) for field in kind.fields}
    if isinstance(kind, inspect.DictType):
        return {SOURCE: _value(kind.value_type)}
    if isinstance(kind, inspect.LiteralType):
        return "online" if "online" in kind.values else kind.values[0]
    if isinstance(kind, inspect.StrType):
        return next((text for text in TEXTS if re.search(kind.pattern, text)), "") if kind.pattern else ""
    simple: dict[type[inspect.Type], Any] = {inspect.BoolType: True, inspect.IntType: 1, inspect.FloatType: 0.5, inspect.ListType: []}
    return simple[type(kind)]
