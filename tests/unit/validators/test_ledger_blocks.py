"""Writes are joined in blocks: where a block ends changes nothing."""

import numpy as np
import pytest

from validators import ledger

RANDOM = np.random.default_rng(5)
KEYS = {
    "consecutive": np.arange(100, 160),
    "shuffled": RANDOM.permutation(np.arange(100, 160)),
    "with gaps": np.unique(RANDOM.integers(0, 400, 60)),
    "twice": np.concatenate([np.arange(30), np.arange(29, 50)]),
    "far apart": np.array([3, 10**12, 7, 10**15]),
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_BLOCK", 7)


@pytest.mark.parametrize("name", KEYS)
def test_blocks_agree_with_the_whole(name: str) -> None:
    keys = KEYS[name]
    wanted = np.concatenate([keys[::3], [-1, 10**16], keys[:1] + 1])
    known = dict(zip(keys.tolist(), (keys * 2).tolist(), strict=True))
    assert ledger.lookup(keys, keys * 2, wanted, -9).tolist() == [known.get(k, -9) for k in wanted.tolist()]
    assert ledger.isin(wanted, keys).tolist() == np.isin(wanted, keys).tolist()
    values, counts = np.unique(keys, return_counts=True)
    assert ledger.doubles(keys).tolist() == values[counts > 1].tolist()
