"""The results' page says what the committed records say, and they hold nothing of the machine that made them."""

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from scenarios.files.load import load
from scenarios.record.reader import RunRecord
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


@pytest.mark.proves("from a service's last wrong answer to its first right one no record leaves more than 100 ms")
def test_the_gap_around_a_recovery_is_small() -> None:
    with results.unpacked() as folders:
        records = [RunRecord(folder) for folder in folders if (folder / "run.json").exists()]  # an ensemble has none
        played = [record for record in records if record.head["source"] != "simulation"]
        found = {record.head["scenario"]["scenario"]: gaps(record) for record in played}
    assert {name for name, ms in found.items() if ms} >= {"region-loss-automatic", "strategic-crash-loop"}
    assert all(width <= 100.0 for ms in found.values() for width in ms), found


def gaps(record: RunRecord) -> list[float]:
    """Also of records whose sender was late for a second (p99 above 25 ms), of which nothing is promised."""
    probes = record.table("probes").to_pandas()
    return results.wrong_to_right_ms(probes[probes["route"] == "dns"])


def test_a_record_of_another_topology_than_that_of_today_says_so() -> None:
    name = "region-loss-automatic"
    now = load(name, world="kind").topology_digest
    for digest, words in ((now, now[:10]), ("ab" * 32, f"ababababab, today's is {now[:10]}")):
        report: Any = SimpleNamespace(
            scenario={"scenario": name}, head={"topology_digest": digest, "scenario_digest": ""}
        )
        assert results._topology(report) == words


def test_there_are_records() -> None:
    assert PACKED
