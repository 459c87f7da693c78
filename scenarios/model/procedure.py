"""Procedures are data: steps, who acts, what each needs to be up, how it is verified and undone."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from scenarios.model.base import Duration, Model, Name, Plain, Text
from scenarios.model.faults import World

Verb = Literal[
    "fence",
    "promote",
    "deploy",
    "wait_ready",
    "switch_dns",
    "verify",
    "assess",
    "restore_snapshot",
    "restore_point_in_time",
    "patch_config",
    "restart",
    "scale",
    "set_image",
    "rollout_undo",
    "disable_trading",
    "enable_trading",
    "copy_models",
    "notify",
    "wait",
    "reseed",
    "catch_up",
]


@dataclass(frozen=True)
class VerbOption:
    """A value under `with:` of a step."""

    name: str
    kind: Literal["whole", "text", "flag"]
    needed: bool
    title: str


@dataclass(frozen=True)
class VerbKind:
    """What a verb does, whether it needs `target.region`, whether `target.service` may narrow it, its options."""

    title: str
    region: bool = True
    service: bool = False
    options: tuple[VerbOption, ...] = ()
    worlds: tuple[World, ...] = ("twin", "kind")  # in which it can be done


_TWIN: tuple[World, ...] = ("twin",)

VERBS: dict[Verb, VerbKind] = {
    "fence": VerbKind("waits until the old primary's commit lease has expired: it commits nothing from then on", False),
    "promote": VerbKind("makes the region's replica the primary; refused while it is backing up"),
    "deploy": VerbKind("deploys the full plan of every service in the region"),
    "wait_ready": VerbKind("waits until every planned pod of the region (or of one service) is ready", service=True),
    "switch_dns": VerbKind("makes the name lead to the region, by a changed record (route53) or a health check"),
    "verify": VerbKind("looks whether it works; finds what an earlier step has not done", False),
    "assess": VerbKind("looks at the situation before anything is changed", False),
    "restore_snapshot": VerbKind("restores the last nightly snapshot into a new database", worlds=_TWIN),
    "restore_point_in_time": VerbKind(
        "restores to the moment before the mistake, as far as logs were uploaded", worlds=_TWIN
    ),
    "patch_config": VerbKind(
        "patches a ConfigMap; pods read database_url when they start, trading_enabled when the kubelet syncs",
        options=(
            VerbOption("key", "text", False, "key of the ConfigMap; default database_url"),
            VerbOption("value", "text", False, "its new value; default: the restored database"),
        ),
    ),
    "restart": VerbKind("restarts the deployments of the region (or of one service), pod by pod", service=True),
    "scale": VerbKind(
        "changes the number of pods", service=True, options=(VerbOption("replicas", "whole", True, "pods wanted"),)
    ),
    "set_image": VerbKind(
        "rolls out another image",
        service=True,
        options=(
            VerbOption("image", "text", True, "its name and version"),
            VerbOption("crashes", "flag", False, "whether it crashes at start; default false"),
        ),
    ),
    "rollout_undo": VerbKind("goes back to the image before", service=True),
    "disable_trading": VerbKind("patches the ConfigMap so that orders are refused"),
    "enable_trading": VerbKind("patches the ConfigMap so that orders are taken again"),
    "copy_models": VerbKind("copies the models back from the other region", False, worlds=_TWIN),
    "notify": VerbKind(
        "tells stakeholders", False, options=(VerbOption("audience", "text", False, "who; default stakeholders"),)
    ),
    "wait": VerbKind("takes its time and does nothing", False),
    "reseed": VerbKind(
        "gives up the region's database and makes it a standby of the other's, copied anew; ends when it streams",
    ),
    "catch_up": VerbKind("waits until the region's standby has all that the other's primary has"),
}


class Step(Model):
    """One step. `takes` names the parameter that says how long a person needs for it."""

    id: Name
    title: Text
    verb: Verb
    target: dict[str, Name] = Field(default_factory=dict, description="region, and service where the verb takes one")
    needs: tuple[str, ...] = Field((), description="APIs: kubernetes:us-west-2, rds:us-west-2, route53 ...")
    after: tuple[str, ...] = Field((), description="earlier steps it waits for; default: the one before")
    takes: str | None = Field(None, description="parameter that says how long a person or the automation needs")
    timeout_us: Duration | None = Field(
        None,
        alias="timeout",
        description="how long it may take before the procedure fails; default: none for people, who go on trying, "
        "automation.step_timeout for the automation",
    )
    verified_by: str = ""
    undone_by: str = ""
    runbook: str = Field("", description="step of the runbook's section that it is")
    options: dict[str, Plain] = Field(default_factory=dict, alias="with")


class ChangeRequest(Model):
    """What the change declared."""

    downtime_us: Duration = Field(alias="downtime")
    rollback_us: Duration = Field(alias="rollback")
    window_us: Duration = Field(alias="window")


class Procedure(Model):
    """One procedure file."""

    procedure: Name
    title: Text
    runbook: tuple[Text, ...] = ()
    actor: Literal["automation", "people", "controller"]
    starts: Literal["automation-detects", "page-answered", "change-window", "when-named"]
    severity: Literal["P0", "P1", "P2", "P3"] = "P0"
    steps: tuple[Step, ...] = Field(min_length=1)
    change: ChangeRequest | None = Field(None, description="what its change request declared, if it is a change")
