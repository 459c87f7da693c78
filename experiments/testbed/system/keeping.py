"""Files that are there whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a restart, finds the old or the new one."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def remember(path: Path, values: dict[str, Any]) -> None:
    """Write values as JSON."""
    write_whole(path, json.dumps(values).encode())


def recall(path: Path) -> dict[str, Any]:
    """Values that were remembered; empty when there are none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
