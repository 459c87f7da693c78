"""One game day at a time: a lock on this machine, and a Lease object in each target.

The lock on the machine decides between runs of one machine, so that a lost region cannot hide it. The Leases decide
between machines that reach the same targets. Either dies with the run: the lock with its process, a Lease when it was
not renewed for a minute. What is left of a dead run is taken over. Two machines' clocks may differ: a Lease of another
one that looks old is first watched, whether somebody renews it.
"""

import contextlib
import fcntl
import json
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from experiments.platforms.site import site
from experiments.safety.reverter import Reverter, ReverterError
from experiments.testbed import layout
from experiments.testbed.system.apiserver import ApiServer, ApiServerError, ApiServers
from scenarios.errors import GamedayError, Problem, UsageError
from scenarios.record.storage import problem_of

LEASE = "gameday"
LEASE_S = 60
RENEW_S = 10.0
WATCHED_S = 25.0  # a Lease that looks dead: within it a run that lives renews it twice
LOOK_S = 1.0
HEARD_S = 6.0  # a run says each 2 s that it is alive
CALL_S = 5.0  # of one call to an API server: a lost one never answers


class LockedError(UsageError):
    """Another game day is on (exit code 2). It says who holds the lock, and since when."""


class LockError(GamedayError, OSError):
    """A lock can be neither taken nor looked at."""


