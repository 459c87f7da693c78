"""Numbered items of one class of data, each a file whose name says its number and when it was written."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from .keeping import write_whole

KEPT = 2000  # items of a class; older ones are removed
_NAME = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True, order=True)
class Item:
    """An item.

    Attributes:
        seq: Its number.
        written_us: When the source wrote it, epoch microseconds.
    """

    seq: int
    written_us: int


class Items:
    """A folder of items."""

    def __init__(self, folder: Path) -> None:
        """Take up what is there.

        Args:
            folder: Made when it is not there.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        found = (_NAME.fullmatch(path.name) for path in folder.iterdir())
        self.items = sorted(Item(int(match[1]), int(match[2])) for match in found if match)

    @property
    def last(self) -> Item | None:
        """The newest item."""
        return self.items[-1] if self.items else None

    def next_seq(self, now_us: int) -> int:
        """The number after the newest; a source that lost its folder goes on above what it had."""
        return self.last.seq + 1 if self.last else now_us // 1_000_000

    def add(self, item: Item, content: bytes) -> None:
        """Keep an item, newer than all others; whole on the disk when this returns."""
        write_whole(self._path(item), content)
        self.items.append(item)
        while len(self.items) > KEPT:
            self._path(self.items.pop(0)).unlink(missing_ok=True)

    def content(self, seq: int) -> bytes | None:
        """Content of an item; None when there is no such."""
        found = next((item for item in self.items if item.seq == seq), None)
        return self._path(found).read_bytes() if found else None

    def _path(self, item: Item) -> Path:
        return self._folder / f"{item.seq}-{item.written_us}"


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
