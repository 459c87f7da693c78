"""The error that was published last, in words; a number only where the committed records gave one."""

import json

import pytest

from reports import published

OF = {"inside": 7, "of": 10, "median_error": 0.25}
KNOWN = {"all": {**OF, "of": 20}, "played": "2026-01-03", "scenarios": {"x": OF}, "topology_digests": ["abc"]}


@pytest.fixture
def publish(tmp_path, monkeypatch):
    def put(document):
        file = tmp_path / "error.json"
        file.write_text(json.dumps(document))
        monkeypatch.setattr(published, "FILE", file)

    return put


@pytest.mark.proves("each report on a simulation carries the last published error of the twin")
def test_of_all_scenarios_and_of_this_one(publish):
    publish(KNOWN)
    said = published.sentence("x", "abc")
    assert said.startswith("Last published error of the twin (real runs up to 2026-01-03): 7 of 20 measured values")
    assert said.endswith("; of this scenario 7 of 10 measured values inside what 90 % of the trials predicted, "
                         "median error 25 %.")  # fmt: skip
    assert published.sentence("y", "abc").endswith("; none of this scenario.")


def test_of_another_topology(publish):
    publish(KNOWN)
    assert "(of another topology than this one, real runs up to 2026-01-03)" in published.sentence("x", "abd")


def test_without_a_comparison_or_a_distance_there_is_no_number(publish):
    publish({**KNOWN, "scenarios": {}})
    assert published.sentence("x", "abc") == published.NOTHING
    publish({**KNOWN, "scenarios": {"x": {**OF, "median_error": None}}})
    assert published.sentence("x", "abc").endswith("of this scenario 7 of 10 measured values inside what 90 % of the "
                                                   "trials predicted.")  # fmt: skip


def test_the_package_has_it():
    assert json.loads(published.FILE.read_text(encoding="utf-8")).keys() == KNOWN.keys()
