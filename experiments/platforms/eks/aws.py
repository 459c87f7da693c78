"""AWS as one target sees it: clients of its region, a gate for what changes something, and errors that say a remedy.

Credentials come from boto3's own chain; which account they belong to is asked, never guessed (`identity`). Every
call passes the gate: what is not known to change nothing is refused, unless the confirmed plan names it.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions as refused
from botocore.config import Config
from botocore.signers import RequestSigner

from experiments.platforms.eks.kube import Kube
from experiments.platforms.eks.plans import Plan
from experiments.platforms.eks.targets import Target
from experiments.safety.secrets import of_this_process
from scenarios.errors import GamedayError, Problem

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_s3 import S3Client

CONNECT_S, READ_S, ATTEMPTS = 3, 15, 3
FUNCTION_S = 910  # a Lambda function may run for 15 minutes
TOKEN_S = 60

READS = frozenset(
    {
        "GetCallerIdentity",
        "DescribeCluster",
        "DescribeDBInstances",
        "DescribeDBSnapshots",
        "GetMetricStatistics",
        "ListResourceRecordSets",
        "GetChange",
        "GetHealthCheck",
        "GetHealthCheckStatus",
        "ListObjectsV2",
        "DescribeInstances",
    }
)


class AwsError(GamedayError, RuntimeError):
    """AWS or the cluster refused, did not answer, or did not do what it should have done (exit code 2)."""


class NotPlannedError(RuntimeError):
    """Our bug: a call that changes something and that no confirmed plan names."""


class Aws:
    """Clients of one target. Raises AwsError when credentials name a profile that is not there."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._planned: frozenset[str] = frozenset()
        with answering("credentials"):
            self._session = boto3.Session(region_name=target.region)
        self._session.events.register("before-call", self._gate)

    @contextmanager
    def allowing(self, plan: Plan) -> Iterator[None]:
        """Let the changes of a confirmed plan through, and nothing else."""
        self._planned = plan.operations
        try:
            yield
        finally:
            self._planned = frozenset()

    def _gate(self, model: Any, **_: Any) -> None:
        self.insist(str(model.name), changes=model.name not in READS)

    def insist(self, operation: str, *, changes: bool) -> None:
        """Refuse a change that the confirmed plan does not name. Raises NotPlannedError."""
        if changes and operation not in self._planned:
            raise NotPlannedError(f"{operation} is not in the confirmed plan")

    @cached_property
    def sts(self) -> Any:
        """Who we are."""
        return self._client("sts")

    @cached_property
    def eks(self) -> Any:
        """Clusters."""
        return self._client("eks")

    @cached_property
    def cloudwatch(self) -> Any:
        """Metrics."""
        return self._client("cloudwatch")

    @cached_property
    def rds(self) -> "RDSClient":
        """Databases."""
        client: RDSClient = self._client("rds")
        return client

    @cached_property
    def route53(self) -> "Route53Client":
        """Names; its control plane is in us-east-1, whatever the region."""
        client: Route53Client = self._client("route53")
        return client

    @cached_property
    def s3(self) -> "S3Client":
        """Buckets."""
        client: S3Client = self._client("s3")
        return client

    @cached_property
    def ec2(self) -> "EC2Client":
        """Instances."""
        client: EC2Client = self._client("ec2")
        return client

    @cached_property
    def functions(self) -> "LambdaClient":
        """Functions. One attempt only: a repeated call would run the function a second time."""
        client: LambdaClient = self._client("lambda", read_timeout=FUNCTION_S, attempts=1)
        return client

    def _client(self, service: str, *, read_timeout: int = READ_S, attempts: int = ATTEMPTS) -> Any:
        config = Config(
            connect_timeout=CONNECT_S,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            user_agent_extra="gameday",
        )
        create: Any = self._session.client  # its overloads want a literal
        return create(service, config=config)

    @cached_property
    def cluster(self) -> dict[str, Any]:
        """The cluster as EKS describes it."""
        found: dict[str, Any] = self.eks.describe_cluster(name=self.target.cluster)["cluster"]
        return found

    @property
    def authority(self) -> str:
        """The certificate authority of the cluster's API, in PEM. Raises ValueError when it is none."""
        return base64.b64decode(self.cluster["certificateAuthority"]["data"], validate=True).decode("ascii")

    @cached_property
    def kube(self) -> Kube:
        """The cluster's API, at the address that EKS says, vouched for by the authority that EKS says."""
        return Kube(self.cluster["endpoint"], self.authority, self._token, self.insist)

    def _token(self) -> str:
        """A token as the cluster's API wants it: a signed question to STS who we are, good for a minute."""
        client, credentials = self.sts, self._session.get_credentials()
        if credentials is None:
            raise refused.NoCredentialsError
        signer = RequestSigner(
            client.meta.service_model.service_id,
            self.target.region,
            "sts",
            "v4",
            credentials,
            self._session.events,
        )
        request = {
            "method": "GET",
            "url": f"https://sts.{self.target.region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {"x-k8s-aws-id": self.target.cluster},
            "context": {},
        }
        url = signer.generate_presigned_url(
            request, region_name=self.target.region, expires_in=TOKEN_S, operation_name=""
        )
        return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


# --- errors

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_INVALID = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAccessKeyId"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
_BUSY = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "PriorRequestNotComplete",
    "SlowDown",
}
_NO_CREDENTIALS = (
    refused.NoCredentialsError,
    refused.PartialCredentialsError,
    refused.CredentialRetrievalError,
    refused.ProfileNotFound,
    refused.NoAuthTokenError,
)
_LOG_IN_AGAIN = (refused.TokenRetrievalError, refused.SSOTokenLoadError, refused.UnauthorizedSSOTokenError)
_SILENT = (refused.ConnectionError, refused.HTTPClientError)


@contextmanager
def answering(where: str) -> Iterator[None]:
    """Turn what AWS says into an error with a remedy. Raises AwsError."""
    try:
        yield
    except (refused.BotoCoreError, refused.ClientError) as error:
        raise AwsError(_problem(where, error)) from error


def _problem(where: str, error: Exception) -> Problem:
    said = of_this_process().text(" ".join(str(error).split()))[:300]
    if isinstance(error, refused.ClientError):
        return _refusal(where, str(error.response.get("Error", {}).get("Code", "")), said)
    if isinstance(error, _LOG_IN_AGAIN):
        return Problem(where, said, "a session that has not expired", "Log in again, e.g. `aws sso login`.")
    if isinstance(error, _NO_CREDENTIALS):
        remedy = "Give credentials of a role with the policy of docs/how-to/eks.md, as boto3 finds them."
        return Problem(where, said, "AWS credentials", remedy)
    if isinstance(error, _SILENT):
        return Problem(
            where, said, "an answer", "See whether the region's API can be reached from here, and try again."
        )
    return Problem(where, said, "a call that AWS understands", "Look at the target's section in gameday.toml.")


def _refusal(where: str, code: str, said: str) -> Problem:
    if code in _EXPIRED:
        return Problem(where, said, "credentials that have not expired", "Get new ones, then look before you repeat.")
    if code in _INVALID:
        return Problem(where, said, "credentials that AWS knows", "Take those of the target's account.")
    if code in _BUSY:
        remedy = f"{ATTEMPTS} attempts were made. Wait a minute, look at the target, then repeat."
        return Problem(where, said, "a call that is not throttled", remedy)
    if code in _DENIED:
        return Problem(where, said, "permission", "Attach the verb's statement of docs/how-to/eks.md to the role.")
    return Problem(where, said, "a call that succeeds", "Look at the target with `assess`, mend what it says, repeat.")
