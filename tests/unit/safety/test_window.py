"""Windows hold the run and its longest undo."""

from datetime import UTC, datetime, timedelta

import pytest

from experiments.safety.window import Window, inside
from scenarios.errors import UsageError

BEGIN = datetime(2026, 3, 1, 2, tzinfo=UTC)
WINDOW = Window(BEGIN, BEGIN + timedelta(hours=2))
MINUTE = 60_000_000


@pytest.mark.proves("on a production target a run needs a declared window that also holds the longest undo")
@pytest.mark.parametrize(
    ("after_min", "run_min", "undo_min", "fits"),
    [
        (0, 100, 20, True),
        (0, 100, 21, False),
        (1, 100, 20, False),
        (-1, 10, 10, False),
        (119, 1, 0, True),
        (120, 0, 0, False),
    ],
)
def test_holds_both(after_min: int, run_min: int, undo_min: int, fits: bool) -> None:
    now = BEGIN + timedelta(minutes=after_min)
    sizes = {"run_us": run_min * MINUTE, "undo_us": undo_min * MINUTE}
    if fits:
        assert inside([WINDOW], now, **sizes) == WINDOW
    else:
        with pytest.raises(UsageError, match="longest undo"):
            inside([WINDOW], now, **sizes)


def test_times_have_offsets() -> None:
    assert Window.of("2026-03-01T03:00:00+01:00", "2026-03-01T04:00:00Z") == WINDOW
    for begin, end in (("2026-03-01T03:00:00", "2026-03-01T04:00:00Z"), ("tomorrow", "2026-03-01T04:00:00Z")):
        with pytest.raises(UsageError, match="offset"):
            Window.of(begin, end)
    with pytest.raises(UsageError, match="an end after its begin"):
        Window.of("2026-03-01T04:00:00Z", "2026-03-01T04:00:00Z")
