"""Each kind that a cluster plays has its functions, and they take what a scenario can give."""

import inspect
from typing import get_args

import pytest

from experiments.faults import base
from experiments.faults.verbs import Lift, Verb, from_json
from experiments.testbed.system.plan import NEEDED
from scenarios.errors import UsageError
from scenarios.model.faults import FAULTS, FaultKind, Option

ON_CLUSTERS = [kind for kind in FAULTS.values() if "kind" in kind.worlds and kind.name != "none"]


@pytest.mark.parametrize("kind", ON_CLUSTERS, ids=lambda kind: kind.name)
def test_it_takes_target_and_options(kind: FaultKind) -> None:
    module = base.module_of(kind.name)
    wanted = [*kind.target, *(option.name for option in kind.options)]
    assert list(inspect.signature(module.plan).parameters) == wanted
    assert list(inspect.signature(module.inject).parameters) == ["fault", *wanted]
    assert module.__doc__.startswith(f"{kind.name}: ")


@pytest.mark.parametrize("kind", ON_CLUSTERS, ids=lambda kind: kind.name)
def test_its_defaults_are_those_of_the_list(kind: FaultKind) -> None:
    parameters = inspect.signature(base.module_of(kind.name).inject).parameters
    assert {o.name: o.default for o in kind.options} == {o.name: parameters[o.name].default for o in kind.options}


@pytest.mark.parametrize("kind", ON_CLUSTERS, ids=lambda kind: kind.name)
def test_it_is_lifted_when_the_list_says_so(kind: FaultKind) -> None:
    module = base.module_of(kind.name)
    assert hasattr(module, "lift") == kind.lifted
    for function in (module.landed, module.gone):
        assert list(inspect.signature(function).parameters) == ["fault"]


def test_whole_options_are_whole() -> None:
    for kind in ON_CLUSTERS:
        for option in kind.options:
            if isinstance(option, Option) and option.whole:
                assert option.default == int(option.default)


def test_a_lift_comes_back_as_it_was() -> None:
    lift = Lift("docker-connect", "node", {"network": "kind", "ip": "172.18.0.2"})
    assert from_json(lift.to_json()) == lift


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        "docker-unpause",
        {"verb": "docker-rm", "target": "node", "arguments": {}},
        {"verb": "docker-exec", "target": "node", "arguments": {}},
        {"verb": "docker-start", "target": "", "arguments": {}},
        {"verb": "docker-start", "target": "node", "arguments": {"force": True}},
    ],
)
def test_nothing_else_is_a_lift(wrong: object) -> None:
    with pytest.raises(UsageError):
        from_json(wrong)


def test_every_verb_says_what_it_needs() -> None:
    assert set(NEEDED) == set(get_args(Verb))
    for verb in get_args(Verb):
        assert Lift(verb, "target", dict.fromkeys(NEEDED[verb], "")).verb == verb
