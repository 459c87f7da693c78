"""Play a scenario in a world: the only place that picks one."""

import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scenarios.files.planned import by_load
from scenarios.files.resolved import Resolved
from scenarios.model.units import duration
from scenarios.record.writer import RunWriter

Progress = Callable[[int, int, str], None]

NOT_AT_CONTROL = "fidelity control has no queues and counts no requests: judged on the full trial"
NOT_OVERLOADED = "its recovery is from too much load, and fidelity control has no queues: judged on the full trial"
SMALL = "a small system on one machine, at a scaled load: shown against its own baseline"
SCRIPTED_ON_CLUSTER = "operators were scripted: their answer times were declared, not measured"
EVIDENCE_CLASS = {"kind": "lab", "eks": "DR environment"}
SCRIPTED = "people are drawn from distributions: a simulated answer says nothing about your team"


@dataclass(frozen=True)
class Played:
    """One run as it was played."""

    folder: Path
    head: dict[str, Any]


def head(resolved: Resolved, *, fidelity: str, seed: int, trial: int) -> dict[str, Any]:
    """What run.json of a simulation says from the start."""
    document = resolved.document()
    identity = json.dumps([document["scenario_digest"], document["topology_digest"], fidelity, seed, trial])
    return {
        "run_id": f"{resolved.scenario.scenario}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}",
        "source": "simulation",
        "evidence_class": "simulation",
        "fidelity": fidelity,
        "seed": seed,
        "trial": trial,
        "command": simulate_command(resolved, fidelity=fidelity, seed=seed, trial=trial),
        **_made_with("simpy", "numba", "numpy", "pyarrow"),
        "not_judged": not_judged(resolved, fidelity),
        **document,
    }


def cluster_head(
    resolved: Resolved, world: str, started: datetime, operator: str, observe_us: int | None = None
) -> dict[str, Any]:
    """What run.json of a game day says, save when its clock starts. `started` names it: it is never played twice.

    `operator`: people's answers are scripted, or live. `observe_us`: nothing is broken, for so long.
    """
    options = ["--world", world, *(["--operator", operator] if operator != "scripted" else [])]
    options += ["--observe", "--for", duration(observe_us)] if observe_us is not None else []
    return {
        "run_id": f"{resolved.scenario.scenario}-{world}-{started:%Y%m%d-%H%M%S}",
        "source": world,
        "evidence_class": EVIDENCE_CLASS[world],
        "operator": operator,
        "scaled": getattr(resolved.scenario.worlds, world).rate_per_s is not None,
        "observe_only": observe_us is not None,
        "command": _command(resolved, "run", *options),
        **_made_with("chaostoolkit", "chaostoolkit-lib", "kubernetes", "locust", "psycopg", "pyarrow"),
        "not_judged": _not_judged_on_cluster(resolved, world, operator),
        **resolved.document(),
    }


def simulate_command(resolved: Resolved, *, fidelity: str | None, seed: int, trial: int, trials: int = 1) -> str:
    """Return the command that plays it again in the twin, for a shell. `fidelity`: None is what `simulate` takes."""
    options = ["--seed", str(seed)]
    options += ["--trials", str(trials)] if trials > 1 else []
    options += ["--trial", str(trial)] if trial else []
    options += ["--fidelity", fidelity] if fidelity is not None and (trials > 1 or fidelity != "request") else []
    options += ["--as", resolved.asked.world] if resolved.asked.world != "twin" else []
    return _command(resolved, "simulate", *options)


def _command(resolved: Resolved, verb: str, *options: str) -> str:
    changes = [word for key, value in resolved.asked.overrides.items() for word in ("--set", f"{key}={value}")]
    return shlex.join(["gameday", verb, resolved.asked.name, *options, *changes])


def _made_with(*packages: str) -> dict[str, Any]:
    versions = {p: version(p) for p in ("grandmodel-gameday", *packages)}
    return {"versions": {"python": sys.version.split()[0], **versions}, "git_commit": _commit()}


def _not_judged_on_cluster(resolved: Resolved, world: str, operator: str) -> dict[str, str]:
    """How fast people answer is judged when somebody answered."""
    answers = () if operator == "live" else (o for o in resolved.objectives if o.kind == "response")
    reasons = {o.objective: SCRIPTED_ON_CLUSTER for o in answers}
    return reasons | _not_of_a_laptop(resolved, world) | dict(resolved.scenario.not_judged)


def _not_of_a_laptop(resolved: Resolved, world: str) -> dict[str, str]:
    """A laptop is measured as itself: the runbook's latencies and throughput are shown there, and not judged."""
    sized = (o for o in resolved.objectives if o.kind in ("latency", "throughput", "load_test"))
    return {o.objective: SMALL for o in sized} if world == "kind" else {}


def not_judged(resolved: Resolved, fidelity: str) -> dict[str, str]:
    """Objectives that the twin at this fidelity cannot judge, each with the reason; nor what it plays as a cluster."""
    reasons = {o.objective: SCRIPTED for o in resolved.objectives if o.kind == "response"}
    reasons |= _not_of_a_laptop(resolved, resolved.asked.world)
    if fidelity == "control":
        from validators import needs  # reads alert rules, which the other levels need not

        topology = resolved.topology.model_dump(mode="json")
        counted = (o for o in resolved.objectives if needs.load(o.model_dump(mode="json"), topology))
        reasons |= {o.objective: NOT_AT_CONTROL for o in counted}
        reasons |= {o.objective: NOT_OVERLOADED for o in resolved.objectives if by_load(resolved, o)}
    return reasons | dict(resolved.scenario.not_judged)


def _commit() -> str | None:
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except OSError:
        return None
    return found.stdout.strip() or None


def simulate(
    resolved: Resolved, folder: Path, *, seed: int, trial: int, fidelity: str, progress: Progress | None = None
) -> Played:
    """Play one trial in the twin and keep its record. At fidelity request the kernel is first checked on the topology.

    Raises KernelError when the kernel and the reference differ: then no number of it is worth printing.
    """
    from sim.checked import check
    from sim.world import run

    facts = head(resolved, fidelity=fidelity, seed=seed, trial=trial)
    with RunWriter(folder, facts) as writer:
        found: dict[str, Any] = {}
        if fidelity == "request":
            if progress is not None:
                progress(0, 1, "checking the kernel against the reference on this topology")
            result = check(resolved)
            if result.differing:
                raise KernelError(f"the kernel differs from the reference: {result.first_difference}")
            found = {"checked": {k: v for k, v in asdict(result).items() if k != "first_difference"}}
        end = run(resolved, seed, trial, writer, fidelity=fidelity, progress=progress)
        found |= closed(end)
        writer.close(end.termination, **found)
    return Played(folder, facts | found | {"termination": end.termination})


class KernelError(RuntimeError):
    """The compiled kernel and its reference disagree: our bug."""


def closed(end: Any) -> dict[str, Any]:
    """What run.json learns at the end."""
    return {
        "duration_us": end.duration_us,
        "surviving_timeline": end.surviving_timeline,
        "clock": {"bound_us": 0},
        "counts": dict(end.counts),
    }


def free_folder(runs: Path, name: str) -> Path:
    """A folder that does not exist yet: the name, or the name and a number."""
    folder, number = runs / name, 1
    while folder.exists():
        number += 1
        folder = runs / f"{name}-{number}"
    return folder
