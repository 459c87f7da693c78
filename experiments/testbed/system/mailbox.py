"""Role `mailbox`: the reverter as a pod, in another cluster than the one whose faults it lifts.

It has no port. It is asked, and answers, through objects of its own cluster's API server, in its own namespace:

    Secret order       what it is asked: `{"id", "what", "body"}`; what: look, put, lift, drop
    Secret plan        the plan that it holds, and its last answer: `{"id", "status", "plan" or "error"}`
    Lease heartbeat    renewed by the runner, by the run's name
    Lease echo         renewed by this pod whenever it has heard a heartbeat

When it lifts is what the testbed's reverter knows (`Watch`). Nobody's clock is compared: a Lease was renewed when its
resource version has changed. Settings, from the environment:

    NAMESPACE    of these objects
    KUBECONFIGS  folder with kubeconfig-REGION.yaml of the cluster that it lifts on    default /etc/gameday
    SILENT_S     seconds without a heartbeat until it lifts      default 20
"""

import base64
import binascii
import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from . import settings
from .apiserver import ApiServer, ApiServerError
from .lifting import Lifter
from .plan import EMPTY, Plan, PlanError
from .watch import SILENT_S, RefusedError, Watch

ORDER, PLAN, HEARTBEAT, ECHO = "order", "plan", "heartbeat", "echo"
LOOK_S = 0.3  # between looks at heartbeat and order
CALL_S = 5.0
CAN_LIFT = ("kube-patch", "kube-delete")

_log = logging.getLogger(__name__)


class Server(Protocol):
    """An API server, as far as it is asked here."""

    def call(
        self, method: str, path: str, body: Any = None, *, content: str = "application/json", timeout_s: float
    ) -> tuple[int, str]:
        """Call a path; return the status and the answer's text. Raises ApiServerError."""


def secret_path(namespace: str, name: str) -> str:
    """Path of a Secret on the API server."""
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


def lease_path(namespace: str, name: str) -> str:
    """Path of a Lease on the API server."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"


def renewed(lease: Mapping[str, Any], run: str) -> dict[str, Any]:
    """A Lease, renewed by a run now."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {**lease, "spec": {**lease.get("spec", {}), "holderIdentity": run, "renewTime": now}}


def packed(document: Any) -> str:
    """A value as a Secret holds it."""
    return base64.b64encode(json.dumps(document).encode()).decode()


def unpacked(secret: Mapping[str, Any], name: str) -> Any:
    """Inverse of `packed`, of a Secret's entry; nothing when there is none. Raises PlanError when it is damaged."""
    found = (secret.get("data") or {}).get(name)
    try:
        return None if found is None else json.loads(base64.b64decode(found, validate=True))
    except (ValueError, TypeError, binascii.Error) as error:
        raise PlanError(f"entry {name} is damaged: {error}") from error


class SecretStore:
    """The plan in a Secret: it outlives the pod and its node. Of two pods that write, one is refused."""

    def __init__(self, server: Server, namespace: str) -> None:
        self._server, self._path = server, secret_path(namespace, PLAN)
        self._lock = threading.RLock()
        self._known: dict[str, Any] | None = None  # as it was last read or written, with its version

    def read(self) -> Plan:
        """Return the plan; an empty one when none was ever written. Raises PlanError when it is damaged, or away."""
        try:
            found = unpacked(self._read(), PLAN)
        except OSError as error:
            raise PlanError(str(error)) from error
        return EMPTY if found is None else Plan.of(found)

    def set_aside(self) -> None:
        """Keep a damaged plan under another name, out of the next plan's way. Raises OSError.

        One that could not be read for another reason stays where it is: then this process has to begin anew.
        """
        with self._lock:
            damaged = (self._read().get("data") or {}).get(PLAN, "")
            with contextlib.suppress(PlanError):
                self.read()
                raise ApiServerError(f"{self._path} could not be read, and can be now")
            self._write({f"{PLAN}.damaged": damaged, PLAN: packed(EMPTY.to_json())})

    def write(self, plan: Plan) -> None:
        """Replace the plan. Raises OSError when it cannot be kept, or another pod has written since."""
        self._write({PLAN: packed(plan.to_json())})

    def answer(self, answer: Mapping[str, Any]) -> None:
        """Say what became of the order. Raises OSError."""
        self._write({"answer": packed(answer)})

    def answered(self) -> str:
        """Name of the order that was answered last. Raises PlanError, OSError."""
        return str((unpacked(self._read(), "answer") or {}).get("id", ""))

    def _read(self) -> dict[str, Any]:
        with self._lock:
            self._known = _object(self._server, self._path)
            return self._known

    def _write(self, entries: Mapping[str, str]) -> None:
        with self._lock:
            known = self._known or self._read()
            self._known = None  # read again, unless this goes well
            data = {**(known.get("data") or {}), **entries}
            status, text = self._server.call("PUT", self._path, {**known, "data": data}, timeout_s=CALL_S)
            if status != 200:
                raise ApiServerError(f"PUT {self._path}: {status} {text[:300]}")
            self._known = json.loads(text)


