"""What each side of the control plane offers the other; mechanisms see one another only through these.

True state: nodes, pods, deployments, cluster, dns, faults, postgres, state_plane. Observers: prometheus, alertmanager,
people, automation, procedures. Observers import this file and `context`, never a module of the true state: they learn
through scrapes and probes (`Observed`, `WatchLike`) and through what an API answers (`ClusterApi`, `DnsApi`,
`DatabaseApi`).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.control.waiting import Wait

I64 = NDArray[np.int64]


Gauges = tuple[tuple[str, float], ...]  # metric and value


@dataclass(frozen=True)
class Target:
    """One scrape of one pod. `up` false: it did not answer, the counters are zeros."""

    pod: str  # "region/service/index"
    service: str
    up: bool
    ok: int  # answers since the pod's process started
    failed: int  # 5xx since then
    gauges: Gauges = ()


class Observed(Protocol):
    """What can be seen from outside: the answers of pods and of probes."""

    def scrape(self, observer: str, region: str) -> tuple[Target, ...]:
        """Scrape every pod that service discovery knows in a region, seen from the observer's region.

        A deleted pod is no target any more; a dead one stays a target that does not answer. When the region's API does
        not answer, discovery keeps its last list.
        """
        ...

    def watch(self, probe_class: str, failures: int, successes: int) -> "WatchLike":
        """Watch a class of probes (names in `Context.names.classes`)."""
        ...


class WatchLike(Protocol):
    """So many probes failed in a row (`failing`), until so many in a row succeeded again."""

    failing: bool

    def fails(self) -> simpy.Event:
        """Event of the next time it begins to fail (at once if it fails already)."""
        ...

    def recovers(self) -> simpy.Event:
        """Event of the next time it succeeds again (at once if it does not fail)."""
        ...


class ClusterApi(Protocol):
    """Kubernetes API of one region. Whether it answers is `Context.apis`; these take effect at once."""

    region: str

    def ready(self, service: str) -> tuple[int, int]:
        """Pods ready, and pods of the full plan."""
        ...

    def deploy(self) -> None:
        """Apply the full plan of every service."""
        ...

    def scale(self, service: str, replicas: int) -> None:
        """Set a deployment's size."""
        ...

    def restart(self, service: str) -> None:
        """Rollout restart: every pod is replaced and reads its configuration anew."""
        ...

    def set_image(self, service: str, image: str, *, crashes: bool = False) -> None:
        """Roll out another image; one that `crashes` never becomes ready."""
        ...

    def rollout_undo(self, service: str) -> None:
        """Go back to the revision before."""
        ...

    def patch_config(self, key: str, value: str) -> None:
        """Patch the ConfigMap: pods that read it as environment see it after their next start only.

        Keys with a meaning: `database_url` (a name that `DatabaseTruth.connect` knows), `trading_enabled` ("true" or
        "false").
        """
        ...

    def wait_ready(self, services: list[str]) -> Wait:
        """Wait until every pod of the plan is ready (`kubectl rollout status`)."""
        ...


class DnsApi(Protocol):
    """The authoritative DNS service."""

    region: str

    def submit(self, region: str) -> Wait:
        """Submit a change and wait until it is everywhere."""
        ...


class DatabaseApi(Protocol):
    """What an operator or the automation can do to the databases (RDS API). `Context.apis` says whether it answers."""

    def fence(self, region: str) -> Wait:
        """Wait until the region's primary commits nothing any more."""
        ...

    def promote(self, region: str) -> Wait:
        """Make the region's replica the primary of a new timeline. Returns whether it is: refused while it backs up."""
        ...

    def reseed(self, region: str) -> Wait:
        """Make the region's instance a standby, copied anew. Returns whether it streams: not while one is lost."""
        ...

    def catch_up(self, region: str) -> Wait:
        """Wait until the region's standby has replayed everything written by now."""
        ...

    def observed_lag_s(self) -> float | None:
        """Return what the metric of the replica's lag shows now; None: there is none."""
        ...

    def restore_snapshot(self) -> Wait:
        """Restore the last nightly snapshot into a new instance."""
        ...

    def restore_point_in_time(self) -> Wait:
        """Restore to the last uploaded log before the loss."""
        ...


