"""Check the demo: no event in the normal part, one event per fault, and the tone at its frequency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calibrate.demo.scene import Injection, Scene
from edge.judgement.window import Region

TOLERANCE_S = 0.5


@dataclass(frozen=True, slots=True)
class Alert:
    """One event as the subscriber knows it after its last message. Times are seconds of the stream; regions count from `start_s`."""

    id: str
    start_s: float
    end_s: float
    peak_score: float
    regions: tuple[Region, ...]
    closed: bool

    @property
    def strongest(self) -> Region | None:
        """The region with the highest score."""
        return max(self.regions, key=lambda region: region.score, default=None)

    def overlaps(self, injection: Injection) -> bool:
        """Whether event and injection share time, give or take half a second."""
        return self.start_s <= injection.end_s + TOLERANCE_S and self.end_s >= injection.start_s - TOLERANCE_S

    def regions_over(self, injection: Injection) -> tuple[Region, ...]:
        """The regions that share time with the injection, give or take half a second."""
        return tuple(
            region
            for region in self.regions
            if self.start_s + region.t0_s <= injection.end_s + TOLERANCE_S and self.start_s + region.t1_s >= injection.start_s - TOLERANCE_S
        )


def injection_of(alert: Alert, scene: Scene) -> Injection | None:
    """The injection that an alert is about, if any."""
    return next((injection for injection in scene.injections if alert.overlaps(injection)), None)


def failures(alerts: Sequence[Alert], scene: Scene) -> list[str]:
    """Every broken promise in a sentence; an empty list is a pass."""
    broken = []
    for alert in alerts:
        if injection_of(alert, scene) is None:
            where = "in the normal part" if alert.start_s < scene.normal_s else "between the faults"
            broken.append(f"false alarm {where}: event at {alert.start_s:.1f}-{alert.end_s:.1f} s, score {alert.peak_score:.2f}")
        if not alert.closed:
            broken.append(f"the event at {alert.start_s:.1f} s was never closed")
    for injection in scene.injections:
        over = [alert for alert in alerts if alert.overlaps(injection)]
        place = f"{injection.description} at {injection.start_s:.1f} s"
        if len(over) != 1:
            broken.append(f"{place}: {len(over)} events instead of one")
            continue
        regions = over[0].regions_over(injection)
        if not regions:
            broken.append(f"{place}: no region of its event is there")
        elif injection.kind == "tone" and not any(r.f_lo_hz <= injection.f_lo_hz and injection.f_hi_hz <= r.f_hi_hz for r in regions):
            bands = ", ".join(f"{region.f_lo_hz:.0f}-{region.f_hi_hz:.0f} Hz" for region in regions)
            broken.append(f"{place}: its regions are elsewhere ({bands})")
    return broken