def _object(server: Server, path: str) -> dict[str, Any]:
    """Read an object. Raises ApiServerError."""
    status, text = server.call("GET", path, timeout_s=CALL_S)
    if status != 200:
        raise ApiServerError(f"GET {path}: {status} {text[:300]}")
    return dict(json.loads(text))


class Mailbox:
    """What is asked and heard through objects, put to a watch."""

    def __init__(self, server: Server, namespace: str, store: SecretStore, watch: Watch, lifter: Lifter) -> None:
        self._server, self._store, self._watch, self._lifter = server, store, watch, lifter
        self._order = secret_path(namespace, ORDER)
        self._heartbeat, self._echo = (lease_path(namespace, name) for name in (HEARTBEAT, ECHO))
        self._heard = ""  # version of the heartbeat that was heard last
        self._answered: str | None = None

    def listen(self) -> None:
        """Look once for a heartbeat, and echo one that counts. Raises OSError."""
        beat = _object(self._server, self._heartbeat)
        version, run = str(beat["metadata"]["resourceVersion"]), str(beat.get("spec", {}).get("holderIdentity") or "")
        if version == self._heard or not run:
            return
        self._heard = version
        try:
            self._watch.heard(run)
        except RefusedError as error:
            _log.warning("a heartbeat of run %s: %s", run, error)
            return
        echo = renewed(_object(self._server, self._echo), run)
        status, text = self._server.call("PUT", self._echo, echo, timeout_s=CALL_S)
        if status != 200:
            raise ApiServerError(f"PUT {self._echo}: {status} {text[:300]}")

    def attend(self) -> None:
        """Look once for an order; do it, and answer. Raises OSError."""
        order = unpacked(_object(self._server, self._order), ORDER)
        if not isinstance(order, dict):
            return
        if self._answered is None:
            self._answered = self._store.answered()
        name = str(order.get("id"))
        if name == self._answered:
            return
        answer = {"id": name, **self._done(str(order.get("what")), order.get("body"))}
        self._store.answer(answer)
        self._answered = name

    def _done(self, what: str, body: Any) -> dict[str, Any]:
        try:
            return {"status": 200, "plan": self._do(what, body).to_json()}
        except RefusedError as error:
            return {"status": 409, "error": str(error)}
        except (PlanError, KeyError, TypeError, ValueError) as error:
            return {"status": 400, "error": f"{type(error).__name__}: {error}"}
        except OSError as error:
            return {"status": 507, "error": f"the plan cannot be kept: {error}"}

    def _do(self, what: str, body: Any) -> Plan:
        watch = self._watch
        if what == "look":
            return watch.plan
        if what == "put":
            self._try(Plan.of(body))
            return watch.put(body)
        if what == "lift":
            return watch.lift(int(body["generation"]), by=str(body["by"]), only=body.get("only"))
        if what == "drop":
            return watch.drop(int(body["generation"]))
        raise PlanError(f"order {what}")

    def _try(self, plan: Plan) -> None:
        """Rehearse each new lift on its cluster, with nothing changed: it must be reached, and let us in.

        Raises RefusedError: a lift that this pod could not perform is not taken, so nothing is injected.
        """
        for lift in plan.lifts:
            if lift["verb"] not in CAN_LIFT:
                words = "a pod has no Docker, no AWS and no way to the testbed: the runner's machine must hold it"
                raise RefusedError(f"{lift['verb']} {lift['target']}: {words}")
            if lift in self._watch.plan.lifts:
                continue
            arguments = {**lift["arguments"], "path": f"{lift['arguments']['path']}?dryRun=All"}
            result = self._lifter.perform_one({**lift, "arguments": arguments})
            if not result.ok:
                raise RefusedError(f"{result.verb} {result.target}, rehearsed from here: {result.detail}")


def _for_ever(does: Callable[[], None]) -> None:
    while True:
        try:
            does()
        except (OSError, PlanError, KeyError, TypeError, ValueError):
            _log.exception("tried again")  # nothing may end it: a fault would stay for ever
        time.sleep(LOOK_S)


def run() -> int:
    """Watch, listen and answer until the pod is ended; return the exit code."""
    namespace = settings.text("NAMESPACE")
    lifter = Lifter(Path(settings.text("KUBECONFIGS", "/etc/gameday")))
    try:
        server = ApiServer(None)
    except ApiServerError as error:
        raise settings.SettingError(f"no service account: {error}; a mailbox runs as a pod") from error
    store = SecretStore(server, namespace)
    watch = Watch(store, lifter, "", silent_s=settings.number("SILENT_S", SILENT_S))
    box = Mailbox(server, namespace, store, watch, lifter)
    threading.Thread(target=watch.run, daemon=True, name="watch").start()
    threading.Thread(target=_for_ever, args=(box.listen,), daemon=True, name="heartbeats").start()
    _for_ever(box.attend)
    return 0
