"""Clusters that keep objects as Kubernetes does, as far as the reverter's pods need it; a deployment runs one here."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from experiments.testbed.system.apiserver import ApiServer
from experiments.testbed.system.lifting import Lifter
from experiments.testbed.system.mailbox import Mailbox, SecretStore
from experiments.testbed.system.watch import Watch
from tests.contract.eks.kube import Api, _merge, kubeconfig, served

EAST, WEST = "us-east-1", "us-west-2"
OURS = "gameday-reverter"
NAMESPACE = f"/api/v1/namespaces/{OURS}"
PATH = "/apis/apps/v1/namespaces/grandmodel/deployments/redis"
TOKEN = "of-the-account-that-may-lift"


class Keeping(Api):
    """Objects with versions, that are made, replaced and removed; tokens; rights of the lifting account's."""

    def __init__(self, authority: str) -> None:
        self.lock, self.version = threading.RLock(), 0
        super().__init__(authority)

    def forget(self) -> None:
        super().forget()
        self.lasts_s: float = 1e6  # no token lives longer
        self.deployed: Callable[[], None] = lambda: None

    def answer(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        with self.lock:
            self.called.append((method, path, body))
            if method == "POST":
                return self._create(path, body)
            if path not in self.objects:
                return 404, {"reason": "NotFound"}
            if method == "DELETE":
                self.objects = {p: o for p, o in self.objects.items() if p != path and not p.startswith(f"{path}/")}
                self.objects = {p: o for p, o in self.objects.items() if f"/namespaces/{path.split('/')[-1]}/" not in p}
                return 200, {}
            if method == "PATCH":
                return self._patch(path, body, dry="dryRun" in query)
            if method == "PUT":
                if body["metadata"]["resourceVersion"] != self.objects[path]["metadata"]["resourceVersion"]:
                    return 409, {"reason": "Conflict"}
                self._keep(path, body)
            return 200, self.objects[path]

    def _create(self, path: str, body: Any) -> tuple[int, Any]:
        if path.endswith("/token"):
            lasts_s = min(body["spec"]["expirationSeconds"], self.lasts_s)
            until = (datetime.now(UTC) + timedelta(seconds=lasts_s)).isoformat()
            return 201, {"status": {"token": TOKEN, "expirationTimestamp": until}}
        name = f"{path}/{body['metadata']['name']}"
        if name in self.objects:
            return 409, {"reason": "AlreadyExists"}
        values = {k: base64.b64encode(v.encode()).decode() for k, v in body.pop("stringData", {}).items()}
        self._keep(name, {**body, **({"data": values} if body["kind"] == "Secret" else {})})
        if body["kind"] == "Namespace":
            self._keep(f"{name}/configmaps/kube-root-ca.crt", {"metadata": {}, "data": {"ca.crt": self.authority}})
        if body["kind"] == "Deployment":
            self.deployed()
        return 201, self.objects[name]

    def _patch(self, path: str, body: Any, *, dry: bool) -> tuple[int, Any]:
        changed = json.loads(json.dumps(self.objects[path]))
        if isinstance(body, list):
            for step in body:
                _, *parents, last = step["path"].split("/")
                inner = changed
                for key in parents:
                    inner = inner[key]
                if step["op"] == "test" and inner[last] != step["value"]:
                    return 422, {"reason": "Invalid"}
                inner[last] = step["value"]
        else:
            _merge(changed, body)
        if not dry:
            self._keep(path, changed)
        return 200, changed

    def _keep(self, path: str, thing: Any) -> None:
        self.version += 1
        self.objects[path] = {**thing, "metadata": {**thing["metadata"], "resourceVersion": str(self.version)}}

    def ours(self) -> list[str]:
        """Paths of what was made for the reverter's pods and is there."""
        return [path for path in self.objects if OURS in path]


class Pod:
    """The reverter's pod, as the image runs it, save that a test ends it."""

    def __init__(self, own: Keeping, folder: Path, silent_s: float) -> None:
        folder.mkdir(exist_ok=True)
        kubeconfig(own, folder / "own.yaml")
        for name, content in own.objects[f"{NAMESPACE}/secrets/access"]["data"].items():
            (folder / name).write_bytes(base64.b64decode(content))
        server = ApiServer(folder / "own.yaml")
        store, lifter = SecretStore(server, OURS), Lifter(folder)
        self.watch = Watch(store, lifter, "", silent_s=silent_s)
        self.mailbox = Mailbox(server, OURS, store, self.watch, lifter)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            try:
                self.mailbox.listen()
                self.mailbox.attend()
                self.watch.tick()
            except OSError:
                continue  # its cluster is silent, or everything was removed

    def end(self) -> None:
        """End as a pod that is killed."""
        self._over.set()
        self._thread.join()


class Clusters:
    """Two of them, empty, and a folder with the way to each. A deployment starts a pod, if there are `images`."""

    def __init__(self, east: Keeping, west: Keeping, folder: Path) -> None:
        self.of, self.folder = {EAST: east, WEST: west}, folder
        self.pods: list[Pod] = []
        self.silent_s, self.images = 60.0, True
        for each in (east, west):
            each.forget()
        east.objects[PATH] = {"metadata": {"name": "redis", "resourceVersion": "0"}, "spec": {"replicas": 2}}
        for region, each in self.of.items():
            kubeconfig(each, folder / f"kubeconfig-{region}.yaml")
            each.deployed = partial(self._deployed, region)

    def _deployed(self, region: str) -> None:
        if self.images:
            threading.Thread(target=self.start, args=(region,), daemon=True).start()

    def start(self, region: str) -> None:
        """Start a pod in a region."""
        pod = Pod(self.of[region], self.folder / f"pod-{len(self.pods)}", self.silent_s)
        self.pods.append(pod)
        pod.begin()

    def end(self) -> None:
        """End the pods."""
        for pod in self.pods:
            pod.end()

    def ours(self) -> list[str]:
        """What is there of the reverter's pods."""
        return [path for each in self.of.values() for path in each.ours()]

    @property
    def replicas(self) -> int:
        """What the fault of a test changes in the east."""
        return int(self.of[EAST].objects[PATH]["spec"]["replicas"])

    def break_it(self) -> None:
        """Do what the fault of a test does."""
        self.of[EAST].objects[PATH]["spec"]["replicas"] = 0


@contextmanager
def two(folder: Path) -> Iterator[tuple[Keeping, Keeping]]:
    """Serve two clusters."""
    with ExitStack() as stack:
        for region in (EAST, WEST):
            (folder / region).mkdir()
        east, west = (stack.enter_context(served(folder / region, Keeping)) for region in (EAST, WEST))
        yield east, west


def until(holds: Callable[[], bool]) -> None:
    """Wait; fail when it does not come."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)
