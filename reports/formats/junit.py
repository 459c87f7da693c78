"""The verdicts as JUnit XML (xunit2): a case an objective, so that a CI server lists them as tests.

FAIL is a failure; INCONCLUSIVE is an error (the check did not come to an end); an objective that was not judged or not
exercised is skipped, with its reason.
"""

from io import BytesIO

from junitparser import Error, Failure, Skipped
from junitparser.xunit2 import JUnitXml, TestCase, TestSuite

from reports.environment import command
from reports.model import Report
from reports.sentences import missed_lines
from reports.view import Row, view
from reports.words import plain


def render(report: Report) -> str:
    """Return the XML."""
    seen = view(report)
    suite = TestSuite(plain(report.scenario.get("scenario") or report.title))  # type: ignore[no-untyped-call]  # untyped
    properties = [("headline", seen.headline), ("title", report.title), *seen.facts, ("command", command(report))]
    for name, value in properties:
        suite.add_property(plain(name), plain(value))
    for row in seen.rows:
        suite.add_testcase(_case(row, suite.name))
    suite.time = 0
    root = JUnitXml(plain(seen.headline))
    root.add_testsuite(suite)
    _count(root, suite, [r.word for r in seen.rows])
    file = BytesIO()
    root.write(file, pretty=True)
    return file.getvalue().decode("utf-8")


def _case(row: Row, suite: str) -> TestCase:
    case = TestCase(plain(row.name), classname=f"{suite}.{row.group}", time=0)
    reason = plain(row.reason)
    if row.word == "FAIL":
        case.result = [_result(Failure, " ".join(missed_lines(row)) or reason, "FAIL", row)]
    elif row.word == "INCONCLUSIVE":
        case.result = [_result(Error, reason, "INCONCLUSIVE", row)]
    elif row.word != "PASS":
        case.result = [_result(Skipped, reason or "no reason was given", row.word, row)]
    else:
        case.system_out = plain(_words(row))
    return case


def _result(kind: type[Failure | Error | Skipped], message: str, word: str, row: Row) -> Failure | Error | Skipped:
    made = kind(plain(message), word)
    made.text = plain(_words(row))
    return made


def _words(row: Row) -> str:
    """Return what is known of the objective, a line each."""
    lines = [
        f"{row.title}: {row.promise}, measured {' '.join(p for p in (row.measured, row.bounds) if p)}",
        row.gap,
        row.trials,
        row.spread,
        row.stage,
        row.single.method and f"measured by: {row.single.method}, {row.single.samples:,} samples",
        *(f"evidence: {e.table}, {e.where}" for e in row.single.evidence),
    ]
    return "\n".join(line for line in lines if line)


def _count(root: JUnitXml, suite: TestSuite, words: list[str]) -> None:
    """Set the totals; the schema allows `skipped` on a suite only."""
    failures, errors = words.count("FAIL"), words.count("INCONCLUSIVE")
    skipped = len(words) - failures - errors - words.count("PASS")
    suite.tests, suite.failures, suite.errors, suite.skipped = len(words), failures, errors, skipped
    root.tests, root.failures, root.errors, root.time = len(words), failures, errors, 0
    if "skipped" in root._elem.attrib:
        del root._elem.attrib["skipped"]
