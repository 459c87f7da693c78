"""A scenario becomes an ordinary Chaos Toolkit experiment."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaoslib.experiment import ensure_experiment_is_valid

from experiments.compile.compiler import compile_scenario
from experiments.compile.people import median_s
from scenarios.errors import UsageError
from scenarios.files.catalogue import scenarios
from scenarios.files.library import LIBRARY
from scenarios.files.load import load
from scenarios.model.faults import FAULTS
from scenarios.model.parameters import Parameter, Parameters

ON_KIND = [s.name for s in scenarios() if s.path.is_relative_to(LIBRARY) and "kind" in s.worlds]


def compiled(text: str, folder: Path) -> dict[str, Any]:
    """The experiment of a scenario with this timeline and response."""
    file = folder / "scenarios" / "mine.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        "scenario: mine\ntitle: Mine\nrunbook: []\ntopology: testbed\n"
        "workload: {rate: 50/s, at most: 10 min}\nworlds:\n  kind: {}\n" + text,
        encoding="utf-8",
    )
    return compile_scenario(load(str(file), world="kind"))


def activities(experiment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from experiment["steady-state-hypothesis"]["probes"]
    yield from experiment["method"]
    yield from experiment["rollbacks"]


def called(experiment: dict[str, Any], part: str = "method") -> list[str]:
    """Functions that a part calls, in order, with the fault or step that they are about."""
    found = []
    for activity in experiment[part]:
        about = activity["provider"]["arguments"]
        subject = about.get("step") or about.get("fault") or about.get("at_s") or ""
        found.append(f"{activity['provider']['func']} {subject}".strip())
    return found


@pytest.mark.parametrize("name", ON_KIND)
@pytest.mark.proves("Each scenario for the testbed is an experiment that chaoslib accepts")
def test_chaoslib_accepts_it(name: str) -> None:
    experiment = compile_scenario(load(name, world="kind"))
    ensure_experiment_is_valid(experiment)
    assert json.loads(json.dumps(experiment)) == experiment


@pytest.mark.parametrize("name", ON_KIND)
def test_it_is_lifted_whatever_happens(name: str) -> None:
    resolved = load(name, world="kind")
    experiment = compile_scenario(resolved)
    assert experiment["runtime"]["rollbacks"]["strategy"] == "always"
    lifted = [c.partition(" ")[2] for c in called(experiment, "rollbacks") if c.startswith("lift ")]
    expected = [
        f"{e.fault}:{n}" for n, e in enumerate(resolved.scenario.timeline) if e.fault and FAULTS[e.fault].lifted
    ]
    assert sorted(lifted) == sorted(expected)
    assert called(experiment, "rollbacks")[-1] == "put_back"
    functions = [activity["provider"]["func"] for activity in experiment["rollbacks"]]
    assert functions == sorted(functions, key=["take_back", "lift", "until_gone", "put_back"].index), "no look before"


def test_looks_answer_true_and_nothing_is_a_range() -> None:
    for name in ON_KIND:
        experiment = compile_scenario(load(name, world="kind"))
        assert [p["tolerance"] for p in experiment["steady-state-hypothesis"]["probes"]] == [True] * 4


def test_nothing_needs_a_shell_or_the_current_context() -> None:
    for name in ON_KIND:
        for activity in activities(compile_scenario(load(name, world="kind"))):
            assert activity["provider"]["type"] == "python"
            assert activity["provider"]["module"].startswith("experiments.")
            assert "secrets" not in activity["provider"]


def test_the_command_line_of_chaos_toolkit_accepts_it(tmp_path: Path) -> None:
    file = tmp_path / "experiment.json"
    file.write_text(json.dumps(compile_scenario(load("region-loss-manual", world="kind"))), encoding="utf-8")
    command = [Path(sys.executable).parent / "chaos", "--log-file", tmp_path / "log", "validate", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=LIBRARY.parent.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_faults_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    experiment = compiled(
        "timeline:\n"
        "  - {at: 3 min, fault: redis-loss, target: {region: us-east-1}, until: 1 min}\n"
        "  - {at: 1 min, fault: dns-api-down, until: 150 s}\n",
        tmp_path,
    )
    assert called(experiment) == [
        "start", "prepare",
        "wait_until 60.0", "inject dns-api-down:1", "until_landed dns-api-down:1",
        "wait_until 180.0", "inject redis-loss:0", "until_landed redis-loss:0",
        "wait_until 210.0", "lift_at dns-api-down:1",
        "wait_until 240.0", "lift_at redis-loss:0",
        "until_good",
    ]  # fmt: skip
    assert called(experiment, "rollbacks")[:4] == [
        "lift dns-api-down:1", "lift redis-loss:0", "until_gone dns-api-down:1", "until_gone redis-loss:0",
    ]  # fmt: skip


def test_what_waits_for_a_fact_is_played_beside_the_rest(tmp_path: Path) -> None:
    experiment = compiled(
        "timeline:\n"
        "  - {at: 1 min, fault: region-loss, target: {region: us-east-1}, with: {by: cut}, until: end}\n"
        "  - {when: {mark: promoted, subject: us-west-2, after: 5 s}, fault: pod-kill,"
        " target: {region: us-west-2, service: risk}, with: {count: 2}}\n",
        tmp_path,
    )
    beside = next(a for a in experiment["method"] if a["provider"]["func"] == "play")
    assert beside["background"] is True
    told = beside["provider"]["arguments"]
    assert told["when"] == {"mark": "promoted", "subject": "us-west-2"}
    assert (told["after_s"], told["arguments"]["count"]) == (5.0, 2)
    injected = next(a for a in experiment["method"] if a["provider"]["func"] == "inject")
    assert injected["provider"]["arguments"] == {"fault": "region-loss:0", "region": "us-east-1", "by": "cut"}


def test_people_answer_a_page_and_carry_out_each_step() -> None:
    calls = called(compile_scenario(load("region-loss-manual", world="kind")))
    assert calls[calls.index("answer_page") :] == [
        "answer_page", "decide", "begin", "step assess", "step promote", "step dns", "step deploy", "step ready",
        "step verify", "end", "until_good",
    ]  # fmt: skip


def test_the_automation_acts_unless_it_is_lost_with_its_region() -> None:
    works = {}
    for name in ("region-loss-automatic", "region-loss-manual"):
        method = compile_scenario(load(name, world="kind"))["method"]
        works[name] = next(a for a in method if a["provider"]["func"] == "prepare")["provider"]["arguments"][
            "automation"
        ]
    assert works["region-loss-automatic"] == {"region": "us-west-2", "works": True}
    assert works["region-loss-manual"] == {"region": "us-west-2", "works": False}


def test_a_change_is_carried_out_at_its_time_without_a_page() -> None:
    calls = called(compile_scenario(load("failback-after-region-loss", world="kind")))
    assert "answer_page" not in calls
    assert calls[calls.index("wait_until 420.0") + 1 :][:3] == ["begin", "step reseed", "step look"]
    assert calls.index("lift_at region-loss:0") < calls.index("begin")


def test_sizes_of_the_scenario_are_asked_for() -> None:
    method = compile_scenario(load("risk-node-loss-1-replica", world="kind"))["method"]
    prepared = next(a for a in method if a["provider"]["func"] == "prepare")["provider"]["arguments"]
    assert prepared["plan"]["risk"] == 1


def test_what_a_cluster_cannot_do_is_refused() -> None:
    resolved = load("drop-table-restore")
    with pytest.raises(UsageError) as caught:
        compile_scenario(resolved)
    problem = caught.value.problems[0]
    assert "restore_snapshot" in problem.found
    assert problem.remedy


def test_a_fault_of_the_twin_is_refused() -> None:
    with pytest.raises(UsageError, match="var-shock"):
        compile_scenario(load("risk-limit-breach"))


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [("constant", (3e6,), 3.0), ("lognormal", (2e6, 0.5), 2.0), ("uniform", (1e6, 4e6), 2.5)],
)
def test_scripted_people_take_medians(kind: Any, values: tuple[float, ...], expected: float) -> None:
    assert median_s(Parameters({"x": Parameter("x", kind, values, "us", "J", "")}), "x") == expected
