"""Procedures are data: steps, who acts, what each needs to be up, how it is verified and undone."""

from typing import Literal

from pydantic import Field

from scenarios.model.base import Duration, Model, Name, Plain, Text

Verb = Literal[
    "fence",  # the old primary's commit lease must have expired
    "promote",  # the replica becomes primary
    "fail_back",
    "deploy",  # full plan of services in a region
    "wait_ready",
    "switch_dns",
    "verify",
    "assess",
    "restore_snapshot",
    "restore_point_in_time",
    "patch_config",  # ConfigMap key
    "restart",  # rollout restart of deployments
    "scale",
    "set_image",
    "rollout_undo",
    "disable_trading",
    "enable_trading",
    "copy_models",
    "notify",
    "wait",
]


class Step(Model):
    """One step. `takes` names the parameter that says how long a person needs for it."""

    id: Name
    title: Text
    verb: Verb
    target: dict[str, str] = {}
    needs: tuple[str, ...] = ()  # APIs, "kubernetes:us-west-2", "rds:us-west-2", "route53", "s3", "lambda:us-west-2"
    after: tuple[str, ...] = ()  # steps; default: the one before
    takes: str | None = None
    timeout_us: Duration | None = Field(None, alias="timeout")
    verified_by: str = ""
    undone_by: str = ""
    runbook: str = ""
    options: dict[str, Plain] = Field({}, alias="with")


class ChangeRequest(Model):
    """What the change declared."""

    downtime_us: Duration = Field(alias="downtime")
    rollback_us: Duration = Field(alias="rollback")
    window_us: Duration = Field(alias="window")


class Procedure(Model):
    """One procedure file."""

    procedure: Name
    title: Text
    runbook: tuple[str, ...] = ()
    actor: Literal["automation", "people", "controller"]
    starts: Literal["automation-detects", "page-answered", "change-window", "when-named"]
    severity: str = "P0"
    steps: tuple[Step, ...] = Field(min_length=1)
    change: ChangeRequest | None = None  # a procedure that is a change says what its request declared
