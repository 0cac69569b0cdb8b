"""Metrics of one kind: those without a value are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client.core import Metric

Labels = Mapping[str, str]
Value = float | None
Samples = Sequence[tuple[Labels, Value]]


def gauge(name: str, text: str, values: Value | Samples) -> Metric:
    """What goes up and down: one value, or one for each set of labels."""
    return _family("gauge", name, name, text, values)


def flag(name: str, text: str, values: bool | Sequence[tuple[Labels, bool]] | None) -> Metric:
    """1 for yes, 0 for no."""
    return gauge(name, text, values)


def counter(name: str, text: str, values: Value | Samples) -> Metric:
    """What only grows, from the start of the daemon on; `_total` is added to the name."""
    return _family("counter", name, f"{name}_total", text, values)


def _family(kind: str, name: str, sample: str, text: str, values: Value | Samples) -> Metric:
    family = Metric(name, text, kind)
    for labels, value in values if isinstance(values, Sequence) else [({}, values)]:
        if value is not None:
            family.add_sample(sample, dict(labels), float(value))
    return family
