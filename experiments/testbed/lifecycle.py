"""The testbed's life: up, status, reset, down. Each may be called again, and completes what was left half done."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from experiments.platforms.shell import run
from experiments.safety.forgetting import forget
from experiments.testbed import applying, clusters, containers, doctor, images, layout, outside, rendering, state
from experiments.testbed import status as looking
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import PLACES, Place
from experiments.testbed.plan import plan
from experiments.testbed.status import Status
from scenarios.errors import Problem

Progress = Callable[[float, str], None]  # share done, what is done now
_WHOLE_S = 240
_STEP_S = 2


def up(progress: Progress) -> Status:
    """Bring up what is missing, and return when the testbed is whole.

    Raises:
        TestbedError: the machine lacks something, somebody else's is in the way, or it does not become whole.
    """
    progress(0.0, "looking at this machine")
    doctor.require()
    _refuse_pending()  # before a node is connected again that a failover has left cut off
    containers.refuse_others()
    progress(0.02, "images")
    images.pull()  # before anything is made: it needs the internet, and may fail
    containers.write_files()
    with ThreadPoolExecutor(3) as pool:
        progress(0.05, "our image and the clusters")
        built = pool.submit(images.build)
        made = [pool.submit(clusters.make, place) for place in PLACES.values()]
        digest = built.result()
        for each in made:
            each.result()
        progress(0.35, "images into the nodes")
        list(pool.map(images.load, PLACES.values()))
        state.change(image=digest)
    containers.write_keys()
    progress(0.6, "containers outside both regions")
    containers.start()
    _refuse_pending()  # one that nobody could see while everything was stopped
    progress(0.65, "manifests")
    _apply(digest)
    _remember()
    return _wait(progress, 0.7)


def status(*, measure: bool = True) -> Status:
    """Look at the testbed; `measure` adds what it uses of the machine.

    Raises:
        TestbedError: Docker or kind is missing.
    """
    doctor.require_programs()
    return looking.look(measure=measure)


def reset(progress: Progress, saving: Callable[[], None] | None = None) -> Status:
    """Bring the testbed back to its beginning: faults lifted, one primary at home, standby streaming, data empty.

    What a failover left is undone: the databases are made anew. `saving` is called before, once every node is back;
    when it raises nothing is destroyed.

    Raises:
        TestbedError: there is none, or it does not become whole.
    """
    doctor.require_programs()
    _require_made()
    progress(0.0, "faults")
    containers.start()
    cut = outside.lift_everything()
    for place in PLACES.values():
        clusters.make(place, cut)
        clusters.start_kubelets(place)
    if saving is not None:
        progress(0.15, "what a killed run has not read back")
        saving()
    found = looking.look()
    anew = found.pending_failback or _broken(found) or not outside.has_tables(plan().home)
    progress(0.2, "lease, name and link go home")
    outside.bring_home(plan().home.region)
    remembered = state.read()
    seed = remembered.seed + 1 if anew else remembered.seed
    state.change(seed=seed, restarted=remembered.restarted + 1)
    progress(0.35, "databases are made anew" if anew else "plan")
    _apply(remembered.image)
    found = _wait(progress, 0.4)
    containers.restart(layout.ALERTMANAGER)  # it would hold back a page of a group that it has just told of
    if not anew:
        outside.empty_data(plan().home)
    forget()
    return found


def down(progress: Progress) -> None:
    """Remove all of it: clusters, containers, volumes, what it remembers. Images stay.

    Raises:
        TestbedError: Docker or kind is missing, or a cluster of its name is somebody else's.
    """
    doctor.require_programs()
    remembered = state.read()
    progress(0.0, "containers")
    containers.remove()
    there = clusters.existing()
    for number, place in enumerate(PLACES.values()):
        progress(0.2 + 0.4 * number, place.cluster)
        if place.cluster in there:
            ours = place.cluster in remembered.making or place.region in remembered.identities
            if not ours and not _answers_as_ours(place):
                raise clusters.foreign(place)
            clusters.delete(place)
    forget()  # a failback that is pending, and faults, went with the clusters
    state.forget()
    progress(1.0, "gone")


def _apply(image_digest: str) -> None:
    """Apply all manifests of both regions."""
    remembered = state.read()
    known = {"seed": str(remembered.seed), "restarted": str(remembered.restarted), "image_digest": image_digest}

    def one(place: Place) -> None:
        applying.apply(place, list(rendering.manifests(place, **known)))

    with ThreadPoolExecutor(len(PLACES)) as pool:
        list(pool.map(applying.check_namespaces, PLACES.values()))  # of both, before anything is changed in either
        list(pool.map(one, PLACES.values()))


def _wait(progress: Progress, begins: float) -> Status:
    """Wait until it is whole. Raises TestbedError saying what it lacks when it takes too long."""
    began = time.monotonic()
    while True:
        found = looking.look()
        passed_s = time.monotonic() - began
        if found.whole:
            progress(1.0, "whole")
            return found
        if found.lease == plan().away.region:  # it was at home when the waiting began
            raise _failed_over(f"failed over to {found.lease} while it was brought up: the machine is too busy")
        if passed_s > _WHOLE_S:
            remedy = "`gameday testbed status` shows more. Run `gameday undo`; `testbed reset` empties the data."
            lacks = "; ".join(found.lacks)[:600]
            raise TestbedError(Problem("testbed", f"not whole after {_WHOLE_S} s: {lacks}", "a whole one", remedy))
        progress(begins + (1 - begins) * min(passed_s / _WHOLE_S, 0.95), found.lacks[0])
        time.sleep(_STEP_S)


def _refuse_pending() -> None:
    if looking.look().pending_failback:
        raise _failed_over(f"failed over to {plan().away.region}")


def _failed_over(found: str) -> TestbedError:
    return TestbedError(Problem("testbed", found, "the primary at home", "Run `gameday undo --home`."))


def _broken(found: Status) -> bool:
    """Whether the databases need to be made anew: the standby follows no more, or one does not answer."""
    return any("database" in lack or "standbys stream" in lack for lack in found.lacks)


def _require_made() -> None:
    there, begun = clusters.existing(), state.read().making
    for place in PLACES.values():
        if place.cluster not in there or place.cluster in begun:
            found = f"cluster {place.cluster} half made" if place.cluster in there else f"no cluster {place.cluster}"
            raise TestbedError(Problem("testbed", found, "it made", "Run `gameday testbed up`."))


def _answers_as_ours(place: Place) -> bool:
    run("kind", "export", "kubeconfig", "--name", place.cluster, "--kubeconfig", str(place.kubeconfig))
    return clusters.is_ours(place)


def _remember() -> None:
    versions: dict[str, Any] = {
        "docker": run("docker", "version", "-f", "{{.Server.Version}}").stdout.strip(),
        "kind": run("kind", "version", "-q").stdout.strip(),
    }
    state.change(
        identities={place.region: clusters.identity(place) for place in PLACES.values()},
        versions=versions,
        made_at=state.read().made_at or datetime.now(UTC).isoformat(timespec="seconds"),
    )
