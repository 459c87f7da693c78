"""The run's clock against the wall clock: steps are seen, slewing is followed, the error is bounded."""

from experiments.observe.clock import STEP_US, Clock, Origin


class Clocks:
    """Both clocks of a machine, set by hand."""

    def __init__(self) -> None:
        self.monotonic_ns, self.epoch_ns, self.look_ns = 10_000_000_000, 1_700_000_000_000_000_000, 1_000

    def monotonic(self) -> int:
        self.monotonic_ns += self.look_ns
        return self.monotonic_ns

    def epoch(self) -> int:
        return self.epoch_ns

    def pass_us(self, us: int, wall_us: int | None = None) -> None:
        self.monotonic_ns += us * 1_000
        self.epoch_ns += (us if wall_us is None else wall_us) * 1_000


def _clock() -> tuple[Clocks, Clock]:
    clocks = Clocks()
    origin = Origin(clocks.monotonic_ns, clocks.epoch_ns // 1_000)
    return clocks, Clock(origin, clocks.monotonic, clocks.epoch)


def test_a_wall_clock_that_is_set_is_a_step() -> None:
    for step_us in (3_000_000, -20_000):
        clocks, clock = _clock()
        clocks.pass_us(1_000_000)
        assert clock.look() == 0
        clocks.pass_us(1_000_000, 1_000_000 + step_us)
        assert abs(clock.look() - step_us) < 100
        assert clock.bound_us >= abs(step_us) - 100
        clocks.pass_us(1_000_000)
        assert clock.look() == 0


def test_a_wall_clock_that_is_slewed_is_followed_and_is_no_step() -> None:
    clocks, clock = _clock()
    for _ in range(3_000):  # fifty minutes at 500 ppm: a second and a half
        clocks.pass_us(1_000_000, 1_000_500)
        assert clock.look() == 0
    now_us = clock.now_us()
    assert abs(clock.of_epoch(clocks.epoch_ns // 1_000) - now_us) < 1_000
    assert 400 < clock.bound_us < STEP_US


def test_the_bound_grows_with_the_time_that_a_look_takes() -> None:
    clocks, clock = _clock()
    clocks.look_ns = 4_000_000
    clock.look()
    assert clock.bound_us >= 2_000


def test_stamps_of_the_wall_clock_come_back_as_they_went() -> None:
    _, clock = _clock()
    assert clock.of_epoch(clock.epoch_us(123_456)) == 123_456
