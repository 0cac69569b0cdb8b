from __future__ import annotations

import signal

import pytest

pytest.importorskip("torch")

from edge.errors import AuscultError
from export.training.loop import rate_of, run_steps


def test_run_steps_takes_every_step_in_order_and_gives_their_losses(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_steps("training", 5, lambda step: 10.0 - step) == [10.0, 9.0, 8.0, 7.0, 6.0]
    assert run_steps("training", 5, float, first=3) == [3.0, 4.0]
    assert capsys.readouterr().err == ""  # no bar in a pipe


def test_run_steps_answers_an_interrupt_after_the_step_that_it_came_in() -> None:
    done = []

    def learn(step: int) -> float:
        if step == 2:
            signal.raise_signal(signal.SIGINT)
        done.append(step)
        return 0.0

    with pytest.raises(KeyboardInterrupt):
        run_steps("training", 9, learn)
    assert done == [0, 1, 2]


def test_run_steps_stops_when_the_loss_is_no_number() -> None:
    with pytest.raises(AuscultError, match=r"^training: diverged at step 3; another --seed may help$"):
        run_steps("training", 9, lambda step: float("nan") if step == 3 else 1.0)


@pytest.mark.parametrize("steps", [1, 2, 100, 1000])
def test_rate_of_rises_in_a_line_and_falls_along_a_cosine(steps: int) -> None:
    rates = [rate_of(step, steps) for step in range(steps)]
    top = max(1, round(0.05 * steps))
    assert rates[:top] == pytest.approx([(step + 1) / top for step in range(top)])
    assert max(rates) == 1.0
    assert all(after < before for before, after in zip(rates[top:], rates[top + 1 :], strict=False))
    assert rates[-1] == pytest.approx(0.01, abs=0.002) or steps < 100
