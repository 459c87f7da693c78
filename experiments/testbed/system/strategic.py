"""The strategic service, the edge: decides what to trade and which way."""

from .caller import Stage, run_stage
from .models import DecisionModel


def run() -> int:
    """Serve.

    Returns:
        The exit code.

    Raises:
        SettingError: A variable is missing or wrong.
    """
    model = DecisionModel()

    def think(order: dict[str, int]) -> dict[str, int]:
        instrument, direction = model.decide(order["key"])
        return order | {"instrument": instrument, "direction": direction}

    example = {"key": 0, "seq": 0, "sent_us": 0}
    return run_stage(Stage("strategic", "/orders", "/signals", ("key", "seq", "sent_us"), think), example)