class DeniedError(LockError):
    """A target does not let us in, or not do this: 401 or 403."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    run: str
    pid: int
    machine: str
    since: str  # RFC 3339, UTC

    def __str__(self) -> str:
        """Return it in words."""
        return f"run {self.run} (process {self.pid} on {self.machine}), since {self.since}"


def this_process(run: str) -> Holder:
    """Return this process as a holder."""
    return Holder(run, os.getpid(), platform.node(), _now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class HostLock:
    """The lock of this machine.

    A record lock of POSIX: the kernel gives it back when the process that took it has ended, however it ended, and
    also when a child of it lives on (which would keep a lock of flock).
    """

    _here: "HostLock | None" = None  # a process may take its own record lock twice, so this is asked first
    run = ""  # for which it was taken

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or layout.state_folder() / "lock"
        self._file = -1

    def take(self, holder: Holder) -> None:
        """Take it. Raises LockedError when another holds it, LockError when it cannot be looked at."""
        if HostLock._here is not None and HostLock._here.path == self.path:
            raise self._held()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.truncate(self._file, 0)
            os.pwrite(self._file, (json.dumps(asdict(holder)) + "\n").encode(), 0)
        except BlockingIOError:
            error = self._held()
            os.close(self._file)
            raise error from None
        except OSError as error:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
            raise LockError(problem_of(self.path, error, "a file that can be locked")) from error
        HostLock._here, self.run = self, holder.run

    @classmethod
    def is_held_for(cls, run: str) -> bool:
        """Whether this process holds it for a run."""
        return cls._here is not None and cls._here.run == run

    def give_back(self) -> None:
        """Give it back."""
        if HostLock._here is self:
            HostLock._here = None
            os.truncate(self._file, 0)
            os.close(self._file)

    def _held(self) -> LockedError:
        file = self._file if self._file >= 0 or HostLock._here is None else HostLock._here._file
        try:
            holder = str(Holder(**json.loads(os.pread(file, 4096, 0))))
        except (ValueError, TypeError, OSError):
            holder = "a run that is just starting"
        return _locked("this machine", holder)


def _locked(where: str, holder: str) -> LockedError:
    remedy = "Wait until it has ended. A dead run's lock is taken over by itself; what is no run, remove by hand."
    return LockedError(Problem(f"game day on {where}", holder, "no other one", remedy))


@dataclass
class TargetLease:
    """A Lease object in one target."""

    region: str
    server: ApiServer
    namespace: str = layout.NAMESPACE

    @property
    def path(self) -> str:
        """Its path on the API server."""
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"

    def take(self, holder: Holder) -> None:
        """Take it, also from a holder that is dead. Raises LockedError, LockError, ApiServerError (no answer)."""
        found = self._read()
        if found is None:
            status, text = self.server.call("POST", self.path, self._document(holder, {}), timeout_s=CALL_S)
        else:
            if _alive(found["spec"], holder) or self._is_renewed(found, holder):
                raise _locked(f"the target {self.region}", _words(found["spec"]))
            status, text = self._replace(holder, found)
        if status == 409:  # somebody took it in this very moment
            raise _locked(f"the target {self.region}", _words((self._read() or {"spec": {}})["spec"]))
        if status not in (200, 201):
            raise self._refused(status, text)

    def _is_renewed(self, found: Mapping[str, Any], holder: Holder) -> bool:
        """Whether somebody renews a Lease that looks dead; that of a process which is gone nobody does."""
        if _is_free(found["spec"], holder):
            return False
        deadline = time.monotonic() + WATCHED_S
        while time.monotonic() < deadline:
            time.sleep(LOOK_S)
            now = self._read()
            if now is None or now["metadata"].get("resourceVersion") != found["metadata"].get("resourceVersion"):
                return now is not None and not _is_free(now["spec"], holder)
        return False

    def renew(self, holder: Holder) -> None:
        """Say that the run goes on.

        Raises:
            LockedError: another has it.
            LockError: the target answers, and refuses it; DeniedError: for who we are.
            ApiServerError: nobody answers.
        """
        found = self._read()
        if found is not None and found["spec"].get("holderIdentity") not in ("", _identity(holder)):
            raise _locked(f"the target {self.region}", _words(found["spec"]))
        if found is None:
            self.take(holder)
            return
        status, text = self._replace(holder, found)
        if status not in (200, 201, 409):  # 409: somebody changed it at the same moment; the next look says who
            raise self._refused(status, text)

    def give_back(self, holder: Holder) -> None:
        """Give it back when it is ours. Raises ApiServerError."""
        found = self._read()
        if found is not None and found["spec"].get("holderIdentity") == _identity(holder):
            self.server.delete(f"{self.path}/{LEASE}", timeout_s=CALL_S)

    def _read(self) -> dict[str, Any] | None:
        status, text = self.server.call("GET", f"{self.path}/{LEASE}", timeout_s=CALL_S)
        if status == 404:
            return None
        if status != 200:
            raise self._refused(status, text)
        return dict(json.loads(text))

    def _refused(self, status: int, text: str) -> LockError:
        where, expected = f"Lease {self.namespace}/{LEASE} in {self.region}", "to be allowed to take it"
        problem = Problem(where, f"{status}: {text}", expected, "Run `gameday testbed status`.")
        return DeniedError(problem) if status in (401, 403) else LockError(problem)

    def _replace(self, holder: Holder, found: Mapping[str, Any]) -> tuple[int, str]:
        document = self._document(holder, found["metadata"])
        return self.server.call("PUT", f"{self.path}/{LEASE}", document, timeout_s=CALL_S)

    def _document(self, holder: Holder, metadata: Mapping[str, Any]) -> dict[str, Any]:
        kept = {"resourceVersion": metadata["resourceVersion"]} if "resourceVersion" in metadata else {}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEASE, "namespace": self.namespace, **kept},
            "spec": {
                "holderIdentity": _identity(holder),
                "leaseDurationSeconds": LEASE_S,
                "acquireTime": holder.since,
                "renewTime": _now(),
            },
        }


def _identity(holder: Holder) -> str:
    return f"{holder.machine}/{holder.pid}/{holder.run}"


def _is_free(spec: Mapping[str, Any], holder: Holder) -> bool:
    """Whether nobody holds a Lease, or we, or a process of this machine that is gone.

    A machine's name alone says nothing: another user's run, whose lock we do not see, has the same.
    """
    identity = str(spec.get("holderIdentity") or "")
    machine, _, rest = identity.partition("/")
    pid = rest.partition("/")[0]
    gone = machine == holder.machine and pid.isdecimal() and not _runs(int(pid))
    return gone or identity in ("", _identity(holder))


def _alive(spec: Mapping[str, Any], holder: Holder) -> bool:
    """Whether a Lease's holder lives, by the time of its last renewal; one that never says when is held for good."""
    if _is_free(spec, holder):
        return False
    try:
        renewed = datetime.fromisoformat(str(spec.get("renewTime")))
    except ValueError:
        return True
    age_s = (datetime.now(UTC) - renewed).total_seconds()
    return 0 <= age_s < float(spec.get("leaseDurationSeconds") or LEASE_S)


