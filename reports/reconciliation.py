"""Orders that live only on a timeline that lost: somebody must decide what becomes of each.

A game day leaves them beside its record as reconciliation.csv; the file is there also when it lists none. Where a
timeline could not be read there is no such file, and the record says why.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from reports.model import Report
from reports.words import clock, count
from scenarios.record.storage import damaged

FILE = "reconciliation.csv"
SHOWN = 20  # orders that a page lists


@dataclass(frozen=True)
class Order:
    """One order. `number`, `sent`: "" when the run did not send it, and somebody else did."""

    timeline: str
    number: str
    key: str
    sent: str  # since the fault, or the start of a run without one
    acknowledged: bool
    position: str


@dataclass(frozen=True)
class Reconciliation:
    """All such orders of a run. `unlisted`: why nobody knows them; empty: they are known."""

    orders: tuple[Order, ...]
    survives: str
    unlisted: str = ""

    @property
    def short(self) -> str:
        """How many there are, in a few words."""
        return f"not known: {self.unlisted}" if self.unlisted else f"{len(self.orders):,}, in {FILE}"

    @property
    def words(self) -> str:
        """How many there are, in a sentence or two."""
        if self.unlisted:
            return f"There is no list of the orders that live only on a timeline that lost: {self.unlisted}."
        if not self.orders:
            return f"No order lives only on a timeline that lost: there is nothing to reconcile with {self.survives}."
        acknowledged, one = sum(order.acknowledged for order in self.orders), len(self.orders) == 1
        where = " and ".join(sorted({order.timeline for order in self.orders}))
        told = "it had not been acknowledged" if one else "none of them had been acknowledged"
        if acknowledged:
            told = "it had been acknowledged" if one else f"{acknowledged:,} of them had been acknowledged"
        return (
            f"{count(len(self.orders), 'order')} {'is' if one else 'are'} on {where} and not on {self.survives}, which "
            f"counts; {told}. Decide for each: enter it again, or leave it out. The list is {FILE}, beside the record."
        )


def reconciliation(report: Report) -> Reconciliation | None:
    """Return the list that lies beside the record, or why there is none; None where nobody made one (a simulation).

    Raises RecordError for a list that cannot be read.
    """
    folder = getattr(report.record, "folder", None)
    survives = str(report.head.get("surviving_timeline") or "the timeline that survives")
    if unlisted := report.head.get("unlisted"):
        return Reconciliation((), survives, str(unlisted))
    if not isinstance(folder, Path) or not (folder / FILE).exists():
        return None
    zero_us = (report.fault_s or 0.0) * 1e6
    try:
        with (folder / FILE).open(newline="", encoding="utf-8") as file:
            orders = tuple(
                Order(
                    row["timeline"], row["seq"], row["key"],
                    clock((int(row["sent_us"]) - zero_us) / 1e6) if row["sent_us"] else "",
                    row["acknowledged"] == "yes", row["position"],
                )
                for row in csv.DictReader(file)
            )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder / FILE, "something else", "the orders to reconcile") from error
    return Reconciliation(orders, survives)
