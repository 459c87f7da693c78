"""Columns of the record's tables. Time is integer microseconds from the run's start; intervals are half-open.

Nullable columns hold null where a fact does not exist (a probe without an answer has no done_us).
"""

from dataclasses import dataclass

import pyarrow as pa

_HISTOGRAM = pa.list_(pa.struct([("bin", pa.int32()), ("count", pa.int64())]))  # of nanoseconds, see histogram.py
_NAME = pa.dictionary(pa.int32(), pa.string())
_I64 = pa.int64()


@dataclass(frozen=True)
class Column:
    """A column and what it says."""

    name: str
    type: pa.DataType
    says: str


@dataclass(frozen=True)
class Described:
    """A table, what a row is, and its columns."""

    name: str
    row: str
    columns: tuple[Column, ...]

    def schema(self) -> pa.Schema:
        """Return the columns as Arrow sees them."""
        return pa.schema([(c.name, c.type) for c in self.columns])


DESCRIBED: tuple[Described, ...] = (
    Described("probes", "One probe of one client: what a user saw.", (
        Column("intended_us", _I64, "when it was due; probes count by this time"),
        Column("sent_us", _I64, "when it was sent; null: not sent"),
        Column("done_us", _I64, "when the answer came; null: none within the timeout"),
        Column("client", _NAME, "the prober; its spacing is constant for each (client, route, service)"),
        Column("route", _NAME, "dns \\| direct \\| stale"),
        Column("service", _NAME, "strategic, tactical, risk, database, order, page"),
        Column("address", _NAME, "region whose address was resolved; null: none"),
        Column("region", _NAME, "region that answered; null: none"),
        Column("pod", _NAME, "pod that answered; null: none"),
        Column("timeline", _NAME, "database timeline that answered; null: no database involved"),
        Column("as_of_us", _I64, "time of the data answered with; its age is done_us - as_of_us; null: unsaid"),
        Column("status", _NAME, "2xx, 4xx, 5xx, timeout, refused, no_address"),
        Column("right", _NAME, "yes \\| no \\| none: whether the answer was right"),
    )),
    Described("load", "One second of one service in one region; the sender is region `client`, service `edge`.", (
        Column("second", pa.int32(), "the second [second, second + 1)"),
        Column("region", _NAME, "region, or client"),
        Column("service", _NAME, "service, or edge"),
        Column("intended", _I64, "new requests that were due; edge only, else 0"),
        Column("sent", _I64, "new requests that were sent; edge only, else 0"),
        Column("ok", _I64, "answered well, in the second in which it happened"),
        Column("failed", _I64, "failed, in the second in which it happened"),
        Column("unknown", _I64, "timed out, in the second in which it happened"),
        Column("attempts", _I64, "counts retries too"),
        Column("own", _HISTOGRAM, "queue and service time of the service itself, without the calls it waits for"),
        Column("caller", _HISTOGRAM, "what its caller saw"),
        Column("path", _HISTOGRAM, "edge only: from the intended time to the end; includes unknown"),
    )),
    Described("writes_sent", "One write, when it is sent for the first time.", (
        Column("data_class", _NAME, "transactions, models, configuration, logs"),
        Column("seq", _I64, "number in its class, in order of sending; negative: declared history"),
        Column("key", _I64, "idempotency key; a retry has the same"),
        Column("sent_us", _I64, "when it was sent; negative: before the run"),
    )),
    Described("writes_done", "The end of one write, as its sender knows it.", (
        Column("data_class", _NAME, "as in writes_sent"),
        Column("key", _I64, "as in writes_sent"),
        Column("done_us", _I64, "when the sender knew"),
        Column("outcome", _NAME, "acked \\| failed \\| unknown"),
    )),
    Described("readback", "One write found on one database timeline after the run.", (
        Column("data_class", _NAME, "as in writes_sent"),
        Column("timeline", _NAME, "name of the timeline; run.json names the one that survives"),
        Column("key", _I64, "key that was found"),
        Column("copies", pa.int32(), "rows with this key; more than one is a duplicate"),
        Column("position", _I64, "position in the write-ahead log; null: history"),
        Column("read_us", _I64, "when it was read"),
    )),
    Described("samples", "One value of something that has one at every instant, each second.", (
        Column("t_us", _I64, "the instant; negative: before the run"),
        Column("subject", _NAME, "us-west-2/models (a copy), source/models (its source), us-east-1/risk"),
        Column("name", _NAME, "see below"),
        Column("value", pa.float64(), "its value"),
    )),
)  # fmt: skip

SAMPLE_NAMES: dict[str, str] = {
    "recovery_point_us": "of a copied class: everything written before it is in the copy",
    "last_write_us": "of the source of a copied class",
    "writable": "0 or 1: whether a database commits",
    "replayed_position": "of a replica",
    "wal_position": "of a primary",
    "replication_lag_s": "true lag of a replica",
    "replication_lag_observed_s": "lag as its metric reports it",
    "at_risk_orders": "of a primary: orders that would be lost had its region died now; while no standby answers, "
    "all since where one was last seen; no sample: nobody knows",
    "at_risk_s": "of a primary: age of the oldest of them",
    "replicas_ready": "of a service in a region",
    "replicas_planned": "of a service in a region",
    "answered_ok": "of a service in a region, of the time before the run: answers but 5xx that its servers had counted "
    "since the first of these samples, which is as old as the alert rules look back; the last scrape may hold some of "
    "the run's first; no sample: it cannot be told",
    "answered_5xx": "the same, of answers 5xx",
    "queue_length": "of a service in a region",
    "stale_share": "share of the clients that are still at a dead region",
    "risk_var_current": "value at risk as a service computes it, as a share of its limit",
    "risk_var_limit": "its limit: 1",
    "sender_lag_us_p99": "the instrument: how late requests were sent, of each second with load",
    "gap_us": "the instrument: longest time without a probe",
    "clock_bound_us": "the instrument: bound on the error of its clock",
}

TABLES: dict[str, pa.Schema] = {table.name: table.schema() for table in DESCRIBED}
PROBES, LOAD, WRITES_SENT, WRITES_DONE, READBACK, SAMPLES = TABLES.values()
