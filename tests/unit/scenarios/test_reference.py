"""The pages of docs/reference are what the code and the library say."""

import re

import pytest

from scenarios.files.reference.pages import published
from tests.conftest import ROOT

PAGES = published()
FOLDER = ROOT / "docs" / "reference"


@pytest.mark.proves("the reference pages and schemas are those of the code and the library")
@pytest.mark.parametrize("name", PAGES)
def test_page_is_as_generated(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name], "run `make docs`"


@pytest.mark.parametrize("name", [name for name in PAGES if name.endswith(".md")])
def test_page_is_sound(name: str) -> None:
    page = PAGES[name]
    headings = {re.sub(r"[^a-z0-9 _-]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.+)$", page, re.M)}
    for link in re.findall(r"\]\(([^)]+)\)", page):
        target, _, anchor = link.partition("#")
        assert not target or (FOLDER / target).exists(), link
        assert not anchor or anchor in headings, link
    for table in re.findall(r"(?:^\|.*\n)+", page, re.M):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table[:200]


def test_pages_name_everything() -> None:
    assert "people.acknowledge" in PAGES["parameters.md"]
    assert "switches.fencing" in PAGES["parameters.md"]
    assert "services.risk.replicas" in PAGES["parameters.md"]
    assert all(f"`{o}`" in PAGES["objectives.md"] for o in ("rto.risk", "rpo.logs", "rule.single_writer"))
    assert "`region-loss`" in PAGES["faults.md"]
    assert "`switch_dns`" in PAGES["procedures.md"]
    assert "`alert_firing`" in PAGES["scenarios.md"]
    assert "`replica_region`" in PAGES["topology.md"]
