"""A scenario names only worlds that can play what it holds."""

import re
from pathlib import Path

import pytest

from scenarios.errors import InvalidFileError, UsageError
from scenarios.files.load import load
from scenarios.model.faults import FAULTS
from scenarios.record.writer import MemoryRecorder
from sim.world import run
from tests.unit.scenarios.texts import SCENARIO, write

ONLY = {"twin": "slow-pod", "kind": "cpu-pressure"}
OTHER = {"twin": "kind", "kind": "twin"}


def scenario(folder: Path, fault: str, worlds: str, options: str = "") -> str:
    """Path of a scenario with one fault, for these worlds."""
    before, rest = SCENARIO.split("timeline:\n")
    response = rest.split("response:")[1]
    line = f"  - {{at: 2 min, fault: {fault}, target: {{region: here, service: desk}}, until: 3 min{options}}}\n"
    text = f"{before}timeline:\n{line}response:{response}"
    text = re.sub(r"worlds:.*", f"worlds: {worlds}", text, flags=re.DOTALL)
    write(folder)
    file = folder / "scenarios" / "mine.yaml"
    file.write_text(text + "\n", encoding="utf-8")
    return str(file)


@pytest.mark.proves("A scenario whose world cannot play its fault is refused when it is read")
@pytest.mark.parametrize("world", ONLY)
def test_a_fault_that_a_world_cannot_play_is_refused(world: str, tmp_path: Path) -> None:
    assert FAULTS[ONLY[world]].worlds == (world,)
    assert load(scenario(tmp_path, ONLY[world], f"{{{world}: {{}}}}"))
    with pytest.raises(InvalidFileError) as caught:
        load(scenario(tmp_path, ONLY[world], f"{{{world}: {{}}, {OTHER[world]}: {{}}}}"))
    problem = caught.value.problems[0]
    assert problem.where.endswith("(timeline.0.fault)")
    assert problem.found == f"{ONLY[world]}, which {OTHER[world]} cannot play"


def test_the_twin_refuses_what_only_a_cluster_plays(tmp_path: Path) -> None:
    resolved = load(scenario(tmp_path, "cpu-pressure", "{kind: {}}"), overrides={"workload.at most": "12 min"})
    with pytest.raises(UsageError, match="cpu-pressure"):
        run(resolved, 1, 0, MemoryRecorder(), fidelity="control")


def test_words_of_an_option(tmp_path: Path) -> None:
    found = load(scenario(tmp_path, "crash-loop", "{twin: {}}", ", with: {by: image, share: 50 %}"))
    assert found.scenario.timeline[0].options == {"by": "image", "share": 0.5}


@pytest.mark.parametrize(
    ("fault", "options", "place"),
    [("crash-loop", "by: stop", "by"), ("crash-loop", "share: image", "share"), ("crash-loop", "by: 2", "by")],
)
def test_wrong_words_are_refused(fault: str, options: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError) as caught:
        load(scenario(tmp_path, fault, "{twin: {}}", f", with: {{{options}}}"))
    assert caught.value.problems[0].where.endswith(f"(timeline.0.with.{place})")


@pytest.mark.parametrize("world", ["kind", "eks"])
def test_users_who_wait_for_answers_have_a_steady_pace(world: str, tmp_path: Path) -> None:
    path = scenario(tmp_path, "crash-loop", f"{{twin: {{}}, {world}: {{users: 20}}}}")
    assert getattr(load(path).scenario.worlds, world).users == 20
    Path(path).write_text(Path(path).read_text().replace("profile: steady", "profile: opening-burst"))
    with pytest.raises(InvalidFileError) as caught:
        load(path)
    problem = caught.value.problems[0]
    assert problem.where.endswith(f"(worlds.{world}.users)")
    assert problem.found == "users with the profile opening-burst"


def test_a_scenario_without_users_does_not_speak_of_them(tmp_path: Path) -> None:
    """Its digest stays what it was before there were any, so that records of it stay comparable."""
    without, with_users = (
        load(scenario(tmp_path, "crash-loop", f"{{kind: {{{text}}}}}")).document()["scenario"]["worlds"]["kind"]
        for text in ("", "users: 20")
    )
    assert "users" not in without
    assert with_users["users"] == 20
