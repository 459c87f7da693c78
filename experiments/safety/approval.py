"""Approvals: somebody other than the executor signs what is to be broken, where and when (`ssh-keygen -Y`).

What is signed is a canonical JSON document (RFC 8785) of the scenario's and the topology's digest, the targets with all
that belongs to them, what is asked outside (where orders may go), the image of the reverter's pods, and the window. So
an approval cannot be used for another scenario, system, target, database, sink or image, nor on another day.
"""

import hashlib
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from experiments.platforms.shell import attempt
from experiments.safety.window import Window
from scenarios.errors import Problem, UsageError

NAMESPACE = "gameday-approval"  # ssh-keygen's -n: a signature for another purpose is no approval
NOT_LITERAL = frozenset('*?!,"')  # what makes a pattern or a list of names (`man ssh_config`, PATTERNS)


class NotApprovedError(UsageError):
    """The run is not approved (exit code 2)."""


@dataclass(frozen=True)
class Request:
    """What is to be approved."""

    scenario: str
    scenario_digest: str
    topology_digest: str  # whose call graph says what may be bad, and what ends the run
    targets: Mapping[str, Mapping[str, Any]]  # region: the declared target, but for how it is reached
    outside: Mapping[str, Any]  # as declared: name server, ports, sink
    reverter_image: str  # what runs with the right to lift; empty: no pods
    window: Window

    @property
    def digest(self) -> str:
        """SHA-256 of what is signed, in hex: by whomever and however often it is signed, it is one approval."""
        return hashlib.sha256(self.document()).hexdigest()

    def document(self) -> bytes:
        """Return the bytes that are signed."""
        window = {"begin": self.window.begin.isoformat(), "end": self.window.end.isoformat()}
        return rfc8785.dumps(
            {
                "approve": "gameday run",
                "scenario": self.scenario,
                "scenario_digest": self.scenario_digest,
                "topology_digest": self.topology_digest,
                "targets": {region: dict(target) for region, target in self.targets.items()},
                "outside": dict(self.outside),
                "reverter_image": self.reverter_image,
                "window": window,
            }
        )


def write(request: Request, file: Path) -> str:
    """Write what is to be signed; return the command that signs it."""
    file.write_bytes(request.document())
    return f"ssh-keygen -Y sign -n {NAMESPACE} -f YOUR_KEY {file}"


def sign(file: Path, key: Path) -> Path:
    """Sign a request with a private key; return the signature's path. Raises NotApprovedError."""
    result = attempt("ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(file))
    if not result.ok:
        raise NotApprovedError(Problem(str(key), result.stderr.strip(), "a key that can sign", "Use your SSH key."))
    return Path(f"{file}.sig")


def verify(request: Request, signature: Path, signers: Path, executor: str) -> str:
    """Verify an approval; return who gave it.

    Args:
        request: what is about to be run, made anew from what it is, not from what was signed.
        signature: by `ssh-keygen -Y sign`.
        signers: allowed signers, as ssh-keygen reads them (`man ssh-keygen`, ALLOWED SIGNERS).
        executor: who runs it, as in that file.

    Raises:
        NotApprovedError: no signature, a wrong one, by somebody unknown, for something else, by the executor, or by
            a key that does not stand for one person.
    """
    for path, what in ((signature, "the approval's signature"), (signers, "the list of allowed signers")):
        if not path.is_file():
            raise NotApprovedError(Problem(str(path), "no such file", what, f"Have it approved: {_how(signature)}"))
    name = _one_name(signature, signers)
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "request"
        document.write_bytes(request.document())
        good, own = (_verifies(document, signature, signers, who) for who in (name, executor))
    if own or name.casefold() == executor.casefold():
        remedy = "Ask somebody else to approve."
        raise NotApprovedError(Problem(str(signature), f"signed by {executor}, who runs it", "somebody else", remedy))
    if not good:
        expected = (
            f"{request.scenario} ({request.scenario_digest[:12]}), this topology, these targets, {request.window}"
        )
        remedy = "It was given for something else, or was changed. Have it approved again."
        raise NotApprovedError(Problem(str(signature), "a signature of something else", expected, remedy))
    return name


def _one_name(signature: Path, signers: Path) -> str:
    """The one name that the signing key has in the list of signers.

    A pattern, a list of names, or a key with two entries does not say who approved: it may be the executor. Each entry
    is asked about by itself, for of two with the same key ssh-keygen names only the first.
    """
    entries = signers.read_text(encoding="utf-8", errors="replace").splitlines()
    names = [name for entry in entries if entry.strip() for name in _names(signature, entry)]
    if not names:
        remedy = f"Have it signed by one of {signers.name}."
        raise NotApprovedError(Problem(str(signature), "signed by nobody who may approve", "a known signer", remedy))
    if len(names) == 1 and not NOT_LITERAL & set(names[0]):
        return names[0]
    found = f"the signing key stands for {' and '.join(f'`{name}`' for name in names)}"
    remedy = "Give each key one line with one whole name, without `*`, `?`, `!` and `,`."
    raise NotApprovedError(Problem(str(signers), found, "one key, one person", remedy))


def _names(signature: Path, entry: str) -> list[str]:
    """Names and patterns that an entry of the list gives to the signing key; none when it is about another key."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(entry + "\n")
        file.flush()
        found = attempt("ssh-keygen", "-Y", "find-principals", "-s", str(signature), "-f", file.name)
    return [line.strip() for line in found.lines] if found.ok else []


def _verifies(document: Path, signature: Path, signers: Path, name: str) -> bool:
    command = ["ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-f", str(signers), "-I", name, "-s", str(signature)]
    with document.open("rb") as file:
        return subprocess.run(command, stdin=file, capture_output=True, timeout=30, check=False).returncode == 0


def _how(signature: Path) -> str:
    return f"`ssh-keygen -Y sign -n {NAMESPACE} -f KEY {signature.with_suffix('')}` by somebody else."
