"""Targets are known by what they are: a kubeconfig that reaches something else stops the run."""

import base64
import datetime
import http.server
import ipaddress
import json
import os
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from experiments.safety import identity
from experiments.safety.identity import WrongTargetError, copied, fingerprint, reached, refuse_others, used
from experiments.testbed.layout import EAST, WEST
from experiments.testbed.state import Identity

BORN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Cluster:
    """An API server with an authority of its own, which knows one namespace."""

    uid: str
    port: int
    authority: str

    def kubeconfig(self, path: Path, *, authority: str | None = None) -> None:
        encoded = base64.b64encode((authority or self.authority).encode()).decode()
        server = f"https://127.0.0.1:{self.port}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "kind-something-else",
            "contexts": [{"name": "kind-something-else", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": encoded}}],
            "users": [{"name": "u", "user": {"token": "a-token-of-a-test"}}],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))

    @property
    def identity(self) -> Identity:
        return Identity("gameday", self.uid, fingerprint(self.authority))


def certificates(folder: Path) -> str:
    """An authority and a certificate for 127.0.0.1; returns the authority's, in PEM."""
    key, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])

    def make(subject: x509.Name, public: ec.EllipticCurvePublicKey, authority: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder().issuer_name(name).subject_name(subject).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(BORN)
        builder = builder.not_valid_after(BORN + datetime.timedelta(days=36500))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return builder.add_extension(x509.SubjectAlternativeName([address]), critical=False).sign(key, hashes.SHA256())

    server = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])
    pem = serialization.Encoding.PEM
    form, open_ = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    (folder / "server").write_bytes(
        own.private_bytes(pem, form, open_) + make(server, own.public_key(), authority=False).public_bytes(pem)
    )
    return make(name, key.public_key(), authority=True).public_bytes(pem).decode()


def serve(folder: Path, uid: str) -> tuple[http.server.ThreadingHTTPServer, Cluster]:
    folder.mkdir()
    authority = certificates(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"metadata": {"uid": uid}}).encode()
            self.send_response(200 if self.path == "/api/v1/namespaces/kube-system" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server, Cluster(uid, server.server_port, authority)


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Cluster]]:
    folder = tmp_path_factory.mktemp("clusters")
    served = [serve(folder / uid, uid) for uid in ("uid-east", "uid-west", "uid-planted")]
    yield [cluster for _, cluster in served]
    for server, _ in served:
        server.shutdown()
        server.server_close()


def expected(clusters: list[Cluster]) -> dict[str, Identity]:
    return {"us-east-1": clusters[0].identity, "us-west-2": clusters[1].identity}


def test_the_right_targets(clusters: list[Cluster], tmp_path: Path) -> None:
    for place, cluster in zip((EAST, WEST), clusters, strict=False):
        cluster.kubeconfig(place.kubeconfig)
    folder = copied(tmp_path / "run", expected(clusters))
    assert reached(folder / "kubeconfig-us-east-1.yaml").uid == "uid-east"
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.proves("a kubeconfig that reaches another cluster than the one that was made stops the run")
def test_a_planted_kubeconfig(clusters: list[Cluster], tmp_path: Path) -> None:
    clusters[2].kubeconfig(EAST.kubeconfig)
    clusters[1].kubeconfig(WEST.kubeconfig)
    with pytest.raises(WrongTargetError) as caught:
        copied(tmp_path / "run", expected(clusters))
    problems = caught.value.problems
    assert {problem.where for problem in problems} == {"target us-east-1"}
    assert [problem.found.rpartition(" ")[0] for problem in problems] == ["kube-system", "certificate authority"]
    assert "uid-planted" in problems[0].found
    assert "uid-east" in problems[0].expected


def test_a_server_that_its_authority_does_not_vouch_for(clusters: list[Cluster], tmp_path: Path) -> None:
    """The right fingerprint in the file is not enough: the server must prove it."""
    clusters[2].kubeconfig(EAST.kubeconfig, authority=clusters[0].authority)
    clusters[1].kubeconfig(WEST.kubeconfig)
    with pytest.raises(WrongTargetError, match="CERTIFICATE_VERIFY_FAILED"):
        copied(tmp_path / "run", expected(clusters))


@pytest.mark.proves("a run reaches its targets by the kubeconfigs that were found right at its start")
def test_a_kubeconfig_that_is_planted_later_is_not_used(clusters: list[Cluster]) -> None:
    for place, cluster in zip((EAST, WEST), clusters, strict=False):
        cluster.kubeconfig(place.kubeconfig)
    original = EAST.kubeconfig
    with used(expected(clusters)) as copies:
        clusters[2].kubeconfig(original)
        assert reached(EAST.kubeconfig).uid == "uid-east"
    assert not copies.exists()
    assert EAST.kubeconfig == original
    assert reached(EAST.kubeconfig).uid == "uid-planted"


def test_swapped_regions(clusters: list[Cluster], tmp_path: Path) -> None:
    clusters[1].kubeconfig(EAST.kubeconfig)
    clusters[0].kubeconfig(WEST.kubeconfig)
    with pytest.raises(WrongTargetError) as caught:
        copied(tmp_path / "run", expected(clusters))
    assert {problem.where for problem in caught.value.problems} == {"target us-east-1", "target us-west-2"}


def test_no_testbed(clusters: list[Cluster], tmp_path: Path) -> None:
    with pytest.raises(WrongTargetError, match="testbed up"):
        copied(tmp_path / "run", expected(clusters))
    for place, cluster in zip((EAST, WEST), clusters, strict=False):
        cluster.kubeconfig(place.kubeconfig)
    with pytest.raises(WrongTargetError, match="nothing about us-east-1"):
        copied(tmp_path / "again", {})


@pytest.mark.proves(
    "A second game day takes away nothing of the first one's targets, and nothing stays behind of either"
)
def test_each_process_has_copies_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (EAST, WEST):
        place.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        place.kubeconfig.write_text("x")
    monkeypatch.setattr(identity, "_different", lambda *_: [])
    with used() as first:
        dead = first.parent / "999999999"
        dead.mkdir()
        with monkeypatch.context() as other:
            other.setattr(identity.os, "getpid", os.getppid)
            with used() as second:
                assert second != first
                assert not dead.exists()
        assert not second.exists()
        assert sorted(file.name for file in first.iterdir()) == [
            "kubeconfig-us-east-1.yaml",
            "kubeconfig-us-west-2.yaml",
        ]
    assert list(first.parent.iterdir()) == []


def test_before_an_undo_another_is_refused_and_a_silent_one_is_not(clusters: list[Cluster]) -> None:
    clusters[0].kubeconfig(EAST.kubeconfig)
    replace(clusters[1], port=1).kubeconfig(WEST.kubeconfig)
    refuse_others(expected(clusters))
    clusters[2].kubeconfig(EAST.kubeconfig)
    with pytest.raises(WrongTargetError, match="uid-planted"):
        refuse_others(expected(clusters))
    replace(clusters[2], port=1).kubeconfig(EAST.kubeconfig)
    with pytest.raises(WrongTargetError, match="certificate authority"):
        refuse_others(expected(clusters))
