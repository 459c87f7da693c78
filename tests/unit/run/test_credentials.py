"""A credential that is planted everywhere reaches nothing that a game day writes."""

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.observe.readback import ReadBack
from experiments.safety.secrets import REDACTED
from gameday.cli.report import renderer
from gameday.judging import load_report, present
from reports.formats.terminal import show
from scenarios.record.reader import RunRecord
from scenarios.record.tables import TABLES
from tests.unit.compile.test_execute import activity, experiment
from tests.unit.run.stage import Play

# Planted: none of them is anybody's, and none looks like a credential. They are known by where they are.
PASSWORD, TOKEN = "correct-horse-battery", "opaque-word-of-a-kubeconfig"
LEAKS = """
import logging, os, sys
def leak():
    word = os.environ["BROKER_PASSWORD"]
    print("printed", word)
    print("told", word, file=sys.stderr)
    logging.getLogger("somebody").warning("logged %s", word)
    from pathlib import Path
    Path(os.environ["LEAKED"]).touch()
    raise OSError(f"cannot connect as {word}")
"""
PROBES = """
import json, os, sys, time
from select import select
word, token = os.environ["BROKER_PASSWORD"], os.environ["PLANTED"]
def send(**message):
    print(json.dumps(message), flush=True)
def mark(kind, subject, **detail):
    send(mark={"t_us": 1, "kind": kind, "subject": subject, "detail": detail, "source_t_us": None})
sys.stdin.readline()
mark("observer_gap", "probers", what=f"{word} of {token}", from_us=0, to_us=1)
mark("database_failed", f"{word}/database")
print("observer:", token, file=sys.stderr, flush=True)
print("-----BEGIN PRIVATE KEY-----\\nMIIPlantedPlantedPlanted\\n-----END PRIVATE KEY-----", file=sys.stderr, flush=True)
number = 0
while not select([sys.stdin], [], [], 0.2)[0]:
    number += 1
    for service in ("strategic", "database"):
        row = dict(intended_us=number * 200_000, sent_us=number * 200_000, done_us=number * 200_000 + 10, client="one",
                   route="dns", service=service, address="us-east-1", region="us-east-1", pod=word,
                   timeline=f"us-east-1/{token}", as_of_us=None, status="2xx", right="yes")
        send(table="probes", columns={name: [value] for name, value in row.items()})
    send(table="samples", columns=dict(t_us=[1], subject=[f"{word}/risk"], name=["replicas_ready"], value=[1.0]))
"""


def read(_: Any, __: Any, recorder: Any, ___: Any) -> ReadBack:
    """One order that only a timeline of a bad name holds."""
    row = {"data_class": "transactions", "key": [7], "copies": [1], "position": [3], "read_us": [4]}
    recorder.append("readback", {**row, "timeline": f"us-east-1/{PASSWORD}"})
    return ReadBack("us-west-2/2", (f"us-east-1/{PASSWORD}", "us-west-2/2"), ())


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> tuple[Path, str]:
    """Folder of a game day that was played, judged and reported in each format, and what it printed."""
    monkeypatch.setenv("BROKER_PASSWORD", PASSWORD)
    monkeypatch.setenv("PLANTED", TOKEN)
    monkeypatch.setenv("LEAKED", str(tmp_path / "leaked"))
    (tmp_path / "a_leak.py").write_text(LEAKS)
    document = experiment(tmp_path, method=(activity("leaks", "a_leak", "leak"), activity(
        "hold", "experiments.operate.watching", "until_over", at_s=600.0)))  # fmt: skip
    document["configuration"] = {"user": PASSWORD}
    played = Play(
        tmp_path, monkeypatch, document, {"probers": PROBES}, read=read, token=TOKEN,
        lost=lambda: f"the reverter said {PASSWORD}" if (tmp_path / "leaked").exists() else "",
        failed=f"refused for {PASSWORD} and {TOKEN}",
    ).play()  # fmt: skip
    assert played.stopped == f"the reverter said {REDACTED}"
    present(played.folder, as_json=False)
    report = load_report(played.folder)
    for name in ("html", "md", "junit", "json"):
        (played.folder / f"report.{name}").write_text(renderer(name)(report))
    show(report)
    printed = capfd.readouterr()
    return played.folder, printed.out + printed.err


@pytest.mark.proves("a planted credential reaches neither record nor journal nor log nor report")
def test_nothing_that_is_written_holds_it(planted: tuple[Path, str], tmp_path: Path) -> None:
    folder, printed = planted
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"run.json", "marks.jsonl", "journal.json", "verdicts.json", "reconciliation.csv", "report.md"} <= names
    files.append(tmp_path / "state" / "gameday" / "faults.jsonl")
    for word in (PASSWORD, TOKEN):
        assert [path.name for path in files if word.encode() in path.read_bytes()] == []
        record = RunRecord(folder)
        assert [name for name in TABLES if word in str(record.table(name).to_pylist())] == []
        assert word not in printed
    assert "PlantedPlanted" not in printed


def test_what_was_planted_got_there_and_was_replaced(planted: tuple[Path, str], tmp_path: Path) -> None:
    """Else the test above would show nothing."""
    folder, printed = planted
    record = RunRecord(folder)
    assert set(record.table("probes")["pod"].to_pylist()) == {REDACTED}
    assert set(record.table("samples")["subject"].to_pylist()) == {f"{REDACTED}/risk"}
    assert record.head["why"] == f"the reverter said {REDACTED}"
    assert f"us-east-1/{REDACTED}" in (folder / "reconciliation.csv").read_text()
    assert f"refused for {REDACTED} and {REDACTED}" in (tmp_path / "state" / "gameday" / "faults.jsonl").read_text()
    assert f"cannot connect as {REDACTED}" in json.dumps(json.loads((folder / "journal.json").read_text()))
    for words in ("printed", "told", "logged", "observer:", "cannot connect as"):
        assert f"{words} {REDACTED}" in printed
