"""What a sender counted, summed up."""

from collections import Counter

from tests.unit.observe.servers import Parent


def edge_counts(found: Parent) -> Counter[str]:
    """Sums of the edge's counts over the run."""
    total: Counter[str] = Counter()
    for row in found.rows("load"):
        if row["service"] == "edge":
            total.update({k: row[k] for k in ("intended", "sent", "ok", "failed", "unknown", "attempts")})
    return total
