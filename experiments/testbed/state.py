"""What the testbed remembers of itself between commands: `testbed.json` in the state folder."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

from experiments.testbed import kept
from experiments.testbed.layout import state_folder

_LOCK = Lock()  # both regions are made at once


@dataclass(frozen=True)
class Identity:
    """What tells a cluster from any other of the same name."""

    cluster: str
    uid: str  # of its namespace kube-system
    ca_sha256: str  # of its API's certificate authority


@dataclass(frozen=True)
class State:
    """Contents of `testbed.json`.

    `seed` says which making of the data this is; `restarted` changes when copies and Prometheus shall forget;
    `making` are clusters that were begun and not finished.
    """

    image: str = ""  # content of our image that the nodes hold
    seed: int = 1
    restarted: int = 0
    making: frozenset[str] = frozenset()
    made_at: str = ""
    identities: dict[str, Identity] = field(default_factory=dict)  # by region
    versions: dict[str, str] = field(default_factory=dict)


def path() -> Path:
    """Where it is."""
    return state_folder() / "testbed.json"


def read() -> State:
    """Return what is remembered; the beginning when there is no file.

    Raises:
        TestbedError: the file is damaged, or another version of gameday has written it.
    """
    remedy = "Remove the file, then `gameday testbed up`: it knows its clusters by a mark in them."
    try:
        with kept.read(path(), "what `gameday testbed up` remembered", remedy):
            document: dict[str, Any] = json.loads(path().read_text(encoding="utf-8"))
            document["making"] = frozenset(document["making"])
            document["identities"] = {region: Identity(**values) for region, values in document["identities"].items()}
            return State(**document)
    except FileNotFoundError:
        return State()


def change(**changes: Any) -> State:
    """Remember something else; the file is replaced at once or not at all. Raises TestbedError."""
    return _changed(lambda _: changes)


def begin(cluster: str) -> None:
    """Remember that a cluster is being made; another may be at the same moment. Raises TestbedError."""
    _changed(lambda now: {"making": now.making | {cluster}})


def finish(cluster: str) -> None:
    """Remember that a cluster was made. Raises TestbedError."""
    _changed(lambda now: {"making": now.making - {cluster}})


def _changed(change: Callable[[State], Mapping[str, Any]]) -> State:
    with _LOCK:
        now = read()
        changed = replace(now, **change(now))
        kept.write_json(path(), asdict(changed) | {"making": sorted(changed.making)})
        return changed


def forget() -> None:
    """Remove the file."""
    path().unlink(missing_ok=True)
