"""The protocol that a server is given, and the plain ASGI way when the fast path is off."""

import asyncio
import http.client
import re
from pathlib import Path

import msgspec
import pytest

from gateway.app import build
from gateway.config.load import load_config
from gateway.config.schema import Server
from gateway.config.size import Size
from gateway.edge.fast_path import FastPathProtocol
from gateway.edge.http_limits import LimitedProtocol
from gateway.server.serve import _uvicorn
from tests.fakes.running import run_gateway

CONFIG = """\
[server]
fast_path = {}
body_limit = 300
max_headers = 12
"""
CHAT = {"model": "echo:m", "messages": [{"role": "user", "content": "hi there"}]}
MESSAGES = CHAT | {"max_tokens": 9}
VARYING = re.compile(rb'(?:req|chatcmpl|msg)_?-?[0-9a-z]{8,}|"created":\d+|\d+\.\d+')
REQUESTS: tuple[tuple[str, object, int], ...] = (
    ("/v1/chat/completions", CHAT, 0),
    ("/v1/chat/completions", CHAT | {"stream": True}, 0),
    ("/v1/messages", MESSAGES, 0),
    ("/v1/messages", MESSAGES | {"stream": True}, 0),
    ("/v1/chat/completions", CHAT | {"model": "nobody:m"}, 0),
    ("/v1/chat/completions", {"model": 3}, 0),
    ("/v1/chat/completions", CHAT | {"user": "x" * 300}, 0),
    ("/v1/chat/completions", CHAT, 20),
    ("/v1/nowhere", CHAT, 0),
)
STATUSES = [200, 200, 200, 200, 404, 400, 413, 431, 404]

Answer = tuple[int, list[tuple[str, bytes]], bytes]


def ask(port: int, path: str, body: object, extra_headers: int) -> Answer:
    """Status, headers and body of one answer, without what differs from call to call."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"connection": "close"} | {f"x-{place}": "y" for place in range(extra_headers)}
    connection.request("POST", path, msgspec.json.encode(body), headers)
    answer = connection.getresponse()
    data = VARYING.sub(b"*", answer.read())
    connection.close()
    kept = [
        (name.lower(), VARYING.sub(b"*", value.encode()))
        for name, value in answer.getheaders()
        if name.lower() not in ("date", "content-length")
    ]
    return answer.status, sorted(kept), data


async def answers(folder: Path, value: str) -> list[Answer]:
    """What a gateway with `fast_path` of that value answers to each request."""
    async with run_gateway(folder, CONFIG.format(value)) as running:
        return [await asyncio.to_thread(ask, running.port, *each) for each in REQUESTS]


async def test_without_the_fast_path_answers_are_the_same(tmp_path: Path) -> None:
    plain = await answers(tmp_path, "false")
    assert [status for status, _, _ in plain] == STATUSES
    assert plain[1][2].endswith(b"data: [DONE]\n\n")
    assert b"event: message_stop" in plain[3][2]
    assert plain == await answers(tmp_path, "true")


@pytest.mark.parametrize("fast", [True, False])
async def test_the_option_chooses_the_protocol_and_the_limits_hold_for_both(fast: bool) -> None:
    options = Server(fast_path=fast, max_headers=7, max_header_bytes=Size(99), header_timeout=3.0)
    protocol = _uvicorn(build(load_config(None, {})), options).http
    assert isinstance(protocol, type)
    assert issubclass(protocol, LimitedProtocol)
    assert issubclass(protocol, FastPathProtocol) == fast
    limits = (protocol.max_headers, protocol.max_header_bytes, protocol.header_timeout)
    assert limits == (7, 99, 3.0)
