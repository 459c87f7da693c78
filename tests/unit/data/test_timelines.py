"""Positions in a timeline are the same whether its commit times are still in memory or already on disk."""

import numpy as np
import pytest

from sim.data import timelines
from sim.data.timelines import Timelines


@pytest.mark.parametrize("in_memory_bytes", [1 << 20, 40])
def test_positions_of_rows_in_memory_and_on_disk(monkeypatch: pytest.MonkeyPatch, in_memory_bytes: int) -> None:
    monkeypatch.setattr(timelines, "IN_MEMORY_BYTES", in_memory_bytes)
    kept = Timelines(1)
    commits_ns = np.arange(1, 31) * 1_000
    for part in np.split(commits_ns, 3):
        positions = part // 1_000
        kept.add(np.stack([positions, np.zeros_like(part), positions, part]))
        assert kept.position_at(0, int(part[0])) == positions[0] - 1
        assert kept.position_at(0, int(part[-1]) + 1) == positions[-1]
    assert [kept.position_at(0, int(t) + 1) for t in commits_ns] == list(range(1, 31))
