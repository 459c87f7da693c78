"""The results' page says what the committed records say, and they hold nothing of the machine that made them."""

import json
import re

import pytest

from tests.tidy import results

PACKED = sorted(results.RUNS.glob("*.tar.gz"))
FOLDERS = "|".join(f"/{name}/" for name in ("root", "home", "tmp", "work"))
PRIVATE = re.compile(f"{FOLDERS}|password|BEGIN [A-Z ]*PRIVATE KEY|client-key-data".encode())


@pytest.mark.proves("the published results, and the error that reports carry, are what the committed records say")
def test_pages_are_what_the_records_say() -> None:
    for file, text in results.made().items():
        assert file.read_text(encoding="utf-8") == text, f"{file.name}: run `make docs`"


@pytest.mark.parametrize("packed", PACKED, ids=lambda p: p.name)
def test_records_are_small_and_private(packed) -> None:
    assert packed.stat().st_size <= results.MOST_BYTES
    with results.unpacked() as folders:
        [folder] = [f for f in folders if packed.name.startswith(f"{f.name}.tar")]
        for file in folder.iterdir():
            found = PRIVATE.search(file.read_bytes())
            assert found is None, f"{file.name}: {found}"
        journal = folder / "journal.json"
        named = json.loads(journal.read_text(encoding="utf-8")) if journal.exists() else {}
        assert not {"node", "platform"} & set(named), "the journal names the machine"


def test_there_are_records() -> None:
    assert PACKED
