"""The containers outside both regions: pages, DNS, leases, the link between the regions, the reverter."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.platforms.docker import INSIDE, mounted_socket
from experiments.platforms.shell import attempt, run
from experiments.testbed import layout, rendering
from experiments.testbed.errors import TestbedError
from experiments.testbed.kept import written
from experiments.testbed.layout import PLACES, PORTS, state_folder
from experiments.testbed.plan import plan
from scenarios.errors import Problem

_SPEC = "gameday.spec"  # label: digest of what the container was made from
VOLUMES = {layout.OUTSIDE: ("gameday-outside", "gameday-zones"), layout.REVERTER: ("gameday-reverter",)}


@dataclass(frozen=True)
class Spec:
    """A container as it shall be."""

    name: str
    image: str
    arguments: tuple[str, ...]
    ports: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    mounts: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()  # mounted files whose content counts
    options: tuple[str, ...] = ()

    def digest(self, image_id: str) -> str:
        """Another digest means that the container must be made anew."""
        contents = [path.read_text(encoding="utf-8") for path in self.files]
        return rendering.digest([repr(self), image_id, contents])

    def command(self, digest: str) -> list[str]:
        """The call of Docker that makes and starts it."""
        line = ["docker", "run", "-d", "--name", self.name, "--network", layout.NETWORK, "--restart", "unless-stopped"]
        line += ["--label", layout.OWNER_LABEL, "--label", f"{_SPEC}={digest}", "--memory", "256m", "--read-only"]
        line += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp", *self.options]
        for port in self.ports:
            line += ["-p", port]
        for name, value in self.environment:
            line += ["-e", f"{name}={value}"]
        for mount in self.mounts:
            line += ["-v", mount]
        return [*line, self.image, *self.arguments]


def specs() -> Iterator[Spec]:
    """All of them, in the order in which they start."""
    known, folder = plan(), _folder()
    addresses = ",".join(f"{place.region}={place.address}" for place in PLACES.values())
    targets = ",".join(f"{place.region}={place.control_plane}:{PORTS['database']}" for place in PLACES.values())
    outside = {
        "PORT": str(layout.OUTSIDE_PORT),
        "ZONE": layout.ZONE,
        "TTL_S": str(layout.DNS_TTL_S),
        "ADDRESSES": addresses,
        "HOME_REGION": known.home.region,
        "LEASE_S": f"{known.seconds('postgres.commit_lease'):g}",
        "ALERTMANAGER_URL": f"http://{layout.ALERTMANAGER}:9093",
    }
    link = {"PORT": str(layout.LINK_ADMIN_PORT), "LISTEN_PORT": str(layout.LINK_REPLICATION_PORT)}
    link |= {"TARGETS": targets, "TARGET": known.home.region}
    corefile, alertmanager = folder / "Corefile", folder / "alertmanager.yml"
    yield Spec(
        layout.OUTSIDE,
        layout.SYSTEM_IMAGE,
        ("outside",),
        (_published(layout.OUTSIDE_PORT, layout.OUTSIDE_PORT),),
        tuple(outside.items()),
        ("gameday-outside:/data", "gameday-zones:/zones"),
    )
    yield Spec(
        layout.ALERTMANAGER,
        layout.ALERTMANAGER_IMAGE,
        ("--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/tmp"),
        (_published(layout.ALERTMANAGER_PORT, 9093),),
        mounts=(f"{alertmanager}:/etc/alertmanager/alertmanager.yml:ro",),
        files=(alertmanager,),
    )
    yield Spec(
        layout.DNS_SERVER,
        layout.COREDNS_IMAGE,
        ("-conf", "/etc/coredns/Corefile"),
        (f"{_published(layout.DNS_PORT, 5353)}/udp", f"{_published(layout.DNS_PORT, 5353)}/tcp"),
        mounts=(f"{corefile}:/etc/coredns/Corefile:ro", "gameday-zones:/zones:ro"),
        files=(corefile,),
    )
    yield Spec(
        layout.LINK,
        layout.SYSTEM_IMAGE,
        ("link",),
        (_published(layout.LINK_ADMIN_PORT, layout.LINK_ADMIN_PORT),),
        tuple(link.items()),
    )
    yield _reverter(folder)


def _reverter(folder: Path) -> Spec:
    """It holds Docker's socket and the keys of both regions, and reaches by name what we reach on loopback."""
    inside = {
        f"{layout.HOST}:{layout.OUTSIDE_PORT}": f"{layout.OUTSIDE}:{layout.OUTSIDE_PORT}",
        f"{layout.HOST}:{layout.LINK_ADMIN_PORT}": f"{layout.LINK}:{layout.LINK_ADMIN_PORT}",
    }
    for place in PLACES.values():
        inside |= {f"{place.address}:{port}": f"{place.control_plane}:{port}" for port in PORTS.values()}
    keys = folder / "keys"
    return Spec(
        layout.REVERTER,
        layout.SYSTEM_IMAGE,
        ("reverter",),
        (_published(layout.REVERTER_PORT, layout.REVERTER_PORT),),
        (
            ("OUTSIDE_URL", rendering.OUTSIDE_URL),
            ("LISTEN", f"0.0.0.0:{layout.REVERTER_PORT}"),
            ("ADDRESSES", json.dumps(inside)),
        ),
        (f"{mounted_socket()}:{INSIDE}", f"{keys}:/etc/gameday:ro", "gameday-reverter:/var/lib/gameday"),
        tuple(keys / place.kubeconfig.name for place in PLACES.values()),
        ("--user", "0:0", "--cap-add", "DAC_OVERRIDE"),  # the socket and the keys are not its own
    )


