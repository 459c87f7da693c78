"""How far the twin's predictions were from real runs, as last published: made from the committed records only.

`data/published_error.json` is written with the page of results (`make docs`) and goes with the package.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any

from reports.words import share

FILE = Path(__file__).parent / "data" / "published_error.json"
NOTHING = "No comparison of this twin with a real run has been published yet."


def sentence(scenario: str, topology_digest: str | None) -> str:
    """Return the published error of all scenarios, and of this one where it was played, in one or two sentences."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    if not found["scenarios"]:
        return NOTHING
    played = date.fromisoformat(found["played"])
    where = "" if topology_digest in found["topology_digests"] else "of another topology than this one, "
    words = f"Last published error of the twin ({where}real runs up to {played:%Y-%m-%d}): {_words(found['all'])}"
    mine = found["scenarios"].get(scenario)
    return f"{words}; of this scenario {_words(mine)}." if mine else f"{words}; none of this scenario."


def _words(found: dict[str, Any]) -> str:
    words = f"{found['inside']} of {found['of']} measured values inside what 90 % of the trials predicted"
    error = found["median_error"]
    return words if error is None else f"{words}, median error {share(error)}"
