"""Lambda: the function that fails over. To invoke it is to run it: no call of it says how a failover is going."""

import json
from typing import Any

from experiments.platforms.eks.aws import Aws, AwsError
from experiments.platforms.eks.plans import Options, Plan, change
from experiments.platforms.eks.targets import Target
from scenarios.errors import Problem


def plan_invoke(target: Target, options: Options) -> Plan:
    """Run the failover function."""
    name, payload = target.need("function"), _payload(options)
    call = change("lambda", "Invoke", FunctionName=name, Payload=payload)
    words = f"runs {name}: this is the failover itself, not a look at it"
    return Plan("invoke_failover", target.name, words, (call,), irreversible=True)


def invoke(aws: Aws, options: Options) -> str:
    """Run it once and wait for its answer; an error inside the function is an error here."""
    name = aws.target.need("function")
    answer = aws.functions.invoke(
        FunctionName=name, InvocationType="RequestResponse", Payload=json.dumps(_payload(options)).encode()
    )
    said = answer["Payload"].read().decode(errors="replace")[:300]
    if "FunctionError" in answer:
        remedy = "It may have done a part of its work: look at the database and the name before anything else."
        raise AwsError(Problem(f"invoke {name}", said or answer["FunctionError"], "an answer without error", remedy))
    return f"{name} answered {said or 'nothing'}"


def _payload(options: Options) -> Any:
    return options.get("payload", {})