def write_files() -> None:
    """Write what the containers mount; the reverter's keys are written with the clusters. Raises TestbedError."""
    folder = _folder()
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("Corefile", rendering.dns_file()), ("alertmanager.yml", rendering.alertmanager_file())):
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o644)  # whatever the user's umask: they are read by another user in the container


def write_keys() -> None:
    """Write the regions' kubeconfigs as they are used from inside the Docker network. Raises TestbedError."""
    folder = _folder() / "keys"
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    for place in PLACES.values():
        keys = run("kind", "get", "kubeconfig", "--internal", "--name", place.cluster).stdout
        path = folder / place.kubeconfig.name
        with written(path):
            path.touch(0o600)
            path.write_text(keys, encoding="utf-8")


def refuse_others() -> None:
    """Raise TestbedError for containers of our names that are somebody else's."""
    problems = []
    for name in layout.CONTAINERS:
        if attempt("docker", "inspect", "--type", "container", name).ok and not owned(name):
            remedy = f"If nobody needs it: `docker rm -f {name}`. Nothing was changed."
            problems.append(Problem(f"container {name}", "one that is not ours", "none, or our own", remedy))
    if problems:
        raise TestbedError(*problems)


def start() -> None:
    """Make, start or make anew what is missing, stopped, paused or different. Raises as `refuse_others`."""
    refuse_others()
    for spec in specs():
        image_id = run("docker", "image", "inspect", "-f", "{{.Id}}", spec.image).stdout.strip()
        digest = spec.digest(image_id)
        form = f'{{{{.State.Status}}}} {{{{index .Config.Labels "{_SPEC}"}}}}'
        found = attempt("docker", "inspect", "--type", "container", "-f", form, spec.name)
        state, _, label = found.stdout.strip().partition(" ")
        if found.ok and label == digest:
            if state == "paused":
                run("docker", "unpause", spec.name)
            elif state != "running":
                run("docker", "start", spec.name)
            continue
        if found.ok:
            run("docker", "rm", "-f", spec.name)
        run(*spec.command(digest))


def restart(name: str) -> None:
    """Stop and start one; what it held in memory is gone."""
    run("docker", "restart", "-t", "2", name)


def remove() -> None:
    """Remove the containers and their volumes, those that are ours."""
    for name in layout.CONTAINERS:
        if owned(name):
            run("docker", "rm", "-f", name)
    for volumes in VOLUMES.values():
        for volume in volumes:
            attempt("docker", "volume", "rm", volume)


def owned(name: str) -> bool:
    """Whether a container of this name is there and ours."""
    key, _, value = layout.OWNER_LABEL.partition("=")
    found = attempt("docker", "inspect", "--type", "container", "-f", f'{{{{index .Config.Labels "{key}"}}}}', name)
    return found.ok and found.stdout.strip() == value


def _published(port: int, inside: int) -> str:
    return f"{layout.HOST}:{port}:{inside}"


def _folder() -> Path:
    return state_folder() / "containers"
