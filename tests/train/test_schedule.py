from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smap.train import Schedule
from smap.train.config import _first_step

from .tiny import tiny_config


def test_warms_up_to_the_peak_and_falls_to_the_floor() -> None:
    schedule = Schedule(steps=100, peak=2.0, warmup=9, floor=0.1)
    assert [schedule.rate(s) for s in (0, 4, 9)] == pytest.approx([0.2, 1.0, 2.0])
    rates = [schedule.rate(s) for s in range(9, 101)]
    assert rates == sorted(rates, reverse=True)
    assert schedule.rate(100) == schedule.rate(1000) == pytest.approx(0.2)


def test_linear_decay_is_half_way_at_half_time() -> None:
    assert Schedule(steps=100, peak=1.0, warmup=0, floor=0.0, decay="linear").rate(50) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"steps": 1, "peak": 0}, "peak must be positive, got 0"),
        ({"steps": 1, "floor": 2}, "floor in"),
        ({"steps": 1, "decay": "none"}, "decay must be 'cosine' or 'linear', got 'none'"),
    ],
)
def test_says_what_is_wrong(fields, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(**fields)


@given(st.integers(1, 60), st.integers(1, 3), st.floats(0.01, 0.99))
def test_every_picture_has_one_number(steps: int, processes: int, share: float) -> None:
    phases = [{"until": share, "size": [32, 32], "batch": 3}, {"until": 1.0, "size": [64, 64], "batch": 2}]
    config = tiny_config(steps, phases=phases)
    total = 0
    for step in range(steps):
        assert config.pictures_before(step, processes) == total
        total += config.phase(step).batch * processes
    assert config.phase(_first_step(share, steps)).batch == 2
