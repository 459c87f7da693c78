"""The tactical service: decides how much."""

from .caller import Stage, run_stage
from .models import INSTRUMENTS, SignalModel


def run() -> int:
    """Serve.

    Returns:
        The exit code.

    Raises:
        SettingError: A variable is missing or wrong.
    """
    model = SignalModel()

    def think(order: dict[str, int]) -> dict[str, int]:
        asked = dict(order)
        instrument, direction = asked["instrument"] % INSTRUMENTS, asked.pop("direction")
        units = model.units(asked["key"], instrument)
        return asked | {"instrument": instrument, "quantity": units if direction > 0 else -units}

    takes = ("key", "seq", "sent_us", "instrument", "direction")
    return run_stage(Stage("tactical", "/signals", "/checks", takes, think), dict.fromkeys(takes, 0))
