"""The description of a bundle: `manifest.json`, as frozen structs.

A reader of schema 1 ignores fields that it does not know, so that a later version may add some; it refuses a higher schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edge.whole_text import whole

SCHEMA = 1
KIND = "auscult-bundle"
MAXIMUM_BYTES = 4 << 20  # parsed it takes many times as much

Sha256 = Annotated[str, Meta(pattern=whole("[0-9a-f]{64}"))]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]


class BackboneReference(msgspec.Struct, frozen=True):
    """The backbone whose features the detector was fitted on; another one would give other features."""

    name: str
    sha256: Sha256  # of the .onnx file
    precision: str  # fp32 | int8


class DetectorReference(msgspec.Struct, frozen=True):
    """Which detector scores, and its own parameters."""

    name: str
    parameters: dict[str, Any]


class ThresholdSummary(msgspec.Struct, frozen=True):
    """How the alarm threshold was chosen; scores are in units of it, so 1.0 is the alarm."""

    false_alarms_per_week: Positive  # what was asked for
    supported_false_alarms_per_week: NotNegative  # what the recordings support
    score_scale: float
    note: str
    set_for_false_alarms_per_week: Positive | None = None  # where so little was recorded that what was asked for is out of reach
    detection_limit_db: dict[str, NotNegative | None] = {}  # by the centre of an octave in Hz: how much louder it must be to alarm

    @property
    def set_for(self) -> float:
        """The false alarms per week that it was set for."""
        return self.set_for_false_alarms_per_week or self.false_alarms_per_week


class DataSummary(msgspec.Struct, frozen=True):
    """The recordings it was calibrated on."""

    recordings: Count
    seconds: NotNegative
    sources: tuple[str, ...]  # file names
    dropped: tuple[str, ...]  # file names left out, as outliers or unusable


class ProbeReference(msgspec.Struct, frozen=True):
    """A short sound and the cells expected of it, checked once at start: int8 arithmetic differs on some old CPUs."""

    members: tuple[str, ...]  # names of array members
    tolerance: NotNegative  # RMS of the difference over RMS of what is expected


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`manifest.json`."""

    schema: int = SCHEMA
    kind: str = KIND
    created_at: str  # ISO 8601
    auscult_version: str
    front_end: str
    sample_rate_hz: Annotated[int, Meta(gt=0)]
    bandwidth_hz: Positive  # highest frequency the calibration recordings carried
    backbone: BackboneReference
    detector: DetectorReference
    threshold: ThresholdSummary
    data: DataSummary
    probe: ProbeReference | None = None
    members: dict[str, Sha256] = {}  # file name in the zip -> digest


def encode_manifest(manifest: Mapping[str, object]) -> bytes:
    """Encode a manifest so that equal manifests are equal bytes, readable with `unzip -p`.

    Raises
    ------
    ValueError
        It lacks a field, has one of the wrong type, or holds a number that is not finite.
    """
    try:
        content = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
        msgspec.json.decode(content, type=Manifest)
    except (TypeError, UnicodeEncodeError, msgspec.ValidationError) as error:
        raise ValueError(f"not a manifest: {error}") from error
    return content


def decode_manifest(content: bytes) -> Manifest:
    """Decode `manifest.json`.

    Raises
    ------
    ValueError
        Not a manifest, or one of a newer schema; the text completes `pump1.auscult: ...`.
    """
    if len(content) > MAXIMUM_BYTES:
        raise ValueError(f"its manifest.json is larger than {MAXIMUM_BYTES >> 20} MB; copy the file again or calibrate again")
    try:
        head = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("its manifest.json is damaged; copy the file again or calibrate again") from error
    if not isinstance(head, dict) or head.get("kind") != KIND:
        raise ValueError("not an Auscult bundle (another kind of manifest.json); name the file that `auscult calibrate` wrote")
    schema = head.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise ValueError(f"written by a newer Auscult (schema {_short(schema)}, this one reads {SCHEMA}); upgrade Auscult on this device")
    if schema != SCHEMA or isinstance(schema, bool):
        raise ValueError(f"its schema {_short(schema)} is not one that this Auscult reads; calibrate again")
    del head  # as large as what is decoded next
    try:
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"its manifest.json is damaged ({error}); copy the file again or calibrate again") from error


def _short(value: object) -> str:
    """A value of somebody's choice, in a line of ours."""
    text = "one of thousands of digits" if isinstance(value, int) and value.bit_length() > 1000 else repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
