"""Machines and their faults, synthesised: sound for calibrating batch norms and int8 ranges, for the demo and for tests.

Physical in outline only (rotation, resonances, impacts, a room, a microphone), seeded, and made with numpy alone.
Long sound is rendered piece by piece, and the pieces are the same samples whatever their sizes.
"""

from __future__ import annotations

from export.synthesis.corpus import machine_corpus
from export.synthesis.fault import Fault, bearing_fault, inject, knock_fault, tone_fault
from export.synthesis.rotating_machine import MachineDesign, RotatingMachine

__all__ = [
    "Fault",
    "MachineDesign",
    "RotatingMachine",
    "bearing_fault",
    "inject",
    "knock_fault",
    "machine_corpus",
    "tone_fault",
]
