"""EKS, rehearsed: the testbed's clusters stand in for two of EKS, moto for AWS, and a sink for a paper exchange.

Each cluster's API is put behind an address and an authority of its own, as EKS has them, because its real one takes no
token of AWS. Everything else is the product's own: what it asks, what it breaks, and what it measures.
"""

import asyncio
import base64
import json
import os
import pty
import re
import select
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import requests
import yaml
from moto.eks.models import eks_backends
from moto.server import ThreadedMotoServer

from experiments.safety.identity import fingerprint
from experiments.testbed import layout, state
from tests.unit.safety.test_identity import certificates

ACCOUNT, CLUSTER, SINK = "123456789012", "grandmodel-production", "paper-exchange"
WINDOW = "2000-01-01T00:00:00+00:00/2999-01-01T00:00:00+00:00"
ME, OTHER = "me@example.com", "other@example.com"


@dataclass
class Gateway:
    """A cluster's API behind an authority of its own."""

    region: str
    port: int
    authority: str  # PEM


@dataclass
class Rehearsal:
    """A folder from which `gameday` plays on what stands in for EKS."""

    folder: Path
    environment: Mapping[str, str]
    targets: tuple[str, ...]
    canaries: list[dict[str, Any]] = field(default_factory=list)

    def start(self, *arguments: str) -> "Terminal":
        """Start a command of gameday on a terminal of its own."""
        return Terminal([sys.executable, "-m", "gameday", *arguments], self.folder, self.environment)

    def run(self, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command of gameday without a terminal."""
        command = [sys.executable, "-m", "gameday", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=dict(self.environment), capture_output=True, text=True, timeout=timeout_s,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip


class Terminal:
    """A command that believes it talks to a person."""

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.said = ""

    def wait_for(self, pattern: str, within_s: float) -> None:
        """Read until something is said. Fails with all that was said when it is not, or the command ends."""
        deadline = time.monotonic() + within_s
        while not re.search(pattern, self.said):
            assert time.monotonic() < deadline, f"no {pattern!r} within {within_s} s:\n{self.said[-4000:]}"
            assert self._read(), f"ended before {pattern!r}:\n{self.said[-4000:]}"

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._ours, f"{text}\n".encode())

    def end(self, within_s: float) -> int:
        """Read to the end; return the exit code."""
        deadline = time.monotonic() + within_s
        while self._read():
            assert time.monotonic() < deadline, f"no end within {within_s} s:\n{self.said[-4000:]}"
        return self.process.wait(10)

    def drain(self) -> None:
        """Read what was said: a terminal that nobody reads would hold the command up."""
        while select.select([self._ours], [], [], 0)[0] and self._read():
            pass

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 0.5)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # the other side was closed
            return False
        self.said += data.decode(errors="replace")
        return bool(data)


# --- clusters


@contextmanager
def gateway(region: str, folder: Path) -> Iterator[Gateway]:
    """Put a region's API behind TLS of its own; `kubectl proxy` logs in."""
    folder.mkdir()
    authority = certificates(folder)
    place = layout.PLACES[region]
    command = ["kubectl", "proxy", "--port=0", "--kubeconfig", str(place.kubeconfig), "--context", place.context]
    command += ["--disable-filter=true"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as proxy:
        try:
            assert proxy.stdout is not None
            behind = int(proxy.stdout.readline().rpartition(":")[2])
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "server")
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, daemon=True)
            thread.start()
            serving = asyncio.run_coroutine_threadsafe(_serve(behind, context), loop).result(10)
            yield Gateway(region, serving.sockets[0].getsockname()[1], authority)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
        finally:
            proxy.terminate()


async def _serve(behind: int, context: ssl.SSLContext) -> asyncio.Server:
    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        with suppress(OSError):
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)


