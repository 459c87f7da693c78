import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from experiments.testbed.system.asking import Asker, NoAnswer
from experiments.testbed.system.copies import SIZES, Copy, Home
from experiments.testbed.system.items import Item, Items, digest


class Source:
    """A home region on the network."""

    def __init__(self, store: Items) -> None:
        self.store = store
        self.damage: set[int] = set()

    async def need(self, method: str, url: str, body: Any = None, patience_s: float | None = None) -> Any:
        return [[item.seq, item.written_us] for item in self.store.items]

    async def content(self, url: str) -> tuple[bytes, str]:
        seq = int(url.rsplit("/", 1)[1])
        content = self.store.content(seq)
        assert content is not None
        return (b"damaged" if seq in self.damage else content), digest(content)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home({name: Items(tmp_path / "home" / name) for name in SIZES}, dict.fromkeys(SIZES, 1.0))


def copy_of(home: Home, folder: Path) -> tuple[Copy, Source]:
    source = Source(home._stores["logs"])
    return Copy({"logs": Items(folder)}, {"logs": 1.0}, "http://home", cast(Asker, source)), source


def test_a_copy_has_what_the_source_had_at_the_pull_and_knows_how_old_it_is(home: Home, tmp_path: Path) -> None:
    copy, source = copy_of(home, tmp_path / "copy")
    for _ in range(3):
        home.write("logs")
    asyncio.run(copy.pull("logs"))
    home.write("logs")
    pulled, newest = source.store.items[2], source.store.items[3]
    assert copy.state("logs")["copied_seq"] == pulled.seq
    assert copy.state("logs")["recovery_point_us"] == pulled.written_us
    assert home.state("logs")["source_last_seq"] == newest.seq
    assert copy._stores["logs"].content(pulled.seq) == source.store.content(pulled.seq)


def test_a_damaged_item_is_not_taken_and_leaves_no_hole(home: Home, tmp_path: Path) -> None:
    copy, source = copy_of(home, tmp_path / "copy")
    for _ in range(3):
        home.write("logs")
    first, second, third = (item.seq for item in source.store.items)
    source.damage = {second}
    with pytest.raises(NoAnswer, match="damaged"):
        asyncio.run(copy.pull("logs"))
    assert copy.state("logs")["copied_seq"] == first
    assert copy.state("logs")["source_last_seq"] == third
    source.damage = set()
    asyncio.run(copy.pull("logs"))
    assert [item.seq for item in copy._stores["logs"].items] == [first, second, third]


def test_items_are_there_again_after_a_restart_and_numbers_go_on(tmp_path: Path) -> None:
    store = Items(tmp_path)
    assert store.next_seq(7_000_000) == 7
    store.add(Item(7, 1), b"x")
    (tmp_path / ".8-2.new").write_bytes(b"half")
    again = Items(tmp_path)
    assert again.items == [Item(7, 1)]
    assert again.next_seq(99_000_000) == 8
    assert again.content(7) == b"x"
    assert again.content(8) is None


def test_only_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.testbed.system.items.KEPT", 3)
    store = Items(tmp_path)
    for seq in range(5):
        store.add(Item(seq, seq), b"")
    assert [item.seq for item in store.items] == [2, 3, 4]
    assert len(list(tmp_path.iterdir())) == 3
