from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest

from edge.commands.schema import schema_document
from edge.judgement.event import Event
from edge.judgement.window import Localization, Region, Window
from edge.mqtt import payloads
from edge.mqtt.encoding import encode, event_payload, score_payload
from edge.mqtt.timestamp import timestamp

REGION = Region(0.64, 1.28, 2100.04, 3400.0, 1.87654321)
SCHEMAS = schema_document()["topics"]


def stamp(stream_s: float) -> str:
    return timestamp(1_800_000_000.0 + stream_s)


def window(score: float | None = 0.42) -> Window:
    cells = np.array([0.11, np.nan, 0.4], np.float32)  # (time,)
    return Window(
        0.0, 10.0, score, 0.21234567, False, {"cnn14_moment": 0.31, "level": float("nan")}, 0.0, Localization(0.04, cells, (REGION,))
    )


def test_score_payload_is_the_contract() -> None:
    payload = json.loads(encode(score_payload("pump1", window(), stamp, 41.23)))
    assert payload == {
        "schema": 1,
        "source": "pump1",
        "t_start": "2027-01-15T08:00:00.000Z",
        "t_end": "2027-01-15T08:00:10.000Z",
        "score": 0.42,
        "p_value": 0.212,
        "anomalous": False,
        "heads": {"cnn14_moment": 0.31, "level": None},
        "lost_s": 0.0,
        "latency_ms": 41.2,
        "localization": {
            "cell_s": 0.04,
            "time_scores": [0.11, None, 0.4],
            "regions": [{"t0_s": 0.64, "t1_s": 1.28, "f_lo_hz": 2100.0, "f_hi_hz": 3400.0, "score": 1.8765}],
        },
    }
    assert list(payload) == list(payloads.ScorePayload.__struct_fields__)


def test_score_payload_too_much_lost_says_null() -> None:
    payload = json.loads(encode(score_payload("pump1", window(score=None), stamp, 41.23)))
    assert payload["score"] is None
    jsonschema.validate(payload, SCHEMAS["auscult/<node>/<source>/score"]["payload"])


def test_event_payload_is_the_contract() -> None:
    event = Event("01JCZ5T3V8Q2M4N6P8R0S2T4V6", 482, "closed", 1.0, 3.5, 3.1, 4.0000001e-7, (REGION,), 0.0)
    payload = json.loads(encode(event_payload("pump1", event, "5e", stamp, "patchcore", "ab" * 32, True)))
    jsonschema.validate(payload, SCHEMAS["auscult/<node>/<source>/event"]["payload"])
    assert payload.pop("regions")[0]["f_hi_hz"] == 3400.0
    assert payload == {
        "schema": 1,
        "id": "01JCZ5T3V8Q2M4N6P8R0S2T4V6",
        "epoch": "5e",
        "seq": 482,
        "type": "closed",
        "source": "pump1",
        "t_start": "2027-01-15T08:00:01.000Z",
        "t_end": "2027-01-15T08:00:03.500Z",
        "peak_score": 3.1,
        "p_value": 4e-07,
        "detector": "patchcore",
        "bundle": "sha256:" + "ab" * 32,
        "lost_s": 0.0,
        "clock_synced": True,
        "replayed": False,
        "interrupted": False,
        "clip": None,
    }


@pytest.mark.parametrize(
    ("epoch_s", "text"),
    [(0.0, "1970-01-01T00:00:00.000Z"), (1.9996, "1970-01-01T00:00:02.000Z"), (1_800_000_000.25, "2027-01-15T08:00:00.250Z")],
)
def test_timestamp_rounds_to_milliseconds(epoch_s: float, text: str) -> None:
    assert timestamp(epoch_s) == text


def test_schema_every_payload_is_a_schema_that_requires_every_field() -> None:
    for entry in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(entry["payload"])
        for definition in entry["payload"].get("$defs", {}).values():
            assert set(definition["required"]) == set(definition["properties"])


def test_schema_rejects_a_payload_without_a_field() -> None:
    payload = json.loads(encode(score_payload("pump1", window(), stamp, 41.23)))
    del payload["lost_s"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(payload, SCHEMAS["auscult/<node>/<source>/score"]["payload"])
