"""docs/guarantees.md says what the tests prove, and which of them nobody runs but a person."""

import pytest

from tests.tidy.guarantees import PAGE, ROOT, of_make_test_cluster, page, runs_by_itself


def test_page_is_that_of_the_tests() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize(
    ("file", "test", "alone"),
    [
        ("tests/unit/test_a.py", "test_b", True),
        ("tests/kill/test_a.py", "test_b", False),
        ("tests/cluster/test_whole.py", "test_b", True),
        ("tests/cluster/test_one.py", "test_it", True),
        ("tests/cluster/test_one.py", "test_other", False),
        ("tests/cluster/test_none.py", "test_it", False),
    ],
)
def test_what_make_leaves_out_is_by_hand(file: str, test: str, alone: bool) -> None:
    makefile = (
        "CLUSTER := tests/cluster/test_whole.py \\\n\ttests/cluster/test_one.py::test_it\nC := tests/kill/test_a.py\n"
    )
    cluster = of_make_test_cluster(makefile)
    assert runs_by_itself(file, test, cluster) is alone


def test_what_make_test_cluster_names_is_there() -> None:
    for name in of_make_test_cluster((ROOT / "Makefile").read_text(encoding="utf-8")):
        file, _, test = name.partition("::")
        assert f"def {test}" in (ROOT / file).read_text(encoding="utf-8")
