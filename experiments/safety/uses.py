"""An approval serves one run. Which one was used, and when, is kept on this machine and in every target.

So neither this machine nor another one can break the same targets twice on one signature.
"""

import json
import secrets
from datetime import datetime
from pathlib import Path

from experiments.safety.approval import NotApprovedError, Request
from experiments.safety.counter import Counters
from experiments.testbed import kept
from experiments.testbed.system.apiserver import ApiServerError
from scenarios.errors import Problem

FILE = "approvals.json"


def refuse(request: Request, signature: Path, state: Path) -> None:
    """Refuse a request whose approval was used on this machine.

    Args:
        request: what is about to be run.
        signature: of its approval, for the error.
        state: folder of what this machine knows of the targets.

    Raises:
        NotApprovedError: it was used.
        TestbedError: what is kept of used approvals is damaged.
    """
    if words := _used(state).get(request.digest):
        raise _was_used(signature, words)


def take(request: Request, signature: Path, state: Path, executor: str, now: datetime) -> None:
    """Use an approval up, in every target and here, before anything is broken.

    Args:
        request: what is about to be run.
        signature: of its approval, for the errors.
        state: folder of what this machine knows of the targets.
        executor: who runs it.
        now: with its offset.

    Raises:
        NotApprovedError: it was used, here or elsewhere, or a target does not say whether it was.
        TestbedError: there is no room for it here, or what is kept is damaged.
    """
    refuse(request, signature, state)
    words = f"at {now.isoformat(timespec='seconds')} by {executor} ({secrets.token_hex(4)})"
    try:
        before = Counters().claim(f"approval-{request.digest}", words)
    except ApiServerError as error:
        remedy = "Look at the target, and at who may write ConfigMaps there. Nothing was broken."
        expected = "every target's word that the approval was not used"
        raise NotApprovedError(Problem(str(signature), str(error), expected, remedy)) from error
    kept.write_json(state / FILE, _used(state) | {request.digest: before or words})
    if before:
        raise _was_used(signature, before)


def _used(state: Path) -> dict[str, str]:
    """Digests of used approvals, each with when and by whom."""
    file = state / FILE
    try:
        with kept.read(file, "what is kept of used approvals", "Find out what was run, and mend it by hand."):
            return {str(key): str(words) for key, words in json.loads(file.read_text(encoding="utf-8")).items()}
    except FileNotFoundError:
        return {}


def _was_used(signature: Path, words: str) -> NotApprovedError:
    remedy = "Declare another window under [production], and have that approved: an approval serves one run."
    return NotApprovedError(Problem(str(signature), f"an approval that was used {words}", "one for this run", remedy))
