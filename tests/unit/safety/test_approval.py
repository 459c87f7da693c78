"""Approvals, with the real ssh-keygen."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from experiments.safety import approval
from experiments.safety.approval import NotApprovedError, Request
from experiments.safety.window import Window

pytestmark = pytest.mark.needs("ssh-keygen")

BEGIN = datetime(2026, 3, 1, 2, tzinfo=UTC)
TARGET = {"kube_system_uid": "uid-1", "database": "trades"}
WINDOW = Window(BEGIN, BEGIN + timedelta(hours=2))
REQUEST = Request("region-loss", "ab" * 32, "12" * 32, {"us-east-1": TARGET}, {"sink": "paper"}, "reverter:1", WINDOW)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Keys of an approver, an executor and a stranger; the first two may approve."""
    signers = []
    for name in ("approver", "executor", "stranger"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True)
        if name != "stranger":
            signers.append(f"{name}@example.test {(tmp_path / f'{name}.pub').read_text()}")
    (tmp_path / "signers").write_text("".join(signers))
    return tmp_path


def signed(keys: Path, who: str, request: Request = REQUEST) -> Path:
    approval.write(request, keys / "request")
    return approval.sign(keys / "request", keys / who)


def verify(keys: Path, signature: Path, request: Request = REQUEST) -> str:
    return approval.verify(request, signature, keys / "signers", "executor@example.test")


@pytest.mark.proves("a run on production is approved by a signature of somebody other than its executor")
def test_somebody_else_approves(keys: Path) -> None:
    signature = signed(keys, "approver")
    assert verify(keys, signature) == "approver@example.test"
    signature.unlink()
    signature = signed(keys, "executor")
    with pytest.raises(NotApprovedError, match=r"signed by executor@example\.test, who runs it"):
        verify(keys, signature)


@pytest.mark.proves("an approval counts only when the signing key stands for one person, and never for the executor")
@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("approver@example.test,executor@example.test KEY", "`approver@example.test` and `executor@example.test`"),
        ("*@example.test KEY", r"`\*@example.test`"),
        ("executor@example.tes? KEY", r"`executor@example.tes\?`"),
        ("approver@example.test KEY\nexecutor@example.test KEY", "`approver@example.test` and `executor@example.test`"),
        ("approver@example.test KEY\nadviser@example.test KEY", "`approver@example.test` and `adviser@example.test`"),
        ("EXECUTOR@example.test KEY", "who runs it"),
    ],
    ids=["a list", "every name", "a pattern", "also the executor's key", "a key twice", "another spelling"],
)
def test_nobody_approves_under_a_second_name(keys: Path, lines: str, found: str) -> None:
    signature = signed(keys, "executor")
    key = " ".join((keys / "executor.pub").read_text().split()[:2])
    (keys / "signers").write_text(lines.replace("KEY", key) + "\n")
    with pytest.raises(NotApprovedError, match=found):
        verify(keys, signature)


def test_other_signers_may_be_listed_as_they_like(keys: Path) -> None:
    signature = signed(keys, "approver")
    with (keys / "signers").open("a") as file:
        file.write(f"board@example.test,*@elsewhere.test {(keys / 'stranger.pub').read_text()}")
    assert verify(keys, signature) == "approver@example.test"


def test_a_stranger_does_not_count(keys: Path) -> None:
    with pytest.raises(NotApprovedError, match="nobody who may approve"):
        verify(keys, signed(keys, "stranger"))


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, scenario_digest="cd" * 32),
        replace(REQUEST, topology_digest="cd" * 32),
        replace(REQUEST, targets={"us-east-1": TARGET | {"kube_system_uid": "uid-2"}}),
        replace(REQUEST, targets={"us-east-1": TARGET | {"database": "accounts"}}),
        replace(REQUEST, outside={"sink": "another"}),
        replace(REQUEST, reverter_image="reverter:2"),
        replace(REQUEST, window=Window(BEGIN, BEGIN + timedelta(hours=3))),
    ],
    ids=["scenario", "topology", "target", "database", "sink", "image", "window"],
)
def test_an_approval_is_for_one_thing(keys: Path, other: Request) -> None:
    signature = signed(keys, "approver")
    with pytest.raises(NotApprovedError, match="something else"):
        verify(keys, signature, other)


def test_a_signature_for_another_purpose_is_none(keys: Path) -> None:
    approval.write(REQUEST, keys / "request")
    command = ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(keys / "approver"), str(keys / "request")]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(NotApprovedError):
        verify(keys, keys / "request.sig")


def test_no_signature(keys: Path) -> None:
    with pytest.raises(NotApprovedError, match="no such file"):
        verify(keys, keys / "request.sig")