@dataclass(frozen=True)
class Timeline:
    """A database's timeline, for the readback after the run.

    It holds the rows of `database` with positions in (first, last] and up to `kept` (what a backup held), and of its
    parent (named) up to `fork_position`.
    The declared history (writes before the run, by their times) is held up to `history_until_us`; None: none of it.
    """

    name: str
    database: int
    first: int = 0
    last: int | None = None  # None: all
    parent: str | None = None
    fork_position: int = 0
    history_until_us: int | None = 0
    kept: int = 0


class DatabaseTruth(DatabaseApi, Protocol):
    """What faults do to the databases, and the facts about them that the record needs."""

    def lose(self, region: str) -> None:
        """Everything of the database in this region is gone: no answer, no reset."""
        ...

    def regain(self, region: str) -> None:
        """The region is back: what was the primary returns fenced if another one was promoted."""
        ...

    def fail_primary(self, region: str) -> None:
        """The primary's instance dies; a Multi-AZ standby takes over."""
        ...

    def start_again(self, region: str) -> None:
        """The instance that died is started again, if nothing else has brought it back."""
        ...

    def drop_table(self) -> None:
        """The orders table is dropped; the statement replicates."""
        ...

    def stall_replication(self, *, stalled: bool) -> None:
        """The replica receives nothing (or again)."""
        ...

    def connect(self, region: str, name: str) -> None:
        """The services of a region have read a new `database_url`."""
        ...

    def as_of_us(self, region: str, at_us: I64) -> I64:
        """Time of the newest position that a region's services could read at each instant (-1: none ever)."""
        ...

    def timeline_of(self, region: str, at_us: I64) -> NDArray[np.object_]:
        """Name of the timeline that answers in a region at each instant (None: none)."""
        ...

    def timelines(self) -> tuple[Timeline, ...]:
        """All timelines of the run."""
        ...

    @property
    def surviving(self) -> str:
        """Name of the timeline that counts."""
        ...

    def history_us(self) -> I64:
        """Times (negative) of the numbered writes declared before the run; empty if the scenario needs none."""
        ...


class CopiesLike(Protocol):
    """Copies of models, configuration and logs in another region."""

    def lose(self, region: str) -> None:
        """Nothing is written or copied any more when the source is in this region."""
        ...

    def regain(self, region: str) -> None:
        """Writes and copies go on when the source is in this region and still the one that counts."""
        ...


class ExposureLike(Protocol):
    """Value at risk by region and service."""

    def shock(self, region: str, service: str, factor: float) -> None:
        """From now on it is so many times what it usually is."""
        ...

    def gauges(self, region: str, service: str) -> Gauges:
        """What a pod of a service shows when it is scraped."""
        ...


class MonitoringLike(Protocol):
    """Prometheus and Alertmanager of all regions."""

    def lose(self, region: str) -> None:
        """Those in this region stop."""
        ...

    def stop(self, region: str) -> None:
        """Those in this region stop by themselves, whatever the loss of a region does to them."""
        ...

    def regain(self, region: str) -> None:
        """They start again, empty."""
        ...

    def firing(self) -> bool:
        """Whether an alert fires, as those on call can read it."""
        ...

    def healthy(self, region: str) -> bool:
        """Whether the Prometheus of a region answers its health check."""
        ...


class AutomationLike(Protocol):
    """The failover automation."""

    def lose(self, region: str) -> None:
        """It stops if it runs there."""
        ...

    def regain(self, region: str) -> None:
        """It runs again if it runs there."""
        ...


class ProceduresLike(Protocol):
    """The executor of procedures."""

    def run(self, name: str, actor: str) -> Wait:
        """Perform a procedure to its end. Returns whether every step did what it should."""
        ...

    def begun(self) -> tuple[str, ...]:
        """Names of the procedures that have been started so far."""
        ...

    def ended(self, name: str) -> bool | None:
        """Whether a procedure that has begun did all it should; None: it is under way."""
        ...
