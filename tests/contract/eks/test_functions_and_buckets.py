"""Lambda, whose answers moto takes from a queue, and S3."""

import io
import zipfile

import pytest
from moto.s3.models import s3_backends

from experiments.platforms.eks import buckets
from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.plans import Confirmation
from experiments.platforms.eks.targets import Target
from experiments.platforms.eks.verbs import do
from scenarios.errors import UsageError
from tests.contract.eks.conftest import ACCOUNT, Account


@pytest.fixture
def function(account: Account) -> None:
    """A function of which moto runs nothing."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("main.py", "def run(event, context): ...")
    role = account.iam.create_role(RoleName="failover", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    account.lambda_.create_function(
        FunctionName="failover", Runtime="python3.12", Role=role, Handler="main.run", Code={"ZipFile": code.getvalue()}
    )


@pytest.mark.usefixtures("function")
def test_invoke(account: Account, aws: Aws, confirmed: Confirmation) -> None:
    account.post("static/lambda-simple/response", {"results": ['{"promoted": true}']})
    assert do("invoke_failover", aws, {}, confirmed) == 'failover answered {"promoted": true}'


@pytest.mark.usefixtures("function")
def test_an_error_inside_the_function(aws: Aws, confirmed: Confirmation, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto's queue holds no errors: the answer is given here, in the form of Lambda. It is HTTP 200, and no success."""
    answer = {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "no replica"}')}
    monkeypatch.setattr(aws.functions, "invoke", lambda **_: answer)
    with pytest.raises(AwsError, match=r"no replica.*done a part of its work"):
        do("invoke_failover", aws, {}, confirmed)


@pytest.fixture
def saved(account: Account) -> Account:
    for bucket in ("own", "saved"):
        account.s3.create_bucket(Bucket=bucket)
    for key, body in {"models/a": b"1", "models/b": b"22", "models/deep/c": b"333", "logs/l": b"4"}.items():
        account.s3.put_object(Bucket="saved", Key=key, Body=body)
    return account


def _own(account: Account) -> dict[str, bytes]:
    keys = [each["Key"] for each in account.s3.list_objects_v2(Bucket="own").get("Contents", [])]
    return {key: account.s3.get_object(Bucket="own", Key=key)["Body"].read() for key in keys}


@pytest.mark.proves("EKS: copying data again copies nothing, and deletes nothing")
def test_copy(saved: Account, aws: Aws, confirmed: Confirmation) -> None:
    """What is missing, and what has another size; only this class; what is only here stays."""
    saved.s3.put_object(Bucket="own", Key="models/a", Body=b"1")
    saved.s3.put_object(Bucket="own", Key="models/b", Body=b"old and longer")
    saved.s3.put_object(Bucket="own", Key="models/mine", Body=b"m")
    assert do("copy_data", aws, {}, confirmed) == "2 of 3 objects of models copied, 5 bytes"
    copied = {"models/a": b"1", "models/b": b"22", "models/deep/c": b"333", "models/mine": b"m"}
    assert _own(saved) == copied
    assert do("copy_data", aws, {}, confirmed) == "0 of 3 objects of models copied, 0 bytes"


def test_what_is_newer_is_copied(saved: Account, aws: Aws, confirmed: Confirmation) -> None:
    """Of the same size, and written later."""
    do("copy_data", aws, {}, confirmed)
    saved.s3.put_object(Bucket="saved", Key="models/a", Body=b"2")
    objects = s3_backends[ACCOUNT]["aws"].buckets["own"].keys
    objects["models/a"].last_modified = objects["models/a"].last_modified.replace(year=2020)
    assert do("copy_data", aws, {}, confirmed) == "1 of 3 objects of models copied, 1 bytes"
    assert _own(saved)["models/a"] == b"2"


def test_what_one_call_cannot_copy(
    saved: Account, aws: Aws, confirmed: Confirmation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "LARGEST_BYTES", 2)
    with pytest.raises(AwsError, match=r"saved/models/deep/c.*at most 5 GiB"):
        do("copy_data", aws, {}, confirmed)
    assert _own(saved) == {}  # seen before anything is copied


def test_more_than_a_page(account: Account, aws: Aws, confirmed: Confirmation) -> None:
    for bucket in ("own", "saved"):
        account.s3.create_bucket(Bucket=bucket)
    backend = s3_backends[ACCOUNT]["aws"]
    for number in range(1001):
        backend.put_object("saved", f"models/{number:04}", b"x")
    assert len(buckets._listed(aws, "saved", "models/")) == 1001


def test_a_class_that_was_not_declared(aws: Aws, target: Target, confirmed: Confirmation) -> None:
    with pytest.raises(UsageError, match=r"no `backups.logs`.*whose region is us-east-1"):
        do("copy_data", aws, {"class": "logs"}, confirmed)
    with pytest.raises(UsageError, match="one of models, configuration, logs"):
        do("copy_data", aws, {"class": "orders"}, confirmed)
