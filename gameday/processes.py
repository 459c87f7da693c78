"""The processes of a game day: who measures, who sends, and who plays the experiment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.observe import settings as observing
from experiments.observe.clock import Origin
from experiments.platforms.site import site
from experiments.run.children import Child
from experiments.run.play import EXECUTOR
from experiments.traffic import LOCUST
from scenarios.files.resolved import Resolved


def observers(resolved: Resolved, origin: Origin) -> dict[str, Callable[[int], Child]]:
    """How each observer of a run is started, by its name; the argument is the number of the next order."""
    measuring = ["experiments.observe"]
    section = resolved.scenario.worlds.kind
    users = section.users if section is not None else None

    def sender(first_seq: int) -> Child:
        if users is None:
            return Child("sender", ["experiments.traffic"], observing.sender(resolved, origin, first_seq=first_seq))
        return Child("sender", LOCUST, observing.users(resolved, origin, users, first_seq=first_seq))

    return {
        "watchers": lambda _: Child("watchers", measuring, observing.watchers(resolved, origin)),
        "probers": lambda _: Child("probers", measuring, observing.probers(resolved, origin)),
        "sender": sender,
    }


def executor(experiment: dict[str, Any], folder: Path, run_id: str, origin: Origin, operator: str) -> Child:
    """The process that plays an experiment: what Chaos Toolkit made of it stands in the record's folder."""
    document = {
        "role": EXECUTOR,
        "experiment": experiment,
        "journal": str(folder / "journal.json"),
        "run": run_id,
        "origin_ns": origin.monotonic_ns,
        "origin_epoch_us": origin.epoch_us,
        "operator": operator,
        "site": site().to_json(),
    }
    return Child(EXECUTOR, ["experiments.compile.execute"], document)
