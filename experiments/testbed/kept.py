"""Files that the testbed keeps on this machine: whole or not there at all. A full disk, or a damaged file, is said."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.testbed.errors import TestbedError
from scenarios.errors import Problem
from scenarios.record.storage import problem_of, replace_file


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Within it a file or folder is written. Raises TestbedError for what the file system says against it."""
    try:
        yield
    except OSError as error:
        raise TestbedError(problem_of(path, error, "room for what the testbed keeps")) from error


@contextmanager
def read(path: Path, expected: str, remedy: str) -> Iterator[None]:
    """Within it a file is read, and made something of. A file that is not there raises FileNotFoundError, as ever.

    Raises:
        TestbedError: it cannot be read, is damaged, or another version of gameday has written it.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        found = f"{type(error).__name__}: {error}"[:200]
        raise TestbedError(Problem(str(path), found, expected, remedy)) from error


def write_json(path: Path, document: Any) -> None:
    """Put a document in a file's place at once, its folder made if need be.

    Raises:
        TestbedError: there is no room, or it may not be written; the old file stays.
    """
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(document, indent=2).encode())
