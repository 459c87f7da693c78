"""Experiments, letter by letter."""

import json

import pytest

from experiments.compile.compiler import compile_scenario
from scenarios.files.load import load


@pytest.mark.parametrize("name", ["pod-kill-strategic", "region-loss-automatic", "region-loss-manual"])
def test_experiment(name, snapshot):
    experiment = compile_scenario(load(name, world="kind"))
    del experiment["extensions"]  # digests, which change with every default
    assert json.dumps(experiment, indent=1, sort_keys=True) == snapshot
