"""`up` completes what is half there, and changes nothing that is whole."""

import pytest
from kubernetes.client import AppsV1Api

from experiments.platforms.kube import client_of
from experiments.platforms.shell import run
from experiments.testbed import layout, lifecycle, state, status
from experiments.testbed.layout import EAST, NAMESPACE, WEST
from experiments.testbed.status import Status

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("kind"), pytest.mark.timeout(900)]


def _started() -> dict[str, str]:
    """When each container of the testbed was started."""
    names = [*layout.CONTAINERS, *(node for place in layout.PLACES.values() for node in place.nodes)]
    return dict(zip(names, run("docker", "inspect", "-f", "{{.State.StartedAt}}", *names).lines, strict=True))


def test_what_is_missing_is_brought_back(whole_testbed: Status) -> None:
    lifecycle.up(lambda *_: None)  # first of all with today's image
    before, identities = _started(), state.read().identities
    lost = WEST.worker_nodes[-1]  # with the automation on it: nobody fails over meanwhile
    AppsV1Api(client_of(EAST)).delete_namespaced_deployment("tactical-deployment", NAMESPACE)
    run("docker", "rm", "-f", layout.LINK)
    run("docker", "kill", lost)
    lacks = " ".join(status.look().lacks)
    assert all(words in lacks for words in ("no tactical-deployment", f"{layout.LINK} is absent", f"{lost} is exited"))
    assert lifecycle.up(lambda *_: None).whole
    after = _started()
    assert {name for name in before if before[name] != after[name]} == {layout.LINK, lost}
    assert state.read().identities == identities


def test_reset_of_a_whole_testbed_empties_its_data_and_keeps_its_databases(whole_testbed: Status) -> None:
    seed, before = state.read().seed, status.database(EAST)
    assert lifecycle.reset(lambda *_: None).whole
    assert state.read().seed == seed
    found = status.database(EAST)
    assert before is not None
    assert found is not None
    assert found.timeline == before.timeline  # 1, unless it was brought home before
