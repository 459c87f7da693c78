"""The policy allows what the code calls, and nothing else; the page shows this very policy."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import get_session

from experiments.platforms.eks.aws import READS
from experiments.platforms.eks.targets import Target
from experiments.platforms.eks.verbs import VERBS, plan
from tests.conftest import ROOT

PACKAGE = ROOT / "experiments" / "platforms" / "eks"
PAGE = ROOT / "docs" / "how-to" / "eks.md"
SERVICES = ("sts", "eks", "rds", "cloudwatch", "route53", "lambda", "s3", "ec2")
# IAM names these otherwise than the API does: a copy reads here and writes there, with the tags.
NAMED = {
    "s3:ListObjectsV2": {"s3:ListBucket"},
    "s3:CopyObject": {"s3:GetObject", "s3:GetObjectTagging", "s3:PutObject", "s3:PutObjectTagging"},
    "lambda:Invoke": {"lambda:InvokeFunction"},
}
OPTIONS = {"service": "risk", "plan": {"risk": 2}, "value": "x", "image": "risk:2", "to": "2026-01-01T00:00:00+00:00"}


@pytest.fixture(scope="module")
def called() -> set[str]:
    """`service:Operation` of each method of a client that the code calls or pages through, found in its text."""
    session = get_session()
    methods = {
        xform_name(operation): f"{service}:{operation}"
        for service in SERVICES
        for operation in session.get_service_model(service).operation_names
    }
    return {methods[name] for name in _names() if name in methods}


def _names() -> Iterator[str]:
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield node.func.attr
                if node.func.attr == "get_paginator" and isinstance(node.args[0], ast.Constant):
                    yield str(node.args[0].value)


def _policy() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((PACKAGE / "policy.json").read_text(encoding="utf-8"))
    return document


@pytest.mark.proves("EKS: the IAM policy allows every action that the code calls, and no other")
def test_actions(called: set[str]) -> None:
    allowed = [action for statement in _policy()["Statement"] for action in statement["Action"]]
    assert len(allowed) == len(set(allowed))
    assert set(allowed) == set().union(*(NAMED.get(each, {each}) for each in called))
    assert not [action for action in allowed if "*" in action]


def test_what_changes_something_is_bound_to_a_resource(called: set[str]) -> None:
    writes = {
        action
        for each in called
        if each.partition(":")[2] not in READS
        for action in NAMED.get(each, {each})
    }  # fmt: skip
    for statement in _policy()["Statement"]:
        assert statement["Resource"] != "*" or not writes & set(statement["Action"]), statement["Sid"]


def test_page_shows_the_policy() -> None:
    block = re.search(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    assert json.loads(block[1]) == _policy()


def test_page_names_every_verb() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"`{verb}`" not in text] == []


def test_plans_say_what_is_called(called: set[str], target: Target) -> None:
    """Plans name every operation of AWS that changes something, and no other."""
    planned = [call for verb in VERBS for call in plan(verb, target, OPTIONS).calls if call.service != "kubernetes"]
    writes = {each for each in called if each.partition(":")[2] not in READS}
    assert {f"{call.service}:{call.operation}" for call in planned if call.changes} == writes
    assert {call.operation for call in planned if not call.changes} <= READS
