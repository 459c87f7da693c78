"""Talks to the containers outside both regions: lease, name, link, reverter; and to a database as its operator."""

import json
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import psycopg

from experiments.platforms.direct import urlopen
from experiments.testbed import layout
from experiments.testbed.connecting import connect
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import Place
from experiments.testbed.plan import plan
from scenarios.errors import Problem

OUTSIDE = f"http://{layout.HOST}:{layout.OUTSIDE_PORT}"
LINK = f"http://{layout.HOST}:{layout.LINK_ADMIN_PORT}"
REVERTER = f"http://{layout.HOST}:{layout.REVERTER_PORT}"
_PATIENCE_S = 5
_START_S = 30  # that a container which has just been started may take
_CONFLICT = 409


def call(method: str, url: str, body: Any = None, *, patience_s: float = _PATIENCE_S) -> Any:
    """Call one of them and return its JSON answer.

    Raises:
        HTTPError: it answers with an error.
        OSError: it does not answer.
    """
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urlopen(request, timeout=patience_s) as answer:
        return json.load(answer)


def lift_everything() -> dict[str, str]:
    """Have the reverter lift what it holds; return the nodes that it keeps off the network, with their addresses."""
    held = _answering("GET", f"{REVERTER}/plan")
    if held.get("lifts") and not held.get("results"):
        body = {"generation": held["generation"], "by": "testbed reset"}
        held = _told("POST", f"{REVERTER}/lift", body, patience_s=60)
    if failed := [result for result in held.get("results", []) if not result["ok"]]:
        remedy = "`gameday undo` says more; a lift that cannot work any more is forgotten by `gameday testbed down`."
        raise TestbedError(Problem("gameday-reverter", f"not lifted: {failed}"[:400], "every fault lifted", remedy))
    return dict(held.get("cut", {}))


def bring_home(home: str) -> None:
    """Give the lease, the name and the link back to the home region; the lease only when no other holds it."""
    lease = _answering("GET", f"{OUTSIDE}/lease")
    if lease.get("region") not in (home, None, ""):
        _told("POST", f"{OUTSIDE}/lease/fence", {"region": lease["region"]}, patience_s=_longest_lease_s())
    _grant(home)
    _told("POST", f"{OUTSIDE}/dns/block", {"blocked": False})
    _told("PUT", f"{OUTSIDE}/dns", {"region": home})
    _answering("PUT", f"{LINK}/replication", {"mode": "pass", "target": home})


def has_tables(home: Place) -> bool:
    """Whether the primary has its tables: one that was dropped comes back only with a database that is made anew."""
    try:
        with connect(home, "operator", within_s=_PATIENCE_S, statement_s=_START_S) as connection:
            row = connection.execute("SELECT to_regclass('orders') IS NOT NULL").fetchone()
    except psycopg.Error:
        return False
    return row is not None and bool(row[0])


def empty_data(home: Place) -> None:
    """Empty the tables of the primary. Raises TestbedError when it cannot be reached."""
    try:
        with connect(home, "operator", within_s=_PATIENCE_S, statement_s=_START_S) as connection:
            connection.execute("SELECT gameday_empty()")
    except psycopg.Error as error:
        problem = Problem(f"database of {home.region}", str(error)[:300], "its tables empty", "Try `reset` again.")
        raise TestbedError(problem) from error


def _grant(home: str) -> None:
    """Grant the lease, as soon as the one before has expired."""
    deadline = time.monotonic() + _longest_lease_s()
    while True:
        try:
            call("POST", f"{OUTSIDE}/lease/grant", {"region": home})
            return
        except HTTPError as error:
            if error.code != _CONFLICT or time.monotonic() > deadline:
                raise _refused("lease", f"{error.code}: {error.read().decode(errors='replace')[:200]}") from error
        time.sleep(0.5)


def _told(method: str, url: str, body: Any, *, patience_s: float = _PATIENCE_S) -> Any:
    """Call one that has to obey. Raises TestbedError when it refuses, or does not answer."""
    try:
        return call(method, url, body, patience_s=patience_s)
    except HTTPError as error:
        raise _refused(url, f"{error.code}: {error.read().decode(errors='replace')[:200]}") from error
    except (OSError, ValueError) as error:
        raise _refused(url, str(error)) from error


def _answering(method: str, url: str, body: Any = None) -> Any:
    """Call one that may still be starting. Raises TestbedError when it does not answer in time."""
    deadline = time.monotonic() + _START_S
    while True:
        try:
            return call(method, url, body)
        except (OSError, ValueError) as error:
            if time.monotonic() > deadline:
                raise _refused(url, str(error)) from error
        time.sleep(0.5)


def _refused(where: str, found: str) -> TestbedError:
    names = ", ".join(layout.CONTAINERS)
    return TestbedError(Problem(where, found, "an answer", f"Look at `docker logs` of {names}."))


def _longest_lease_s() -> float:
    return 2 * plan().seconds("postgres.commit_lease") + _PATIENCE_S
