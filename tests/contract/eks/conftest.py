"""An account that moto plays, one region, and a cluster whose API is on loopback."""

import base64
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests
from moto.eks.models import eks_backends
from moto.server import ThreadedMotoServer

from experiments.platforms.eks import identity
from experiments.platforms.eks.aws import Aws
from experiments.platforms.eks.plans import Confirmation
from experiments.platforms.eks.targets import Target
from experiments.safety.identity import fingerprint
from tests.contract.eks.kube import UID, Api, served

ACCOUNT, REGION, CLUSTER = "123456789012", "us-east-1", "grandmodel-production"


class Account:
    """What a test prepares and looks at, by clients that no gate stands before."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = boto3.Session(region_name=REGION)
        self._clients: dict[str, Any] = {}

    def __getattr__(self, service: str) -> Any:
        if service not in self._clients:
            create: Any = self._session.client
            self._clients[service] = create(service.rstrip("_"))
        return self._clients[service]

    def post(self, path: str, document: Any = None) -> None:
        """Tell moto something."""
        requests.post(f"{self.url}/moto-api/{path}", json=document, timeout=10).raise_for_status()


@pytest.fixture(scope="package")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with served(tmp_path_factory.mktemp("cluster"), Api) as api:
        yield api


@pytest.fixture(scope="package")
def shared(server: str) -> Iterator[Account]:
    """Credentials that reach moto, whatever the machine has."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", server)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # a thousand images at each reset
        yield Account(server)


@pytest.fixture
def account(shared: Account, api: Api) -> Account:
    """Empty but for the cluster, which says where its API is."""
    shared.post("reset")
    shared.post("config", {"lambda": {"use_docker": False}})
    api.forget()
    shared.eks.create_cluster(
        name=CLUSTER, roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks", resourcesVpcConfig={"subnetIds": []}
    )
    cluster = eks_backends[ACCOUNT][REGION].clusters[CLUSTER]
    cluster.endpoint = api.host
    cluster.certificate_authority = {"data": base64.b64encode(api.authority.encode()).decode()}
    return shared


@pytest.fixture
def target(api: Api) -> Target:
    return Target(
        account=ACCOUNT,
        region=REGION,
        cluster=CLUSTER,
        kube_system_uid=UID,
        ca_sha256=fingerprint(api.authority),
        database="grandmodel-production",
        hosted_zone="Z0000",
        record="trade.example.com",
        endpoint="east.example.com",
        health_check="check",
        function="failover",
        buckets={"models": "own/models/"},
        backups={"models": "saved/models/"},
    )


@pytest.fixture
def aws(account: Account, target: Target) -> Aws:
    return Aws(target)


@pytest.fixture
def confirmed(target: Target) -> Confirmation:
    return Confirmation(frozenset({target.name}))


@pytest.fixture
def identified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of targets whose identity was asked for, in order."""
    asked: list[str] = []
    verify = identity.verify

    def counted(aws: Aws) -> str:
        asked.append(aws.target.name)
        return verify(aws)

    monkeypatch.setattr(identity, "verify", counted)
    return asked
