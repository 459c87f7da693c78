"""Credentials reach nothing that is written."""

import base64
import json
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from experiments.safety.secrets import REDACTED, Redactor, of_this_process
from scenarios.record.writer import MemoryRecorder

# Planted: none of them is anybody's.
PASSWORD = "correct-horse-battery"
AWS_ID, AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AWS_SIGNATURE = "0123456789abcdef" * 4
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLW9mLWEtdGVzdA"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIPlantedPlantedPlantedPlanted\n-----END EC PRIVATE KEY-----"
ENCODED = base64.b64encode(PEM.encode()).decode()

PLANTED = {
    "url": (f"postgresql://app:{PASSWORD}@postgres:5432/grandmodel", PASSWORD),
    "url without a user": (f"Error -3 connecting to redis://:{PASSWORD}@redis:6379/0.", PASSWORD),
    "url with a slash": (f"postgresql://app:a/{PASSWORD}@postgres:5432/grandmodel", PASSWORD),
    "url with an at": (f"postgresql://app:a@{PASSWORD}@postgres:5432/grandmodel", PASSWORD),
    "argument": (f"exit code 1 of kubectl --password {PASSWORD} get pods", PASSWORD),
    "signed url": (f"/?Action=GetCallerIdentity&X-Amz-Signature={AWS_SIGNATURE}", AWS_SIGNATURE),
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
        "http://127.0.0.1:30500/orders?mail=somebody@example.com",
        "docker.io/kindest/node:v1.33.1@sha256:050072256b9a903bd914c0b2866828150cb229cea0efe5892e2b644d5dd3b34f",
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
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:words-of-a-database@postgres:5432/grandmodel")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "credentials").write_text(
        f"[default]\naws_access_key_id = {AWS_ID}\naws_secret_access_key = {AWS_KEY}\n"
    )
    (tmp_path / "kubeconfig").write_text(
        f"users:\n- user:\n    client-key-data: {ENCODED}\n    token: opaque-token-1\n"
    )
    redactor = of_this_process([tmp_path / "kubeconfig", tmp_path / "missing"])
    text = redactor.text(f"plain-words-here abc opaque-token-1 MHcCAQEEIPlantedPlantedPlantedPlanted {ENCODED}")
    assert text == f"{REDACTED} abc {REDACTED} {REDACTED} {REDACTED}"
    assert redactor.text(f"it said words-of-a-database, then {AWS_KEY}") == f"it said {REDACTED}, then {REDACTED}"


def test_what_others_print_and_log(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", PASSWORD)
    redactor, put = of_this_process(), list[str]()
    take = redactor.printer(put.append)
    for line in (f"before {PASSWORD}\n", *PEM.splitlines(keepends=True), " after\n"):
        take(line)
    assert put == [f"before {REDACTED}\n", REDACTED, " after\n"]
    log = logging.getLogger("test.secrets")
    monkeypatch.setattr(log, "propagate", False)  # so that the last resort prints it, as in a process of ours
    with redactor.logging():
        try:
            raise OSError(PASSWORD)
        except OSError:
            log.exception("connected with %s", PASSWORD)
    printed = capsys.readouterr().err
    assert f"connected with {REDACTED}" in printed
    assert f"OSError: {REDACTED}" in printed
    assert PASSWORD not in printed


def test_rows_keep_what_is_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", PASSWORD)
    memory = MemoryRecorder()
    recorder = of_this_process().recorder(memory)
    names = pa.array(["us-east-1", PASSWORD, None]).dictionary_encode()
    rows = {"t_us": np.arange(3), "subject": names, "name": "replicas_ready", "value": [1.0, 2.0, 3.0]}
    recorder.append("samples", rows)
    recorder.append("samples", {**rows, "subject": ["us-west-2", f"at {PASSWORD}", "us-west-2"]})
    table = memory.table("samples")
    assert table["subject"].to_pylist() == ["us-east-1", REDACTED, None, "us-west-2", f"at {REDACTED}", "us-west-2"]
    assert table["t_us"].to_pylist() == [0, 1, 2] * 2
