"""Whoever watches, decides and acts learns through scrapes, probes and APIs, never from the true state."""

import ast
from pathlib import Path

import pytest

CONTROL = Path(__file__).parent.parent.parent / "sim" / "control"
OBSERVERS = (
    "alertmanager", "apis", "automation", "incident", "monitoring", "pages", "people", "procedures", "prometheus",
    "steps",
)  # fmt: skip
MAY_KNOW = {*OBSERVERS, "context", "roles", "clock_time", "waiting", "draws", "series"}
DATABASE_API = {
    "fence", "promote", "reseed", "catch_up", "observed_lag_s", "restore_snapshot", "restore_point_in_time",
}  # fmt: skip
CLUSTER_API = {
    "deploy", "patch_config", "ready", "restart", "rollout_undo", "scale", "set_image", "wait_ready", "region",
}  # fmt: skip
OBSERVED = {"scrape", "watch"}


def tree(module: str) -> ast.Module:
    return ast.parse((CONTROL / f"{module}.py").read_text(encoding="utf-8"))


def imported(module: str) -> set[str]:
    """Modules of sim.control that a module imports, wherever the statement stands."""
    found: set[str] = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            if node.module == "sim.control":
                found |= {alias.name for alias in node.names}
            elif node.module.startswith("sim.control."):
                found.add(node.module.removeprefix("sim.control.").partition(".")[0])
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("sim.control.") for a in node.names if a.name.startswith("sim.control")}
    return found


def reachable(module: str) -> set[str]:
    """Modules of sim.control that come with a module."""
    seen: set[str] = set()
    ahead = [module]
    while ahead:
        for name in imported(ahead.pop()) - seen:
            seen.add(name)
            ahead.append(name)
    return seen


@pytest.mark.proves("Alerts, automation, people and procedures cannot import the true state of the system")
@pytest.mark.parametrize("module", OBSERVERS)
def test_an_observer_comes_with_no_module_of_the_true_state(module: str) -> None:
    assert reachable(module) <= MAY_KNOW


@pytest.mark.parametrize("module", OBSERVERS)
def test_an_observer_asks_apis_and_probes_only(module: str) -> None:
    """Through the context it reaches no data plane, and of databases and clusters only what their APIs offer."""
    for node in ast.walk(tree(module)):
        if not isinstance(node, ast.Attribute):
            continue
        assert node.attr not in ("plane", "page_targets"), f"{module}:{node.lineno} looks into the data plane"
        owner = node.value
        if isinstance(owner, ast.Subscript):
            owner = owner.value
        if isinstance(owner, ast.Attribute):
            allowed = {"database": DATABASE_API, "clusters": CLUSTER_API, "observed": OBSERVED}.get(owner.attr)
            on_context = "context" in ast.unparse(owner.value)
            assert not on_context or allowed is None or node.attr in allowed, f"{module}:{node.lineno} {node.attr}"


def test_every_module_that_watches_or_acts_is_listed() -> None:
    """A module that imports an observer is one itself, or puts the parts together."""
    together = {"operations"}
    for path in CONTROL.glob("*.py"):
        if path.stem not in {*OBSERVERS, *together}:
            assert not imported(path.stem) & set(OBSERVERS), path.stem


def test_the_check_sees_an_import_of_the_true_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in CONTROL.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    with (tmp_path / "clock_time.py").open("a", encoding="utf-8") as file:
        file.write("def peep() -> None:\n    from sim.control import pods\n")
    monkeypatch.setattr(f"{__name__}.CONTROL", tmp_path)
    assert "pods" in reachable("people")
