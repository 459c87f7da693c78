"""Credentials reach nothing that is written."""

import base64
import json
import logging
from pathlib import Path

import pytest

from experiments.safety.secrets import REDACTED, Redactor, of_this_process
from scenarios.record.writer import RunWriter

# Planted: none of them is anybody's.
PASSWORD = "correct-horse-battery"
AWS_ID, AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLW9mLWEtdGVzdA"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIPlantedPlantedPlantedPlanted\n-----END EC PRIVATE KEY-----"
ENCODED = base64.b64encode(PEM.encode()).decode()

PLANTED = {
    "url": (f"postgresql://app:{PASSWORD}@postgres:5432/grandmodel", PASSWORD),
    "pair": (f"connect failed: password={PASSWORD} host=x", PASSWORD),
    "json": (json.dumps({"password": PASSWORD, "host": "x"}), PASSWORD),
    "yaml": (f"user:\n  token: {PASSWORD}\n", PASSWORD),
    "header": (f"Authorization: Bearer {JWT}", JWT),
    "token": (f"got {JWT} from it", JWT),
    "aws id": (f"as {AWS_ID}", AWS_ID),
    "aws key": (f"AWS_SECRET_ACCESS_KEY={AWS_KEY}", AWS_KEY),
    "aws ini": (f"aws_secret_access_key = {AWS_KEY}", AWS_KEY),
    "key": (f"found {PEM} in it", "MHcCAQEEIPlantedPlantedPlantedPlanted"),
    "kubeconfig": (f"client-key-data: {ENCODED}", ENCODED),
}


@pytest.mark.parametrize("case", PLANTED)
def test_looks_like_a_credential(case: str) -> None:
    text, credential = PLANTED[case]
    clean = Redactor().text(text)
    assert credential not in clean
    assert REDACTED in clean
    assert credential not in json.dumps(Redactor().value({"detail": [text]}))


@pytest.mark.parametrize(
    "text",
    [
        "docker-unpause gameday-us-east-1-worker: goes on",
        "http://127.0.0.1:30500/lease",
        "key=4611686018427387904 position=123 timeline us-east-1/1",
        "user prober, password",
        "patched /api/v1/namespaces/grandmodel/configmaps/grandmodel-config",
        "sha256:7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730",
    ],
)
def test_other_words_stay(text: str) -> None:
    assert Redactor().text(text) == text


def test_values_by_their_names() -> None:
    document = {"db_password": "short", "api_key": "x1", "key": 12, "tokens": 3, "nested": [{"secret": "abc"}]}
    assert Redactor().value(document) == {
        "db_password": REDACTED, "api_key": REDACTED, "key": 12, "tokens": 3, "nested": [{"secret": REDACTED}],
    }  # fmt: skip


def test_what_is_known_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Values without any look of a credential, because of where they are."""
    monkeypatch.setenv("BROKER_PASSWORD", "plain-words-here")
    monkeypatch.setenv("SHORT_TOKEN", "abc")
    (tmp_path / "kubeconfig").write_text(
        f"users:\n- user:\n    client-key-data: {ENCODED}\n    token: opaque-token-1\n"
    )
    redactor = of_this_process([tmp_path / "kubeconfig", tmp_path / "missing"])
    text = redactor.text(f"plain-words-here abc opaque-token-1 MHcCAQEEIPlantedPlantedPlantedPlanted {ENCODED}")
    assert text == f"{REDACTED} abc {REDACTED} {REDACTED} {REDACTED}"


@pytest.mark.proves("a planted credential reaches neither record nor journal nor log nor report")
def test_nothing_that_is_written_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", PASSWORD)
    redactor = of_this_process()
    with RunWriter(tmp_path / "record", {"run_id": "one"}) as writer:
        recorder = redactor.recorder(writer)
        recorder.mark(1, "left_behind", f"lift {PASSWORD}", what=[f"url https://u:{PASSWORD}@host", {"a": PASSWORD}])
    journal = tmp_path / "record" / "journal.json"
    journal.write_text(
        json.dumps({"secrets": {"k": PASSWORD}, "run": [{"output": f"said {PASSWORD}", "tolerance": 1}]})
    )
    assert redactor.file(journal)
    assert not redactor.file(journal)
    report = tmp_path / "record" / "report.html"
    report.write_text(f"<p>{PASSWORD}</p>")
    assert redactor.file(report)
    log = logging.getLogger("test.secrets")
    monkeypatch.setattr(log, "filters", [redactor.filter()])
    with caplog.at_level(logging.INFO, "test.secrets"):
        log.info("connected with %s", PASSWORD)
    assert PASSWORD not in caplog.text
    files = [path for path in (tmp_path / "record").rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert not [path.name for path in files if PASSWORD.encode() in path.read_bytes()]
    assert json.loads(journal.read_text())["run"][0]["tolerance"] == 1
