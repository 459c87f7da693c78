"""Small real servers on loopback: HTTP that answers, hangs or refuses, DNS with a TTL, and a pipe that is read."""

import asyncio
import contextlib
import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.rrset

from experiments.observe import wire
from experiments.observe.clock import Clock, Origin
from scenarios.record.writer import MemoryRecorder

REGION, ADDRESS = "us-east-1", "127.0.0.1"
Answer = tuple[int, dict[str, str], Any]
NONE: Answer = (0, {}, None)  # says nothing


@dataclass
class Http:
    """An HTTP server. `answer(method, path, body)` says what comes back; a status of 0: nothing, the caller hangs."""

    answer: Callable[[str, str, Any], Answer]
    port: int = 0
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    open_now: int = 0
    open_most: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.open_now += 1
        self.open_most = max(self.open_most, self.open_now)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        self.open_now -= 1
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        lengths = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length")]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        said = json.loads(body) if body else None
        self.asked.append((method, path, said))
        status, headers, content = self.answer(method, path, said)
        if not status:
            await reader.read()  # until the other side gives up
            return False
        data = json.dumps(content).encode()
        lines = "".join(f"{n}: {v}\r\n" for n, v in headers.items())
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(data)}\r\n{lines}\r\n".encode() + data)
        await writer.drain()
        return "connection: close" not in head.lower()


@contextlib.asynccontextmanager
async def http(answer: Callable[[str, str, Any], Answer]) -> AsyncIterator[Http]:
    """An HTTP server on a free port."""
    found = Http(answer)
    server = await asyncio.start_server(found.serve, ADDRESS, 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


@dataclass
class Dns(asyncio.DatagramProtocol):
    """A name server that answers every question with one address; None: it says nothing."""

    address: str | None
    ttl_s: int
    port: int = 0
    questions: int = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, sender: Any) -> None:
        self.questions += 1
        if self.address is None:
            return
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA
        answer.answer.append(dns.rrset.from_text(question.question[0].name, self.ttl_s, "IN", "A", self.address))
        self._transport.sendto(answer.to_wire(), sender)


@contextlib.asynccontextmanager
async def name_server(address: str | None, ttl_s: int) -> AsyncIterator[Dns]:
    """A name server on a free port."""
    found = Dns(address, ttl_s)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: found, (ADDRESS, 0))
    found.port = transport.get_extra_info("sockname")[1]
    yield found
    transport.close()


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as held:
        held.bind((ADDRESS, 0))
        return int(held.getsockname()[1])


def document(role: str, *, port: int, dns_port: int, outside: int = 1, **more: Any) -> dict[str, Any]:
    """Settings of a process that asks servers of a test."""
    names = ("strategic", "tactical", "risk", "copies", "prometheus", "database")
    return {
        "role": role,
        "places": {REGION: ADDRESS},
        "ports": dict.fromkeys(names, port),
        "dns": [ADDRESS, dns_port],
        "name": "trade.grandmodel.test",
        "outside": [ADDRESS, outside],
        **more,
    }


class Parent:
    """Reads what a child sends, as the parent of a run does."""

    def __init__(self) -> None:
        self.clock = Clock(Origin.soon())
        self.recorder = MemoryRecorder()
        self._reading, writing = os.pipe()
        self.wire = wire.Sender(writing)
        self._writing = writing
        self._reader = wire.Reader()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while data := os.read(self._reading, 65536):
            for message in self._reader.feed(data):
                wire.record(message, self.recorder)

    def close(self) -> None:
        """The child has ended: read to the end."""
        self.wire.close()
        os.close(self._writing)
        self._thread.join()
        os.close(self._reading)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Rows of a table."""
        rows: list[dict[str, Any]] = self.recorder.table(table).to_pylist()
        return rows


@contextlib.contextmanager
def parent() -> Iterator[Parent]:
    """A parent that has read everything when the block is left."""
    found = Parent()
    try:
        yield found
    finally:
        found.close()
