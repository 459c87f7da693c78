"""Writes are joined in blocks: where a block ends changes nothing, and packing loses nothing."""

import numpy as np
import pytest

from validators import packed
from validators.columns import NONE
from validators.packed import Index, Packed, doubles, isin, pack

RANDOM = np.random.default_rng(5)
KEYS = {
    "consecutive": np.arange(100, 160),
    "consecutive and then again": np.concatenate([np.arange(100, 114), np.arange(100, 114)]),
    "shuffled": RANDOM.permutation(np.arange(100, 160)),
    "with gaps": np.unique(RANDOM.integers(0, 400, 60)),
    "twice": np.concatenate([np.arange(30), np.arange(29, 50)]),
    "far apart": np.array([3, 10**12, 7, 10**15]),
    "below zero": np.array([-5, -3, -700, 2**40, -5]),
    "null among them": np.array([4, NONE, 2**62, 5, 9, 8, 7, 6, 5]),
    "none": np.zeros(0, dtype=np.int64),
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_BLOCK", 7)


@pytest.mark.parametrize("name", KEYS)
def test_a_packed_column_is_the_column(name: str) -> None:
    values = KEYS[name]
    column = pack(values)
    assert len(column) == len(values)
    assert column.values().tolist() == values.tolist()
    backwards = [block.tolist() for block in column.blocks(backwards=True)]
    assert backwards == [values[i : i + 7].tolist() for i in range(0, len(values), 7)][::-1]
    rows = RANDOM.permutation(len(values))[: len(values) // 2]
    assert column.take(rows).tolist() == values[rows].tolist()
    chosen = values % 3 == 0
    assert column.where(chosen).values().tolist() == values[chosen].tolist()
    assert column.test(lambda v: v > 120).tolist() == (values > 120).tolist()
    assert column.consecutive() == bool((np.diff(values) == 1).all())
    if len(values):
        assert column.bounds() == (values.min(), values.max())
        assert column.at(len(values) - 1) == values[-1]


@pytest.mark.parametrize("name", [n for n in KEYS if "null" not in n])
def test_blocks_agree_with_the_whole(name: str) -> None:
    keys = KEYS[name]
    column, values = pack(keys), pack(keys * 2)
    wanted = np.concatenate([keys[::3], [-1, 10**16], keys[:1] + 1])
    known = dict(zip(keys.tolist(), (keys * 2).tolist(), strict=True))
    assert Index(column).lookup(values, wanted, -9).tolist() == [known.get(k, -9) for k in wanted.tolist()]
    assert isin(wanted, keys).tolist() == isin(pack(wanted), column).tolist() == np.isin(wanted, keys).tolist()
    assert isin(wanted, keys[:2], keys[2:]).tolist() == np.isin(wanted, keys).tolist()
    unique, counts = np.unique(keys, return_counts=True)
    assert doubles(keys).tolist() == doubles(column).tolist() == unique[counts > 1].tolist()


@pytest.mark.parametrize(("step", "most_bytes"), [(1, 0), (3, 1), (300, 2), (70_000, 4), (2**40, 8)])
def test_a_column_takes_as_many_bytes_as_its_values_are_apart(step: int, most_bytes: int) -> None:
    column = pack(10**15 + np.arange(70) * step)
    assert _bytes(column) <= 70 * most_bytes


def _bytes(column: Packed) -> int:
    return sum(block.above.nbytes for block in column._blocks if block.above is not None)
