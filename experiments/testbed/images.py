"""Images: pulled where they are missing, ours built when its content has changed, all loaded into the nodes."""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from experiments.platforms.shell import CommandError, attempt, run
from experiments.testbed import layout
from experiments.testbed.errors import TestbedError
from experiments.testbed.layout import Place
from scenarios.errors import Problem

CONTEXT = Path(__file__).parent / "system"
PUBLIC = (
    layout.POSTGRES_IMAGE,
    layout.REDIS_IMAGE,
    layout.PROMETHEUS_IMAGE,
    layout.ALERTMANAGER_IMAGE,
    layout.COREDNS_IMAGE,
)
OURS = (layout.SYSTEM_IMAGE, layout.RISK_IMAGE)
WITH_DATA = (layout.POSTGRES_IMAGE, layout.REDIS_IMAGE, layout.PROMETHEUS_IMAGE)  # pods bound to the first worker
_LABEL = "gameday.content"
_CONTAINERD = "io.containerd.snapshotter"  # in what Docker says of its store when that is containerd's
_PULL_S = 600
_BUILD_S = 1200
_LOAD_S = 600


def missing() -> list[str]:
    """Public images that Docker does not hold."""
    return [image for image in (*PUBLIC, layout.PYTHON_IMAGE) if not attempt("docker", "image", "inspect", image).ok]


def pull() -> None:
    """Pull what is missing. Raises TestbedError when an image cannot be had."""
    for image in missing():
        try:
            run("docker", "pull", "-q", image, timeout_s=_PULL_S)
        except CommandError as error:
            found = error.problems[0].found
            remedy = f"Connect to the internet, or bring the image: docker load, docker tag ... {image}."
            raise TestbedError(Problem(f"image {image}", found, "an image in Docker", remedy)) from error


def content() -> str:
    """Digest of what our image is built from."""
    whole = hashlib.sha256()
    for path in sorted(CONTEXT.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            whole.update(f"{path.relative_to(CONTEXT)}\0".encode() + path.read_bytes() + b"\0")
    return whole.hexdigest()[:16]


def held() -> str:
    """Digest of what the image was built from that Docker holds; empty when it holds none."""
    form = f'{{{{index .Config.Labels "{_LABEL}"}}}}'
    found = attempt("docker", "image", "inspect", "-f", form, layout.SYSTEM_IMAGE)
    return found.stdout.strip() if found.ok else ""


def build() -> str:
    """Build our image unless Docker holds it with this content; return the content's digest.

    Raises:
        TestbedError: it cannot be built.
    """
    digest = content()
    if held() != digest:
        command = ("docker", "build", "-q", "--label", f"{_LABEL}={digest}", "-t", layout.SYSTEM_IMAGE, str(CONTEXT))
        try:
            run(*command, timeout_s=_BUILD_S)
        except CommandError as error:
            remedy = "Read what the build said; it needs the package index once."
            raise TestbedError(
                Problem(f"image {layout.SYSTEM_IMAGE}", error.problems[0].found, "an image that builds", remedy)
            ) from error
    run("docker", "tag", layout.SYSTEM_IMAGE, layout.RISK_IMAGE)
    return digest


def load(place: Place) -> None:
    """Bring the images to the workers that run them; kind leaves out what a node holds already.

    Raises:
        CommandError, TestbedError: they cannot be brought there.
    """
    _load(place, WITH_DATA, place.worker_nodes[:1])
    _load(place, OURS, place.worker_nodes)


def _load(place: Place, images: Sequence[str], nodes: Sequence[str]) -> None:
    """Load images into nodes.

    With containerd's store, which new installations of Docker have, `docker save` writes an index of all platforms
    with the content of one, and kind fails on what is not there: one platform is saved then, which is loaded anew
    each time.
    """
    where = ("--name", place.cluster, "--nodes", ",".join(nodes))
    if _CONTAINERD not in run("docker", "info", "-f", "{{json .DriverStatus}}").stdout:
        run("kind", "load", "docker-image", *images, *where, timeout_s=_LOAD_S)
        return
    platform = run("docker", "version", "-f", "{{.Server.Os}}/{{.Server.Arch}}").stdout.strip()
    with tempfile.TemporaryDirectory(prefix="gameday-images-") as folder:
        archive = str(Path(folder) / "images.tar")
        try:
            run("docker", "image", "save", "--platform", platform, "-o", archive, *images, timeout_s=_LOAD_S)
        except CommandError as error:
            remedy = "Make room in the folder for temporary files; or take Docker 28 or newer, for its --platform."
            raise TestbedError(
                Problem(f"images for {place.cluster}", error.problems[0].found, f"them saved for {platform}", remedy)
            ) from error
        run("kind", "load", "image-archive", archive, *where, timeout_s=_LOAD_S)