def _kubeconfig(gateway: Gateway, folder: Path) -> Path:
    """A person's kubeconfig, as `aws eks update-kubeconfig` would leave it, save that its token is made up."""
    authority = base64.b64encode(gateway.authority.encode()).decode()
    server = f"https://127.0.0.1:{gateway.port}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "somewhere-else",
        "contexts": [{"name": "production", "context": {"cluster": "production", "user": "me"}}],
        "clusters": [{"name": "production", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": "me", "user": {"token": "made-up-token-of-a-rehearsal"}}],
    }
    file = folder / f"config-{gateway.region}"
    file.write_text(yaml.safe_dump(document))
    return file


# --- AWS


@contextmanager
def account(gateways: Mapping[str, Gateway]) -> Iterator[str]:
    """An account that moto plays: a cluster in each region, a primary, and its replica. Yields its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        requests.post(f"{url}/moto-api/reset", timeout=10).raise_for_status()  # moto keeps one account a process
        for region, each in gateways.items():
            _client("eks", region, url).create_cluster(
                name=CLUSTER, roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks", resourcesVpcConfig={"subnetIds": []}
            )
            cluster = eks_backends[ACCOUNT][region].clusters[CLUSTER]
            cluster.endpoint = f"https://127.0.0.1:{each.port}"
            cluster.certificate_authority = {"data": base64.b64encode(each.authority.encode()).decode()}
        east, west = (_client("rds", region, url) for region in gateways)
        made = east.create_db_instance(DBInstanceIdentifier="primary", DBInstanceClass="db.m5.large", Engine="postgres")
        west.create_db_instance_read_replica(
            DBInstanceIdentifier="replica", SourceDBInstanceIdentifier=made["DBInstance"]["DBInstanceArn"]
        )
        yield url
    finally:
        server.stop()


def _client(service: str, region: str, url: str) -> Any:
    create: Any = boto3.client
    return create(
        service, region_name=region, endpoint_url=url, aws_access_key_id="testing", aws_secret_access_key="testing"
    )


# --- the sink


@contextmanager
def sink(canaries: list[dict[str, Any]]) -> Iterator[str]:
    """A paper exchange that rejects every order by its own name; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            canaries.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps({"rejected_by": SINK}).encode()
            self.send_response(422)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/orders"
    server.shutdown()
    server.server_close()


# --- all of it


@contextmanager
def rehearsal(folder: Path, scenario: str, image: str = "") -> Iterator[Rehearsal]:
    """Everything that stands in for EKS, and a folder with settings and a scenario to play there.

    `image` is that of the reverter's pods; empty: there are none.
    """
    with ExitStack() as stack:
        gateways = {r: stack.enter_context(gateway(r, folder / f"gateway-{r}")) for r in layout.PLACES}
        url = stack.enter_context(account(gateways))
        canaries: list[dict[str, Any]] = []
        orders = stack.enter_context(sink(canaries))
        settings = folder / "gameday.toml"
        settings.write_text("\n".join(_settings(gateways, folder, orders, image)))
        scenarios = folder / "gamedays" / "scenarios"
        scenarios.mkdir(parents=True)
        (scenarios / "rehearsed.yaml").write_text(scenario)
        yield Rehearsal(
            folder, _environment(folder, url), tuple(f"{region}/{CLUSTER}" for region in gateways), canaries
        )


def _settings(gateways: Mapping[str, Gateway], folder: Path, orders: str, image: str) -> Iterator[str]:
    yield 'scenario_paths = ["gamedays"]'
    known = state.read().identities
    for number, (region, each) in enumerate(gateways.items()):
        values = {
            "account": ACCOUNT,
            "region": region,
            "cluster": CLUSTER,
            "kube_system_uid": known[region].uid,
            "ca_sha256": fingerprint(each.authority),
            "kubeconfig": _kubeconfig(each, folder).name,
            "context": "production",
            "api_for_pods": f"https://{layout.PLACES[region].cluster}-control-plane:6443",
            "edge": layout.PLACES[region].address,
            "database": ("primary", "replica")[number],
            "database_at": f"{layout.PLACES[region].address}:{layout.PORTS['database']}",
            "record": layout.TRADE_NAME,
        }
        yield f"[targets.{('east', 'west')[number]}]"
        yield from (f"{key} = {json.dumps(value)}" for key, value in values.items())
    yield "[outside]"
    yield f'dns = "{layout.HOST}:{layout.DNS_PORT}"'
    yield f'pages = "{layout.HOST}:{layout.OUTSIDE_PORT}"'
    ports = ", ".join(f"{name} = {port}" for name, port in layout.PORTS.items() if name != "automation")
    yield f"ports = {{{ports}}}"
    yield f'sink = "{SINK}"\ncanary = "{orders}"'
    yield 'canary_elsewhere = "a rehearsal: its orders are the testbed\'s own, which has no market and no sink"'
    yield f'[production]\nwindows = ["{WINDOW}"]\nexecutor = "{ME}"\nreverter_image = "{image}"'


def _environment(folder: Path, url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GAMEDAY_"))}
    return kept | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "GAMEDAY_STATE": str(folder / "state"),
        "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path if path),
        "TERM": "dumb",
    }


def approve(folder: Path) -> None:
    """Have somebody else sign what is to be approved."""
    [request] = [file for file in (folder / "approvals").iterdir() if file.suffix != ".sig"]
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    kind, public, *_ = key.with_suffix(".pub").read_text().split()
    (folder / "allowed_signers").write_text(f"{OTHER} {kind} {public}\n")
    sign = ["ssh-keygen", "-q", "-Y", "sign", "-n", "gameday-approval", "-f", str(key), str(request)]
    subprocess.run(sign, check=True, capture_output=True)
