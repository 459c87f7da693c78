"""kind: two clusters of containers on this machine, and a witness that knows who may write."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from experiments.platforms.docker import socket_path
from experiments.testbed import layout
from experiments.testbed.system import returning
from experiments.testbed.system.engine import Engine
from experiments.testbed.system.lifting import Lifter, call_url
from scenarios.model.faults import FAULTS

OUTSIDE_URL = f"http://{layout.HOST}:{layout.OUTSIDE_PORT}"
PREPARES = True
WRONG = "This is not the cluster that `gameday testbed up` made: nothing was touched. Make the testbed anew."
SILENT = "Run `gameday testbed status`, then `gameday testbed up`."
REMEDY = "Run `gameday undo`; `gameday testbed reset` makes the databases anew, empty."
_ANSWERS_WITHIN_S = 1.0


def can_break() -> Collection[str]:
    """Kinds of faults that the testbed has a form of."""
    return [name for name, kind in FAULTS.items() if "kind" in kind.worlds]


def writer() -> str | None:
    """Region that the witness grants the writer's lease to."""
    return returning.writer(OUTSIDE_URL)


def leads_to() -> str:
    """Region that the name leads to, by the name server's zone."""
    status, text = call_url(f"{OUTSIDE_URL}/dns", "GET", None, timeout_s=_ANSWERS_WITHIN_S)
    try:
        return str(json.loads(text)["region"]) if status == 200 else ""
    except (ValueError, KeyError, TypeError):
        return ""


def failing_over() -> bool:
    """Whether an automation of either region is in the middle of its procedure; one that is silent is not."""
    return any(map(_in_a_step, layout.PLACES.values()))


def _in_a_step(place: layout.Place) -> bool:
    status, text = call_url(f"{place.url('automation')}/status", "GET", None, timeout_s=_ANSWERS_WITHIN_S)
    try:
        return status == 200 and json.loads(text)["step"] is not None
    except (ValueError, KeyError, TypeError):
        return False


def fencing(home: str) -> Mapping[str, Any]:
    """Nodes of each region and their network: those of the old primary come back cut from it."""
    nodes = {region: list(place.nodes) for region, place in layout.PLACES.items()}
    return {"home": home, "nodes": nodes, "network": layout.NETWORK}


def lifter(kubeconfigs: Path, timeout_s: float) -> Lifter:
    """Lifts on this machine's Docker, on the regions' API servers, and over HTTP."""
    return Lifter(kubeconfigs, engine=Engine(socket_path()), timeout_s=timeout_s)
