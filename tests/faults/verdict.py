"""The counts of a run, and what was promised and not kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.faults.delivery import Delivery, check_delivery
from tests.faults.evidence import Evidence, PlayedTrack
from tests.faults.scene import Played
from tests.faults.schedule import KINDS
from tests.faults.sound import Sound, check_sound, heard_whole, total

HEARD_LATE_S = 1.2  # from the player to the daemon, at most, of real time


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a run."""

    evidence: Evidence
    delivery: Delivery
    sound: Sound  # of all sources
    heard_whole: int  # faults of which every second was scored
    alarmed: int  # of them, those that opened an event
    problems: tuple[str, ...]

    @property
    def starved(self) -> int:
        """How often a source ran out of memory, and was to be tried again."""
        told = [line for life in self.evidence.lives for line in life.lines if "failed unexpectedly (MemoryError" in line]
        return sum(" ERROR " in line for line in told)

    def table(self) -> Iterator[tuple[str, str]]:
        """Counts, as (what, how much)."""
        evidence, delivery, sound = self.evidence, self.delivery, self.sound
        for kind in KINDS:
            if evidence.troubles[kind]:
                yield kind, f"{evidence.troubles[kind]} times" + (f": {evidence.disk}" if kind == "disk full" else "")
        yield "lives of the daemon", str(len(evidence.lives))
        yield "outbox without its disk", f"{sum(life.says('in memory only until it can') for life in evidence.lives)} times"
        if evidence.troubles["memory short"]:
            yield "sources without memory", f"{self.starved} times, each time begun anew"
        yield "faults played", str(sum(len(list(played.track.faults())) for played in evidence.played))
        yield "  every second of them scored", f"{self.heard_whole}, of which {self.alarmed} opened an event"
        yield "events opened in the log", str(delivery.logged)
        yield "  arrived once, in order", f"{delivery.opened - delivery.unlogged}"
        yield "  arrived, their line cut off", str(delivery.unlogged)
        yield "  closed by the next life", str(delivery.interrupted)
        yield "event messages", f"{delivery.messages} in {delivery.epochs} epochs, {delivery.replayed} of them late (replayed)"
        yield "  came again", f"{delivery.repeated} (each said so)"
        yield "windows", f"{sound.windows}, {sound.unscored} without a score; {evidence.scores} scores arrived (QoS 0)"
        yield "seconds passed", f"{sound.passed_s:.1f}"
        yield "  scored", f"{sound.scored_s:.1f}"
        yield "  lost, and counted so", f"{sound.lost_s:.1f}"
        yield "  digital silence, seams", f"{sound.silent_s:.1f}"
        yield "  heard, too little around", f"{sound.unjudged_s:.1f}"
        yield "  daemon dead or starting", f"{sound.dead_s:.1f}, of which {sound.cut_off_s:.1f} not judged yet at the kill"
        yield "  stream against clock", f"{1000.0 * sound.latest_s:.0f} ms at most"
        yield "the whole run took", f"{evidence.seconds:.0f} s"


def judge(evidence: Evidence) -> Verdict:
    """Check everything that was promised."""
    delivery = check_delivery(evidence.lives, evidence.arrivals, evidence.speed)
    sounds, problems, heard, alarmed = [], [*delivery.problems], 0, 0
    for played in evidence.played:
        sounds.append(check_sound(evidence.lives, played.silent, played.track.source, evidence.speed))
        heard_here, unheard = _check_faults(played, sounds[-1], evidence.speed)
        heard += heard_here
        alarmed += heard_here - len(unheard)
        problems += [
            f"{played.track.source}: the {fault.kind} at {fault.start_s:.1f} s was scored and opened no event" for fault in unheard
        ]
    sound = total(sounds)
    problems += sound.problems
    if evidence.sessions_lost:
        problems.append(f"the broker lost the recorder's session {evidence.sessions_lost} times: this run says nothing")
    if evidence.exit_code:
        problems.append(f"the daemon ended with exit code {evidence.exit_code}")
    if not delivery.logged:
        problems.append("nothing was opened: this run says nothing")
    verdict = Verdict(evidence, delivery, sound, heard, alarmed, tuple(problems))
    if evidence.troubles["memory short"] and not verdict.starved:
        return replace(verdict, problems=(*problems, "no source ran out of memory: this run says nothing of that"))
    return verdict


def _check_faults(played: PlayedTrack, sound: Sound, speed: float) -> tuple[int, list[Played]]:
    """Count the faults of which every second was scored; return also those of them that opened no event."""
    late_s, heard, unheard = HEARD_LATE_S * speed, 0, []
    for fault in played.track.faults():
        start_s, end_s = played.zero_s + fault.start_s, played.zero_s + fault.end_s
        stream = heard_whole(sound.streams, start_s, end_s + late_s)
        if stream is None:
            continue
        heard += 1
        if not any(from_s < end_s + late_s and to_s > start_s for from_s, to_s in stream.events):
            unheard.append(fault)
    return heard, unheard
