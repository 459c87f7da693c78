"""Exchanges with servers that answer, answer in pieces, hang, refuse, and talk nonsense."""

import asyncio

import pytest

from experiments.observe import http

from .servers import ADDRESS, NONE, free_port
from .servers import http as server

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3;x=1\r\nefg\r\n0\r\n\r\n"
PLAIN = b"HTTP/1.1 503 No\r\nX-Region: us-east-1\r\nContent-Length: 2\r\n\r\nno"


@pytest.mark.parametrize(("data", "status", "body"), [(CHUNKED, "2xx", b"abcdefg"), (PLAIN, "5xx", b"no")])
def test_an_answer_is_one_only_when_it_is_whole(data: bytes, status: str, body: bytes) -> None:
    for cut in range(len(data) - 4):
        assert http.parse(data[:cut]) is None, cut
    found = http.parse(data)
    assert found is not None
    assert (found.status, found.body) == (status, body)


def test_what_is_no_answer_is_refused() -> None:
    assert http.parse(b"SSH-2.0-OpenSSH\r\n\r\n") is http.REFUSED


def test_each_way_to_fail_has_its_word() -> None:
    async def play() -> list[str]:
        async with server(lambda *_: NONE) as hung, server(lambda *_: (404, {}, {})) as there:
            ports = (hung.port, free_port(), there.port)
            return [(await http.get(ADDRESS, port, "/", 0.1)).status for port in ports]

    assert asyncio.run(play()) == ["timeout", "refused", "4xx"]


def test_a_connection_is_used_again_until_somebody_closes_it() -> None:
    async def play() -> tuple[list[int], int]:
        async with server(lambda *_: (200, {"X-Region": "us-east-1"}, {"a": 1})) as there:
            connection = await http.connect(ADDRESS, there.port)
            assert connection is not None
            data = http.request("GET", "/x", "name", keep=True)
            codes = [(await connection.exchange(data)).code for _ in range(3)]
            connection.close()
            codes.append((await connection.exchange(data)).code)
            return codes, there.open_most

    assert asyncio.run(play()) == ([200, 200, 200, 0], 1)
