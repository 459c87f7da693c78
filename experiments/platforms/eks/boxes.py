"""The way to a reverter that is a pod: it is asked, and answers, through objects of its cluster (`system.mailbox`)."""

import json
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.testbed.system.apiserver import ApiServer, ApiServerError
from experiments.testbed.system.mailbox import (
    ECHO,
    HEARTBEAT,
    ORDER,
    PLAN,
    Server,
    lease_path,
    packed,
    renewed,
    secret_path,
    unpacked,
)
from experiments.testbed.system.plan import EMPTY, Plan, PlanError
from experiments.testbed.system.watch import RefusedError

NAMESPACE = "gameday-reverter"
CALL_S = 3.0
ASKED_WITHIN_S = 4.0
LIFTS_WITHIN_S = 11.0
LOOK_S = 0.2
ECHO_WITHIN_S = 6.0  # heartbeats come each 2 s
WATCHED_S = 5.0  # within it a run that lives sends two heartbeats


class SilentError(ApiServerError):
    """The pod does not answer, or does not echo."""


class Box:
    """One pod, with the face of a watch. Every call raises ApiServerError when its cluster or the pod is silent.

    Args:
        server: the API of the cluster in which the pod runs.
        where: that cluster in words.
    """

    def __init__(self, server: Server, where: str) -> None:
        self._server, self._where = server, where
        self._order, self._plan = secret_path(NAMESPACE, ORDER), secret_path(NAMESPACE, PLAN)
        self._heartbeat, self._echo = (lease_path(NAMESPACE, name) for name in (HEARTBEAT, ECHO))
        self._asking = threading.Lock()
        self._echoed, self._echoed_s = "", time.monotonic()

    @property
    def plan(self) -> Plan:
        """The plan as the pod keeps it; an empty one while there is no pod."""
        status, text = self._server.call("GET", self._plan, timeout_s=CALL_S)
        if status == 404:
            return EMPTY
        if status != 200:
            raise ApiServerError(f"GET {self._plan}: {status} {text[:300]}")
        found = unpacked(json.loads(text), PLAN)
        return EMPTY if found is None else Plan.of(found)

    def put(self, document: Mapping[str, Any]) -> Plan:
        """Have it take a plan; return it as it was stored. Raises PlanError and RefusedError."""
        found = self.ask("put", document)
        self._echoed_s = time.monotonic()
        return found

    def lift(self, generation: int, *, by: str, only: Sequence[Mapping[str, Any]] | None = None) -> Plan:
        """Have it lift now. Raises RefusedError when another generation is held."""
        body = {"generation": generation, "by": by, **({} if only is None else {"only": list(only)})}
        return self.ask("lift", body, LIFTS_WITHIN_S)

    def drop(self, generation: int) -> Plan:
        """Have it forget. Raises RefusedError."""
        return self.ask("drop", {"generation": generation})

    def heard(self, run: str) -> Plan:
        """Pass a heartbeat on; return the plan. Raises SilentError when none was echoed for too long."""
        beat = self._read(self._heartbeat)
        status, text = self._server.call("PUT", self._heartbeat, renewed(beat, run), timeout_s=CALL_S)
        if status not in (200, 409):  # 409: another process of the run has renewed it in this moment
            raise ApiServerError(f"PUT {self._heartbeat}: {status} {text[:300]}")
        echo = str(self._read(self._echo)["metadata"]["resourceVersion"])
        if echo != self._echoed:
            self._echoed, self._echoed_s = echo, time.monotonic()
        if (silent_s := self.silence_s()) > ECHO_WITHIN_S:
            raise SilentError(f"the pod in {self._where} has echoed no heartbeat for {silent_s:.0f} s")
        return self.plan

    def silence_s(self) -> float:
        """How long no heartbeat was echoed, in seconds."""
        return time.monotonic() - self._echoed_s

    def is_heard(self) -> str:
        """Run whose process sends heartbeats just now, from whatever machine; empty: none does."""
        first = self._read(self._heartbeat)
        time.sleep(WATCHED_S)
        last = self._read(self._heartbeat)
        same = first["metadata"]["resourceVersion"] == last["metadata"]["resourceVersion"]
        return "" if same else str(last["spec"].get("holderIdentity") or "")

    def ask(self, what: str, body: Any = None, within_s: float | None = None) -> Plan:
        """Ask, and wait for the answer. Raises PlanError, RefusedError, SilentError."""
        with self._asking:
            within_s = ASKED_WITHIN_S if within_s is None else within_s
            deadline, name = time.monotonic() + within_s, secrets.token_hex(8)
            order = {"data": {ORDER: packed({"id": name, "what": what, "body": body})}}
            content = "application/merge-patch+json"
            status, text = self._server.call("PATCH", self._order, order, content=content, timeout_s=CALL_S)
            if status != 200:
                raise ApiServerError(f"PATCH {self._order}: {status} {text[:300]}")
            while time.monotonic() < deadline:
                answer = unpacked(self._read(self._plan), "answer") or {}
                if answer.get("id") == name:
                    return _taken(answer)
                time.sleep(LOOK_S)
        raise SilentError(f"the pod in {self._where} has not answered `{what}` for {within_s:g} s")

    def _read(self, path: str) -> dict[str, Any]:
        status, text = self._server.call("GET", path, timeout_s=CALL_S)
        if status != 200:
            raise ApiServerError(f"GET {path}: {status} {text[:300]}")
        return dict(json.loads(text))


def boxes(pods: Mapping[str, str], folder: Path) -> dict[str, Box]:
    """The ways to pods, by the region that each lifts on.

    Args:
        pods: region that each lifts on: region in whose cluster it is.
        folder: with `kubeconfig-REGION.yaml` of each.

    Raises:
        ApiServerError: a kubeconfig cannot be used.
    """
    return {hit: Box(ApiServer(folder / f"kubeconfig-{where}.yaml"), where) for hit, where in pods.items()}


def _taken(answer: Mapping[str, Any]) -> Plan:
    """The plan that an answer holds. Raises what the pod has raised."""
    status, words = answer.get("status"), str(answer.get("error", ""))
    if status == 200:
        return Plan.of(answer.get("plan"))
    if status == 409:
        raise RefusedError(words)
    raise PlanError(words) if status == 400 else ApiServerError(words)
