"""What users record holds every order that it counts, second by second: so Little's law can be judged on it."""

from typing import Any

import numpy as np

from experiments.observe.clock import Clock, Origin
from experiments.observe.settings import users as settings
from experiments.traffic.users import Order, User, Users
from scenarios.files.load import load

SECONDS = 30


class Wire:
    """Keeps rows by table."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, int]]] = {}

    def row(self, table: str, **values: int) -> None:
        self.rows.setdefault(table, []).append(values)

    def mark(self, *_: object, **__: object) -> None:
        """A fact: not looked at."""

    def now(self) -> None:
        """Nothing waits."""


def test_counts_and_ledger_hold_the_same_orders_in_each_second() -> None:
    now_us: list[int] = [0]
    wire: Any = Wire()
    origin = Origin(0, 0)
    clock = Clock(origin, monotonic_ns=lambda: now_us[0] * 1_000, epoch_ns=lambda: now_us[0] * 1_000)
    document = settings(load("load-test", world="kind"), origin, 20, first_seq=0)
    users = Users(document, clock, wire)
    busy: list[tuple[int, User, Order]] = []
    for step_us in range(0, SECONDS * 1_000_000, 10_000):
        now_us[0] = step_us
        for end_us, user, order in [each for each in busy if each[0] <= step_us]:
            users.ended(user, order, "acked" if order.seq % 7 else "unknown")
            busy.remove((end_us, user, order))
        for user in users.users:
            if not user.turns.wait_us(step_us) and all(user is not other for _, other, _ in busy):
                order = users.take(user)
                busy.append((step_us + 30_000 + order.seq % 5 * 400_000, user, order))
        if step_us % 250_000 == 0:
            users.count()
    users.stop()
    users.finish()
    edge = [row for row in wire.rows["load"] if row["service"] == "edge"]
    sent = np.bincount([row["sent_us"] // 1_000_000 for row in wire.rows["writes_sent"]], minlength=SECONDS)
    done = np.bincount([row["done_us"] // 1_000_000 for row in wire.rows["writes_done"]], minlength=SECONDS)
    assert sent.sum() > 100
    assert [row["second"] for row in edge] == list(range(SECONDS))
    assert [row["sent"] for row in edge] == sent.tolist()
    assert [row["ok"] + row["failed"] + row["unknown"] for row in edge] == done.tolist()
