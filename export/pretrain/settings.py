"""The settings of a training; a resumed training must have the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from edge.errors import UserError

HEARINGS_OF_A_SCENE = 10.0  # about, unless --scenes says otherwise
FEWEST_SCENES, MOST_SCENES = 16, 3000  # 0.15 MB and 0.1 s of one core each


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides which weights come out. The schedule scales with `steps`."""

    steps: int = 20000
    batch: int = 32
    scenes: int = 2000
    seed: int = 0
    distillation: float = 1.0  # weights of the objectives
    synthesis: float = 1.0
    views: float = 0.0
    learning_rate: float = 1e-3  # at its highest
    weight_decay: float = 0.01
    warmup: float = 0.05  # part of the steps
    lowest_rate: float = 0.01  # part of the highest, at the end
    largest_gradient: float = 2.0
    precision: str = "float32"  # of the trunk's activations: or "bfloat16", twice as fast where the processor has it
    teacher: str = ""  # sha256 of its file, shortened
    recordings: tuple[str, ...] = ()  # each folder: whose, how many files, how many bytes

    def objective(self) -> str:
        """The weighted sum in words."""
        weights = {"distillation": self.distillation, "synthesis": self.synthesis, "views": self.views}
        return " + ".join(f"{weight:g} x {name}" for name, weight in weights.items() if weight)

    def must_equal(self, stored: dict[str, object], subject: object) -> None:
        """UserError that names what differs from the settings of an interrupted training."""
        own = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        differing = [name for name in own if own[name] != stored.get(name)]
        if differing:
            told = ", ".join(f"{name} was {stored.get(name)} and is now {own[name]}" for name in differing)
            raise UserError(subject, f"holds a training with other settings ({told}); give the same ones, or another --output")


def default_scenes(steps: int, batch: int) -> int:
    """Enough that no scene is used very often, but not more than a few minutes take to make."""
    return round(min(max(steps * batch / HEARINGS_OF_A_SCENE, FEWEST_SCENES), MOST_SCENES))
