"""S3: copies a class of data from where it was saved to where the region uses it. Nothing is ever deleted.

An object is copied when it is missing, has another size, or is newer at its source. Objects go from bucket to bucket;
none passes through this machine, whose disk `aws s3 sync` to a folder would fill.
"""

from dataclasses import dataclass
from datetime import datetime

from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.plans import Options, Plan, change, look
from experiments.platforms.eks.targets import CLASSES, Target
from scenarios.errors import Problem, UsageError

LARGEST_BYTES = 5 << 30  # that one call copies


@dataclass(frozen=True)
class Stored:
    """An object in a bucket."""

    size_bytes: int
    modified: datetime


def plan_copy(target: Target, options: Options) -> Plan:
    """Copy a class of data into the region's bucket."""
    data = _class(options)
    source, own = "/".join(target.place("backups", data)), "/".join(target.place("buckets", data))
    calls = (
        look("s3", "ListObjectsV2", places=f"{source}, {own}"),
        change("s3", "CopyObject", source=source, destination=own),
    )
    return Plan("copy_data", target.name, f"copies what is new of {data} from {source} to {own}", calls)


def copy(aws: Aws, options: Options) -> str:
    """Copy what is missing or newer, object by object; done again, it goes on."""
    data = _class(options)
    (source, source_prefix), (own, own_prefix) = aws.target.place("backups", data), aws.target.place("buckets", data)
    there, here = _listed(aws, source, source_prefix), _listed(aws, own, own_prefix)
    account = aws.target.account
    wanted = [key for key, found in there.items() if key not in here or _differs(found, here[key])]
    for key in wanted:
        if there[key].size_bytes > LARGEST_BYTES:
            remedy = "Nothing was copied. Copy it in parts by hand, then repeat."
            found = f"{there[key].size_bytes / (1 << 30):.1f} GiB"
            raise AwsError(Problem(f"s3://{source}/{source_prefix}{key}", found, "at most 5 GiB", remedy))
    for key in wanted:
        aws.s3.copy_object(
            Bucket=own,
            Key=own_prefix + key,
            CopySource={"Bucket": source, "Key": source_prefix + key},
            ExpectedBucketOwner=account,
            ExpectedSourceBucketOwner=account,
        )
    size = sum(there[key].size_bytes for key in wanted)
    return f"{len(wanted)} of {len(there)} objects of {data} copied, {size} bytes"


def _class(options: Options) -> str:
    data = str(options.get("class", "models"))
    if data not in CLASSES:
        expected = f"one of {', '.join(CLASSES)}"
        raise UsageError(Problem("verb copy_data", f"class `{data}`", expected, "Name one of them."))
    return data


def _listed(aws: Aws, bucket: str, prefix: str) -> dict[str, Stored]:
    """Objects below a prefix, by the rest of their key."""
    pages = aws.s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, ExpectedBucketOwner=aws.target.account
    )
    found = (each for page in pages for each in page.get("Contents", []))
    return {each["Key"][len(prefix) :]: Stored(each["Size"], each["LastModified"]) for each in found}


def _differs(there: Stored, here: Stored) -> bool:
    return there.size_bytes != here.size_bytes or there.modified > here.modified
