import asyncio
from collections.abc import Awaitable, Callable

import pytest

from experiments.testbed.system.relay import Flow, Relay, read_flow

TARGETS = {"us-east-1": 1, "us-west-2": 2}
NOW = Flow("pass", 0, 0, "us-west-2")


def test_a_flow_is_read_and_the_target_stays() -> None:
    assert read_flow({"mode": "stall"}, NOW, TARGETS) == Flow("stall", 0, 0, "us-west-2")
    asked = {"mode": "throttle", "bytes_per_s": 900, "delay_ms": 20, "target": "us-east-1"}
    assert read_flow(asked, NOW, TARGETS) == Flow("throttle", 900, 20, "us-east-1")


@pytest.mark.parametrize(
    ("body", "about"),
    [
        ({}, "mode"),
        ({"mode": "fast"}, "mode"),
        ({"mode": "throttle"}, "bytes_per_s"),
        ({"mode": "pass", "bytes_per_s": 5}, "bytes_per_s"),
        ({"mode": "throttle", "bytes_per_s": 1.5}, "bytes_per_s"),
        ({"mode": "pass", "delay_ms": -1}, "delay_ms"),
        ({"mode": "pass", "target": "eu-west-1"}, "target"),
    ],
)
def test_what_is_no_flow_is_refused_by_name(body: dict[str, object], about: str) -> None:
    found = read_flow(body, NOW, TARGETS)
    assert isinstance(found, str)
    assert found.startswith(about)


Script = Callable[[Relay, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def through_a_relay(script: Script, begin: str = "pass") -> None:
    """A server that answers in capitals, a relay to it, a client that plays a script."""

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while content := await reader.read(1000):
            writer.write(content.upper())
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(shout, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        relay = Relay({"us-east-1": address, "us-west-2": address}, "us-east-1")
        change(relay, begin)
        front = await asyncio.start_server(relay.carry, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*front.sockets[0].getsockname())
        try:
            async with asyncio.timeout(20):
                await script(relay, reader, writer)
        finally:
            for open_one in (writer, front, server):
                open_one.close()

    asyncio.run(run())


def change(relay: Relay, mode: str, **more: object) -> None:
    flow = read_flow({"mode": mode, **more}, relay.flow, TARGETS)
    assert isinstance(flow, Flow)
    relay.change(flow)


@pytest.mark.parametrize("begin", ["pass", "stall"])
def test_a_stall_holds_everything_and_loses_nothing(begin: str) -> None:
    async def script(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if begin == "pass":
            writer.write(b"one ")
            assert await reader.readexactly(4) == b"ONE "
            change(relay, "stall")
        before = relay.passed["to_standby"]
        sent = b"".join(b"%06d " % number for number in range(20_000))
        writer.write(sent)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        change(relay, "pass")
        assert await reader.readexactly(len(sent)) == sent
        assert relay.passed["to_standby"] - before == len(sent)

    through_a_relay(script, begin)


def test_who_leaves_during_a_stall_never_reaches_the_target() -> None:
    async def script(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.write_eof()
        assert await reader.read() == b""  # let go although nothing moves
        assert relay.passed == {"to_primary": 0, "to_standby": 0}

    through_a_relay(script, "stall")


def test_throttle_and_delay_change_no_byte() -> None:
    async def script(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        change(relay, "throttle", bytes_per_s=2_000_000, delay_ms=5)
        sent = bytes(65 + number % 26 for number in range(100_000))
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent

    through_a_relay(script)


def test_another_target_ends_the_connections() -> None:
    async def script(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"one")
        await reader.readexactly(3)
        assert relay.state()["connections"] == 1
        change(relay, "pass", target="us-west-2")
        assert await reader.read() == b""
        assert relay.state()["target"] == "us-west-2"

    through_a_relay(script)
