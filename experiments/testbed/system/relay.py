"""A TCP relay whose flow can be stopped, slowed and delayed while it runs."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

MODES = ("pass", "stall", "throttle")
_PIECE_BYTES = 65_536
_MOST_HELD_PIECES = 256  # waiting for their delay; then the sender waits
_PIECES_PER_S = 20  # of a throttled flow
_CONNECT_S = 2.0
_log = logging.getLogger(__name__)

_Pieces = asyncio.Queue[tuple[float, bytes] | None]  # when a piece was read, and the piece; None is the end


@dataclass(frozen=True)
class Flow:
    """How bytes flow.

    Attributes:
        mode: pass; stall: nothing moves and connections stay; throttle: towards the standby, at `bytes_per_s`.
        bytes_per_s: Rate of throttle, over all connections.
        delay_ms: Added to every byte, each way, in milliseconds.
        target: Region whose primary is called.
    """

    mode: Literal["pass", "stall", "throttle"]
    bytes_per_s: int
    delay_ms: int
    target: str


def read_flow(body: Mapping[str, Any], now: Flow, targets: Mapping[str, object]) -> Flow | str:
    """A flow as asked for; what is not named is off, but the target stays.

    Args:
        body: mode, and perhaps bytes_per_s, delay_ms, target.
        now: The flow of now.
        targets: Those that there are.

    Returns:
        The flow, or what is wrong with it.
    """
    mode, rate, delay = body.get("mode"), body.get("bytes_per_s", 0), body.get("delay_ms", 0)
    target = body.get("target", now.target)
    if mode not in MODES:
        return f"mode {mode!r}; expected one of {', '.join(MODES)}"
    if type(rate) is not int or rate < 0 or (mode == "throttle") != (rate > 0):
        return f"bytes_per_s {rate!r}; expected a positive whole number with throttle, and none without"
    if type(delay) is not int or not 0 <= delay <= 600_000:
        return f"delay_ms {delay!r}; expected a whole number from 0 to 600000"
    if target not in targets:
        return f"target {target!r}; expected one of {', '.join(targets)}"
    return Flow(cast(Literal["pass", "stall", "throttle"], mode), rate, delay, target)


class Relay:
    """Takes connections and carries them to the target."""

    def __init__(self, targets: Mapping[str, tuple[str, int]], target: str) -> None:
        """Put it together.

        Args:
            targets: Host and port of each region's primary.
            target: The first one to be called.
        """
        self._targets = targets
        self.flow = Flow("pass", 0, 0, target)
        self._changed = asyncio.Event()
        self._next_send_s = 0.0
        self._open: set[asyncio.Task[None]] = set()
        self.passed = {"to_standby": 0, "to_primary": 0}

    def change(self, flow: Flow) -> None:
        """Let bytes flow otherwise from now on; another target ends the connections, whoever made them calls again."""
        other_target = flow.target != self.flow.target
        self.flow = flow
        self._changed.set()
        self._changed = asyncio.Event()
        self._next_send_s = 0.0
        if other_target:
            for task in self._open:
                task.cancel()

    def state(self) -> dict[str, Any]:
        """The flow, connections and bytes so far."""
        flow = self.flow
        return {
            "mode": flow.mode,
            "bytes_per_s": flow.bytes_per_s,
            "delay_ms": flow.delay_ms,
            "target": flow.target,
            "connections": len(self._open),
            "passed_bytes": dict(self.passed),
        }

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is carried by a task")
        self._open.add(task)
        try:
            first = await self._at_the_door(reader)
            if first is None:
                return
            async with asyncio.timeout(_CONNECT_S):
                there, to_there = await asyncio.open_connection(*self._targets[self.flow.target])
            for line in (writer, to_there):
                line.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            to_there.write(first)
            try:
                await self._both(reader, to_there, there, writer)
            finally:
                to_there.close()
        except (OSError, TimeoutError) as error:
            _log.info("connection ended: %s %s", type(error).__name__, error)
        except asyncio.CancelledError:
            _log.info("connection cut")
        finally:
            self._open.discard(task)
            writer.close()

    async def _both(
        self,
        here: asyncio.StreamReader,
        to_there: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        to_here: asyncio.StreamWriter,
    ) -> None:
        ways = [
            asyncio.create_task(self._way(here, to_there, "to_primary")),
            asyncio.create_task(self._way(there, to_here, "to_standby")),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        """Carry one way: a reader stamps pieces, a writer lets each go when it is due."""
        held: _Pieces = asyncio.Queue(_MOST_HELD_PIECES)
        fill = asyncio.create_task(self._fill(reader, held))
        try:
            while (piece := await held.get()) is not None:
                came_s, content = piece
                await self._due(came_s)
                if name == "to_standby":
                    await self._paced(len(content))
                await self._moving()
                writer.write(content)
                await writer.drain()
                self.passed[name] += len(content)
        finally:
            fill.cancel()
            await asyncio.gather(fill, return_exceptions=True)

    async def _fill(self, reader: asyncio.StreamReader, held: _Pieces) -> None:
        loop = asyncio.get_running_loop()
        content = b"nothing read yet"
        while content:
            await self._moving()
            rate = self.flow.bytes_per_s
            try:
                content = await reader.read(max(1, min(_PIECE_BYTES, rate // _PIECES_PER_S)) if rate else _PIECE_BYTES)
            except OSError:  # reset by the peer: the end as well
                content = b""
            await held.put((loop.time(), content) if content else None)

    async def _at_the_door(self, reader: asyncio.StreamReader) -> bytes | None:
        """Wait while nothing may move; what the caller said meanwhile, or None when it left."""
        said = b""
        while self.flow.mode == "stall":
            moving, piece = asyncio.create_task(self._moving()), asyncio.create_task(reader.read(_PIECE_BYTES))
            await asyncio.wait((moving, piece), return_when=asyncio.FIRST_COMPLETED)
            moving.cancel()
            if not piece.done():
                piece.cancel()
                await asyncio.gather(piece, return_exceptions=True)
                continue
            if not (content := piece.result()):
                return None
            said += content
        return said

    async def _moving(self) -> None:
        """Wait while nothing may move."""
        while self.flow.mode == "stall":
            await self._changed.wait()

    async def _due(self, came_s: float) -> None:
        """Wait until a piece that came then is due, by the delay of now."""
        loop = asyncio.get_running_loop()
        while (left_s := came_s + self.flow.delay_ms / 1000 - loop.time()) > 0:
            await self._changed_within(left_s)

    async def _paced(self, size_bytes: int) -> None:
        """Wait for this piece's turn under throttle."""
        loop = asyncio.get_running_loop()
        flow = self.flow
        if flow.mode != "throttle":
            return
        turn_s = max(self._next_send_s, loop.time())
        self._next_send_s = turn_s + size_bytes / flow.bytes_per_s
        while self.flow is flow and (left_s := turn_s - loop.time()) > 0:
            await self._changed_within(left_s)

    async def _changed_within(self, left_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), left_s)
