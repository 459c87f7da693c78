"""The old primary becomes the standby of the new one: its data are given up while it is still fenced, then copied anew.

Each step looks first or can be done twice, so that an undo that was stopped is simply called again. The order keeps
the promise of one writer: the database is ended and can only start as a standby before its nodes see the network.
"""

import json
from collections.abc import Callable, Mapping

import psycopg

from experiments.faults import verbs
from experiments.operate.moments import moments
from experiments.platforms.docker import socket_path
from experiments.platforms.shell import attempt, run
from experiments.safety.tunnel import POD, Data, data_of, kubectl
from experiments.testbed import clusters, layout, outside, status
from experiments.testbed.layout import PORTS, Place
from experiments.testbed.system.engine import Engine
from experiments.testbed.system.lifting import Lifter
from scenarios.errors import LeftBehindError, Problem

SLOT = "standby"
STREAMS_WITHIN_S = 300.0
ANSWERS_WITHIN_S = 120.0
_STATEFUL_SET = "postgres"

type Progress = Callable[[float, str], None]  # share done, what is done now


def demote(old: Place, new: Place, cut: Mapping[str, str], progress: Progress) -> None:
    """Make the database of `old` a standby of the one of `new`, and connect its nodes again.

    Args:
        old: region of the primary before.
        new: region of the primary now.
        cut: nodes of `old` that are cut from the network, with the addresses that they had.
        progress: is told the share done, and what is done now.

    Raises:
        CommandError, TestbedError: a node or its API server does not do what it is told.
        LeftBehindError: the standby does not stream in time, or a node could not be connected.
    """
    if follows(old, new) and not cut:
        return
    start_stopped(old)
    progress(0.0, f"{new.region} takes a standby")
    _prepare(new)
    progress(0.05, f"the old primary in {old.region} is ended, still fenced")
    data = data_of(old)
    give_up(old, data)
    progress(0.15, f"{old.region} is connected again")
    connect(cut)
    run("docker", "exec", data.node, "systemctl", "start", "kubelet")
    progress(0.25, f"{old.region} copies the database of {new.region}")
    if not moments.poll(lambda: follows(old, new), STREAMS_WITHIN_S, every_s=2.0):
        problem = f"no standby that streams within {STREAMS_WITHIN_S:g} s"
        remedy = "Look at the pod postgres-0 there; `gameday testbed reset` makes both databases anew, empty."
        raise LeftBehindError(Problem(f"database of {old.region}", problem, f"a standby of {new.region}", remedy))
    progress(1.0, f"{old.region} is the standby of {new.region}")


def start_stopped(old: Place) -> None:
    """Start the nodes of a region that was stopped. Only its lease fences it then: no node starts without a network.

    Raises:
        TestbedError: a node is gone, or its API does not answer.
    """
    if "exited" not in clusters.node_states([old]).values():
        return
    clusters.make(old)
    moments.poll(lambda: status.database(old) is not None, ANSWERS_WITHIN_S, every_s=1.0)


def follows(old: Place, new: Place) -> bool:
    """Whether `new` is out of recovery with a standby that streams, and `old` is in recovery."""
    was, now = status.database(old), status.database(new)
    return was is not None and not was.writable and now is not None and now.writable and now.streaming_standbys > 0


def connect(cut: Mapping[str, str]) -> None:
    """Connect nodes again under the addresses that they had. Raises LeftBehindError."""
    lifts = [verbs.connect(node, layout.NETWORK, address) for node, address in cut.items()]
    engine = Engine(socket_path())
    lifter = Lifter(layout.kubeconfig_folder(), engine=engine)  # `perform` would leave a replaced region outside
    failed = [result for result in lifter.perform([lift.to_json() for lift in lifts]) if not result.ok]
    if failed:
        remedy = "Run `gameday undo` again."
        raise LeftBehindError(*(Problem(f"node {r.target}", r.detail, "it on the network", remedy) for r in failed))


def _prepare(new: Place) -> None:
    """The new primary keeps a slot for its standby, and the link between the regions leads to it."""
    outside.call("PUT", f"{outside.LINK}/replication", {"mode": "pass", "target": new.region})
    with psycopg.connect(
        host=new.address, port=PORTS["database"], user="postgres", password="postgres", dbname="postgres",
        connect_timeout=5,
    ) as connection:  # fmt: skip
        connection.execute(
            "SELECT pg_create_physical_replication_slot(%(slot)s) "
            "WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %(slot)s)",
            {"slot": SLOT},
        )


def give_up(old: Place, data: Data) -> None:
    """End the old primary for good: from now on its pod can only start as a standby that copies everything."""
    run("docker", "exec", data.node, "systemctl", "stop", "kubelet")
    role = [{"name": "ROLE", "value": "standby"}]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "postgres", "env": role}]}}}}
    namespace = ("-n", layout.NAMESPACE)
    kubectl(old, "patch", "statefulset", _STATEFUL_SET, *namespace, "--type", "strategic", "-p", json.dumps(patch))
    attempt("docker", "exec", data.node, "pkill", "-KILL", "-x", "postgres")  # 1: there is none
    run("docker", "exec", data.node, "rm", "-f", f"{data.folder}/pg/seed")
    force = ("--force", "--grace-period", "0", "--wait=false", "--ignore-not-found")
    kubectl(old, "delete", "pod", POD, *namespace, *force)
