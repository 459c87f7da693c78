"""Files that are whole or not there at all, and what the file system says, as a person can mend it."""

import contextlib
import hashlib
import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from scenarios.errors import Problem, RecordError

_REMEDIES = {
    13: "Choose a folder that you may write to.",
    17: "Choose another folder, or remove this one.",
    27: "Raise the limit on the size of files (`ulimit -f`).",
    28: "Free some space, or choose a folder on another disk.",
    30: "Choose a folder that you may write to.",
    122: "Raise the quota, or choose a folder on another disk.",
}
CHANGED = "The record was changed after it was closed: take it from a backup, or play the run again."


def replace_file(path: Path, data: bytes) -> None:
    """Put data in a file's place at once: temporary file, fsync, rename. Raises OSError and leaves the old file."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_bytes(data)
        sync(temporary)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the operating system put a file or a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_folder(folder: Path, head_name: str, head: Mapping[str, Any]) -> None:
    """Make a record's folder with its head. It is made beside and renamed: there is never a folder without a head.

    Raises OSError, also when the folder exists, and leaves nothing.
    """
    if folder.exists():
        raise FileExistsError(17, os.strerror(17))
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        made.chmod(0o755)
        replace_file(made / head_name, head_text(head))
        os.rename(made, folder)
    except OSError:
        for left in made.iterdir():
            left.unlink()
        made.rmdir()
        raise


def head_text(head: Mapping[str, Any]) -> bytes:
    """Return a head as its file holds it."""
    return json.dumps(head, indent=1, sort_keys=True).encode()


def read_head(path: Path, version: int, of_what: str) -> dict[str, Any]:
    """Head of a record; `open` reads as `interrupted`. Raises RecordError for what is no head or of another version."""
    expected, remedy = f"the head of {of_what}", "Give the folder of a run."
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        found = getattr(error, "strerror", None) or "something that is not JSON"
        raise damaged(path, found.lower(), expected, remedy) from error
    if not isinstance(head, dict) or "schema_version" not in head or "termination" not in head:
        raise damaged(path, "JSON that is not the head of a record", expected, remedy)
    if (found_version := head["schema_version"]) != version:
        newer = isinstance(found_version, int) and found_version > version
        raise damaged(
            path,
            f"schema version {found_version}" + (", which is newer than this program" if newer else ""),
            f"schema version {version}",
            f"Read it with the version of gameday that wrote it (`versions` in {path.name}), or a newer one.",
        )
    if head["termination"] == "open":
        head["termination"] = "interrupted"
    return head


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file that is there, by its name. Raises OSError."""
    found = {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def unchanged(path: Path, head: Mapping[str, Any]) -> None:
    """Raise RecordError when a file is not the one of which the head of the closed record holds the digest."""
    known = (head.get("files") or {}).get(path.name)
    try:
        found = None if known is None else digests([path]).get(path.name)
    except OSError as error:
        raise RecordError(problem_of(path, error, "a file that can be read")) from error
    if found != known:
        raise damaged(path, "other bytes than were written", f"SHA-256 {known}")


def damaged(path: Path, found: str, expected: str, remedy: str = CHANGED) -> RecordError:
    """Return the error of a record that cannot be read."""
    return RecordError(Problem(str(path), found, expected, remedy))


def problem_of(path: Path, error: Exception, expected: str) -> Problem:
    """Return what went wrong with a file of a record, as a person can mend it."""
    number = getattr(error, "errno", None) or 0
    found = os.strerror(number) if number else str(error).splitlines()[0]
    remedy = _REMEDIES.get(number, "Choose another folder.")
    return Problem(str(path), found[0].lower() + found[1:], expected, remedy)


class Failure:
    """The first failure of a record that is being written; after it the record takes nothing more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.error: RecordError | None = None

    @contextlib.contextmanager
    def reported(self, expected: str) -> Iterator[None]:
        """Turn what the file system says into a RecordError, and raise the same whenever asked again."""
        if self.error is not None:
            raise self.error
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            self.error = RecordError(problem_of(self._folder, error, expected))
            raise self.error from error


class Closing(ABC):
    """What writers of a record and of an ensemble share: they are closed once, by whoever leaves their `with` block.

    A subclass has the folder, its head with `termination`, and says how its files are given back after a failure.
    """

    def __init__(self, folder: Path, head: dict[str, Any]) -> None:
        self.folder = folder
        self._head = head
        self._failure = Failure(folder)
        self._closing = False

    @abstractmethod
    def close(self, termination: str, **more: Any) -> None:
        """Make the files what they stay, and say how it ended."""

    @abstractmethod
    def _release(self) -> None:
        """Give the files back after a failure; what they hold stays."""

    def _end_streams(self, end: Callable[[], None], expected: str) -> None:
        """End what was being appended to; on failure the files are given back."""
        self._closing = True
        try:
            with self._failure.reported(expected):
                end()
        except RecordError:
            self._release()
            raise

    def _each(self, steps: Iterable[tuple[Path, Callable[[], object], str]]) -> None:
        """Take every step (file, what to do, what that needs), whatever becomes of the others.

        Raises RecordError of all that failed.
        """
        problems = []
        for path, act, expected in steps:
            try:
                act()
            except (OSError, pa.ArrowException) as error:
                problems.append(problem_of(path, error, expected))
        if problems:
            self._failure.error = RecordError(*problems)
            raise self._failure.error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._failure.error is not None:
            self._release()
        elif not self._closing:
            self.close("interrupted")
        elif kind is not None:  # it came while the record was being closed, and what is there stays as it is
            self._release()
