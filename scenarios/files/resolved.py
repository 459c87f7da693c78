"""A scenario with everything it names: what a world plays and what a record keeps."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from scenarios.model.objective import Objective
from scenarios.model.parameters import Parameters
from scenarios.model.procedure import Procedure
from scenarios.model.scenario import Scenario
from scenarios.model.topology import Topology


def digest(document: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no white space)."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Asked:
    """How a scenario was asked for: its name or path, the world that it is played as, and what was changed in it."""

    name: str
    world: str = "twin"
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolved:
    """One scenario, its topology, parameters, procedures and objectives, with overrides applied."""

    scenario: Scenario
    topology: Topology
    parameters: Parameters
    procedures: dict[str, Procedure]
    objectives: tuple[Objective, ...]
    asked: Asked

    @cached_property
    def scenario_digest(self) -> str:
        """Digest of what is played: scenario, procedures and objectives."""
        document = self.document(digests=False)
        return digest([document["scenario"], document["procedures"], document["objectives"]])

    @cached_property
    def topology_digest(self) -> str:
        """Digest of what it is played on: topology and parameters."""
        document = self.document(digests=False)
        return digest([document["topology"], document["parameters"]])

    def document(self, *, digests: bool = True) -> dict[str, Any]:
        """Return JSON values for run.json; quantities are plain numbers under names with units."""
        result: dict[str, Any] = {
            "scenario": self.scenario.model_dump(mode="json"),
            "topology": self.topology.model_dump(mode="json"),
            "parameters": self.parameters.describe(),
            "procedures": {n: p.model_dump(mode="json") for n, p in self.procedures.items()},
            "objectives": [o.model_dump(mode="json") for o in self.objectives],
        }
        if digests:
            result |= {"scenario_digest": self.scenario_digest, "topology_digest": self.topology_digest}
        return result
