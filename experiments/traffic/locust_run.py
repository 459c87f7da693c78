"""Locust as a subprocess, beside everything else: it would starve whoever shares its process.

Its rows are read as it writes them and become rows of the table `load`; the figures that it prints itself are kept as
files beside them.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.observe.clock import Clock
from experiments.observe.settings import Where
from experiments.observe.wire import Sender

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
LOOK_S = 0.5
ENDS_WITHIN_S = 10.0
_OUTCOMES = ("ok", "failed", "unknown")


def command(document: Mapping[str, Any], rows: Path) -> list[str]:
    """How Locust is started; its own CSV files go beside the rows."""
    where = Where.of(document)
    host, port = where.dns
    return [
        sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary", "--skip-log",
        "--csv", str(rows.with_suffix("")), "--csv-full-history",
        "--test", document["test"], "--scale", str(document["scale"]), "--lasts", str(document.get("lasts_s", 0)),
        "--rows", str(rows), "--name", where.name, "--dns", f"{host}:{port}",
        "--port", str(where.ports[document["entry"]]),
    ]  # fmt: skip


async def work(document: Mapping[str, Any], clock: Clock, wire: Sender, stop: asyncio.Event) -> None:
    """Play a load test until it is over, or until asked to stop."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(document.get("folder") or temporary)
        rows = folder / "locust.jsonl"
        rows.touch()
        process = await asyncio.create_subprocess_exec(
            *command(document, rows), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
        )
        reading = Rows(clock, wire)
        wire.mark(clock.now_us(), "load_started", "client")
        ended = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(stop.wait())
        with rows.open("rb") as file:
            while not ended.done() and not stopped.done():
                await asyncio.wait((ended, stopped), timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                reading.take(file.read())
            await _end(process)
            reading.take(file.read())
        reading.finish()
        wire.mark(clock.now_us(), "load_stopped", "client")
        asked = stopped.done()
        stopped.cancel()
        if not asked and process.returncode not in (0, 1):  # 1: some requests failed, which is no failure of Locust
            now_us = clock.now_us()
            wire.mark(now_us, "observer_gap", "locust", what="load", from_us=reading.until_us, to_us=now_us)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), ENDS_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()


class Rows:
    """From Locust's lines to rows of the sender, one for each second without a gap.

    A closed loop intends what its users can send, one order each a second; it may catch up, so that nothing counts as
    sent before it counts as intended.
    """

    def __init__(self, clock: Clock, wire: Sender) -> None:
        self._clock, self._wire = clock, wire
        self._rest = b""
        self._second: int | None = None  # the next one
        self._intended = self._sent = 0
        self._wall_s: int | None = None
        self.until_us = clock.now_us()

    def take(self, data: bytes) -> None:
        """Take what Locust has written since; a line that is not whole waits for its rest."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(json.loads(line))

    def finish(self) -> None:
        """No line comes any more."""
        self._rest = b""

    def _line(self, said: Mapping[str, Any]) -> None:
        if self._second is None or self._wall_s is None:
            self._second = max(0, self._clock.of_epoch(said["epoch_s"] * 1_000_000) // 1_000_000)
            self._wall_s = said["epoch_s"]
        while self._wall_s < said["epoch_s"]:  # nothing was sent and nothing ended
            self._row({"users": 0})
        self._row(said)

    def _row(self, said: Mapping[str, Any]) -> None:
        assert self._second is not None
        assert self._wall_s is not None
        sent = int(said.get("sent", 0))
        due = self._intended + int(said["users"])
        intended = max(due, self._sent + sent) - self._intended
        self._intended, self._sent = self._intended + intended, self._sent + sent
        counts = {name: int(said.get(name, 0)) for name in _OUTCOMES}
        path = [tuple(pair) for pair in said.get("path", ())]
        self._wire.row(
            "load", second=self._second, region="client", service="edge", intended=intended, sent=sent, **counts,
            attempts=sum(counts.values()), own=[], caller=path, path=path,
        )  # fmt: skip
        self._second, self._wall_s = self._second + 1, self._wall_s + 1
        self.until_us = self._second * 1_000_000
