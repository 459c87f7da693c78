import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.testbed.system.models import INSTRUMENTS, DecisionModel, RiskModel, SignalModel

MODEL = RiskModel()
UNITS = st.lists(st.integers(-1000, 1000), min_size=INSTRUMENTS, max_size=INSTRUMENTS).map(np.array)


@given(UNITS)
def test_var_is_the_loss_that_five_days_of_five_hundred_exceed(units: np.ndarray) -> None:
    results = sorted(float(day) for day in MODEL._returns @ (MODEL._prices * units))
    assert MODEL.value_at_risk(units) == pytest.approx(max(0.0, -results[5]))


@given(UNITS, st.integers(2, 50))
def test_var_grows_with_the_position(units: np.ndarray, times: int) -> None:
    assert MODEL.value_at_risk(units * times) == pytest.approx(times * MODEL.value_at_risk(units))


def test_nothing_held_is_nothing_at_risk_and_a_hedge_is_less() -> None:
    alone, hedged = np.zeros(INSTRUMENTS), np.zeros(INSTRUMENTS)
    assert MODEL.value_at_risk(alone) == 0
    alone[0] = 100
    hedged[:2] = 100, -100
    assert 0 < MODEL.value_at_risk(hedged - alone) < MODEL.value_at_risk(np.abs(hedged))


def test_a_shock_is_when_instruments_fall_together() -> None:
    assert not MODEL.correlation_shock()
    together = RiskModel()
    together._returns[:] = together._returns[:, :1] + 1e-6 * together._returns
    assert together.correlation_shock()


def test_decisions_and_sizes_are_the_same_for_the_same_key_and_differ_over_keys() -> None:
    decided = [DecisionModel().decide(key) for key in range(300)]
    assert decided == [DecisionModel().decide(key) for key in range(300)]
    assert {direction for _, direction in decided} == {1, -1}
    assert len({instrument for instrument, _ in decided}) > INSTRUMENTS // 2
    model = SignalModel()
    sizes = {model.units(key, 3) for key in range(300)}
    assert min(sizes) >= 1
    assert max(sizes) <= 10
    assert len(sizes) > 3
