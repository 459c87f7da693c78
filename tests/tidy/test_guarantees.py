"""docs/guarantees.md says what the tests prove."""

from tests.tidy.guarantees import PAGE, page


def test_page_is_that_of_the_tests() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"
