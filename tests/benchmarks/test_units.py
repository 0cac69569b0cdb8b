from benchmarks.commands.units import measure_each
from benchmarks.datasets.manifest import Unit
from edge.errors import UserError


def test_measure_each_skips_a_machine_with_a_mistake_and_says_why() -> None:
    fan, pump, valve = (Unit(key=key, dataset="set", unit=key, fit=(), normal=(), anomalous=()) for key in ("fan", "pump", "valve"))

    def measure(unit: Unit) -> str:
        if unit is pump:
            raise UserError("pump.wav", "too short; give 1 s or more")
        return unit.key.upper()

    skipped = {"lathe": "no fit rows"}
    assert measure_each([fan, pump, valve], measure, skipped) == {"fan": "FAN", "valve": "VALVE"}
    assert skipped == {"lathe": "no fit rows", "pump": "pump.wav: too short; give 1 s or more"}