def _runs(pid: int) -> bool:
    """Whether a process of this machine runs, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _words(spec: Mapping[str, Any]) -> str:
    identity, since = str(spec.get("holderIdentity") or ""), spec.get("acquireTime")
    machine, _, rest = identity.partition("/")
    pid, _, run = rest.partition("/")
    holder = f"run {run} (process {pid} on {machine})" if run else f"`{identity}`, which is no run of ours"
    return f"{holder}, since {since}" if since else holder


@contextlib.contextmanager
def on_this_machine(run: str) -> Iterator[None]:
    """Within it this process holds the machine's lock for a run. Raises LockedError, LockError."""
    lock = HostLock()
    lock.take(this_process(run))
    try:
        yield
    finally:
        lock.give_back()


def refuse_heard() -> None:
    """Refuse while the reverter hears a run: a Docker host has one, whoever's the run is, and wherever its lock.

    Raises LockedError.
    """
    try:
        plan = Reverter().plan()
    except ReverterError:
        return  # no run goes on without it
    if plan["run"] and not plan["lifted_by"] and plan["silence_s"] < HEARD_S:
        raise _locked("this Docker host", f"run {plan['run']}, heard {plan['silence_s']:.0f} s ago")


class GameDayLock:
    """Both locks: `with GameDayLock(run, regions):`. Raises LockedError, LockError, on entering.

    A process that holds the machine's lock for the run already (`on_this_machine`) takes the targets' only.

    A target that does not answer is left out: it cannot be broken either, and the machine's lock is held. `stolen`
    says who has taken a target meanwhile, or that one has not let us in for as long as a Lease lasts: whoever may not
    renew it, for a token that has expired, may not lift there either. Empty: all is well. Else a run must stop.
    """

    def __init__(self, run: str, *, kubeconfigs: Path | None = None, path: Path | None = None) -> None:
        self._holder = this_process(run)
        self._host = HostLock(path)
        self._folder = kubeconfigs or layout.kubeconfig_folder()
        self._leases: list[TargetLease] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True, name="leases")
        self.stolen = ""
        self._denied_s: dict[str, float] = {}  # region: since when, monotonic

    def __enter__(self) -> Self:
        if not HostLock.is_held_for(self._holder.run):
            self._host.take(self._holder)
        try:
            for region, server in _servers(self._folder):
                lease = TargetLease(region, server)
                with contextlib.suppress(ApiServerError):
                    lease.take(self._holder)
                    self._leases.append(lease)
        except BaseException:
            self._leave()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(CALL_S)
        self._leave()

    def _leave(self) -> None:
        for lease in self._leases:
            with contextlib.suppress(ApiServerError, LockError):  # it runs out by itself
                lease.give_back(self._holder)
        self._host.give_back()

    def _renew(self) -> None:
        while not self._over.wait(RENEW_S):
            for lease in self._leases:
                try:
                    lease.renew(self._holder)
                    self._denied_s.pop(lease.region, None)
                except LockedError as error:
                    self.stolen = f"{error.problems[0].where} was taken by another: {error.problems[0].found}"
                except DeniedError as error:
                    self._is_denied(lease.region, error)
                except (ApiServerError, LockError):
                    continue  # the region may be lost: the machine's lock is held

    def _is_denied(self, region: str, error: DeniedError) -> None:
        """Note that we are not let in; an API server that has just come back lets nobody in for some seconds."""
        since_s = self._denied_s.setdefault(region, time.monotonic())
        if time.monotonic() - since_s > LEASE_S:
            self.stolen = f"{error.problems[0].where} was denied for more than {LEASE_S} s: {error.problems[0].found}"


def _servers(folder: Path) -> Iterator[tuple[str, ApiServer]]:
    servers = ApiServers(folder)
    for region in site().places:
        with contextlib.suppress(ApiServerError):
            yield region, servers.of(region)
