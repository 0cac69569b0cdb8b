from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from edge.mqtt.payloads import SourceInfo
from edge.node.source_report import source_info
from edge.node.source_worker import SourceWorker
from tests.edge.node.tiny_daemon import make_bundle


def info(folder: Path, set_for: float | None) -> SourceInfo:
    """Of a source whose bundle was asked for one false alarm per week, and set for so many."""
    bundle = make_bundle(folder / "pump1.auscult")
    threshold = msgspec.structs.replace(bundle.manifest.threshold, set_for_false_alarms_per_week=set_for)
    worker = SimpleNamespace(
        bundle=SimpleNamespace(manifest=msgspec.structs.replace(bundle.manifest, threshold=threshold), sha256=bundle.sha256),
        source=SimpleNamespace(device="a microphone"),
        rate_hz=16000,
        publisher=SimpleNamespace(control=None),
    )
    return source_info(cast(SourceWorker, worker))


@pytest.mark.parametrize(("set_for", "told"), [(None, 1.0), (1.0, 1.0), (56.7, 56.7), (1.008, 1.008)])
def test_source_info_tells_the_false_alarms_that_the_threshold_was_set_for(set_for: float | None, told: float, tmp_path: Path) -> None:
    """Bundles of before know of nothing but what was asked for."""
    found = info(tmp_path, set_for)
    assert found.threshold is not None
    assert found.threshold.false_alarms_per_week == told
    assert found.threshold.supported_false_alarms_per_week == 24.0
    assert found.threshold.note == "too short"


def test_source_info_of_a_bundle_tells_what_listens(tmp_path: Path) -> None:
    found = info(tmp_path, None)
    assert (found.device, found.rate_hz, found.threshold_factor, found.snoozed_until) == ("a microphone", 16000, 1.0, None)
    assert found.bundle is not None
    assert found.bundle.startswith("sha256:")


def test_source_info_of_a_source_that_only_listens_has_no_bundle() -> None:
    source, publisher = SimpleNamespace(device="a microphone"), SimpleNamespace(control=None)
    found = source_info(cast(SourceWorker, SimpleNamespace(bundle=None, source=source, rate_hz=16000, publisher=publisher)))
    assert (found.bundle, found.detector, found.threshold, found.threshold_factor) == (None, None, None, 1.0)
