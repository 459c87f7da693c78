"""Each format, letter by letter. Plots are replaced by their names: fonts differ by a hair between machines."""

import json as as_json
import re

import pytest

from reports.formats import html, json, junit, markdown, terminal
from tests.golden import sample

REPORTS = {"one": sample.report(), "many": sample.report(many=True)}


@pytest.fixture(autouse=True)
def published(monkeypatch, tmp_path):
    """Stand in for the published error: it changes with every game day that is published."""
    of = {"inside": 7, "of": 10, "median_error": 0.25}
    file = tmp_path / "published_error.json"
    text = {"all": of, "played": "2026-01-03", "scenarios": {"region-loss-automatic": of}, "topology_digests": []}
    file.write_text(as_json.dumps(text))
    monkeypatch.setattr("reports.published.FILE", file)


@pytest.fixture(params=REPORTS)
def report(request):
    return REPORTS[request.param]


@pytest.mark.parametrize("width", [80, 130])
def test_terminal(report, width, snapshot):
    assert terminal.render(report, width=width) == snapshot


def test_terminal_ascii(report, snapshot):
    assert terminal.render(report, unicode=False) == snapshot


def test_terminal_colour(report, snapshot):
    assert terminal.render(report, colour=True) == snapshot


def test_html(report, snapshot):
    page = re.sub(r"<style>.*?</style>", "<style></style>", html.render(report), flags=re.DOTALL)
    page = re.sub(r'<svg class="plot".*?<title id="([^"]+)-title">.*?</svg>', r"<svg>\1</svg>", page, flags=re.DOTALL)
    assert page == snapshot


def test_markdown(report, snapshot):
    assert markdown.render(report) == snapshot


def test_json(report, snapshot):
    text = json.render(report)
    assert re.sub(r'"values": \[.*?\]', '"values": []', text, flags=re.DOTALL) == snapshot


def test_junit(report, snapshot):
    assert junit.render(report) == snapshot
