"""`gameday report`: which files are written, where, and what is opened."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gameday.cli import main
from gameday.cli.report import FILES, parse
from gameday.judging import present
from scenarios.errors import UsageError
from tests.records import Run
from tests.unit.cli.on_disk import put, put_ensemble


@pytest.fixture
def missed(place: Path) -> Path:
    """A record that missed an objective."""
    return put(place / "runs" / "missed", Run().recovers("risk", 600))


def test_all_formats(missed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {f.name for f in missed.iterdir()}
    assert main.run(["report", "missed", "--format", "terminal,html,md,junit,json"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-4:] == [str(Path("runs", "missed", name)) for name in FILES.values()]
    assert "FAIL" in out.splitlines()[0]
    assert {f.name for f in missed.iterdir()} - before == set(FILES.values())
    assert "<html" in (missed / "report.html").read_text()
    assert (missed / "report.md").read_text().startswith("#")
    assert json.loads((missed / "report.json").read_text())["result"] == "FAIL"
    assert len(ElementTree.parse(missed / "junit.xml").getroot().findall(".//failure")) == 1


def test_a_page_by_default_and_a_folder_of_choice(missed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["report", "-o", "deep/er"]) == 0
    assert [f.name for f in Path("deep/er").iterdir()] == ["report.html"]
    out, err = capsys.readouterr()
    assert out == "deep/er/report.html\n"
    assert err.splitlines()[-1] == "next: gameday report missed --open"
    assert not (missed / "report.html").exists()


@pytest.mark.parametrize("formats", ["terminal", "html", "html,md"])
def test_open(missed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], formats: str) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    assert main.run(["report", "--format", formats, "--open"]) == 0
    assert opened == [(missed / "report.html").as_uri()]
    assert (missed / "report.html").exists()
    capsys.readouterr()


def test_open_without_a_browser(
    missed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    assert main.run(["report", "--open"]) == 0
    assert "no browser was found" in capsys.readouterr().err


def test_formats_asked_for() -> None:
    assert parse("html, md,html") == ["html", "md"]
    for wrong, found in (("pdf", "`pdf`"), ("html,Pdf", "`Pdf`"), ("", "nothing"), (",", "nothing")):
        with pytest.raises(UsageError, match=f"found {found}; expected some of terminal, html, md, junit, json"):
            parse(wrong)


def test_a_folder_that_takes_nothing(missed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert main.run(["report", "-o", "file"]) == 2
    err = capsys.readouterr().err
    assert "file exists" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("many", [False, True])
def test_what_simulate_shows(place: Path, capsys: pytest.CaptureFixture[str], many: bool) -> None:
    folder = place / "runs" / "it"
    if many:
        put_ensemble(folder, Run(), ["PASS"] * 60)
    else:
        put(folder, Run())
    assert present(folder, as_json=False) == 0
    out, err = capsys.readouterr()
    assert out.startswith("✓ PASS, 24 of 25 judged, SIMULATION")
    assert f"report: {folder / 'report.html'}" in err
    assert (folder / "verdicts.json").exists()
    assert (folder / "report.html").exists()
