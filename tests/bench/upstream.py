"""The scripted upstream: answers made beforehand, picked by path, so that it costs next to nothing.

`/v1/...` answers whole; `/e10p1/v1/...` streams pieces of 10 events with 1 ms between two of them;
`/e1p50s/v1/...` says in each when it was sent.
Run as `python -m tests.bench.upstream CORE awake|asleep [FOLDER]`: it prints its port, and that of
TLS with the certificate of the folder or 0, and ends with its standard input.
"""

import asyncio
import os
import re
import ssl
import sys
from collections.abc import Iterator
from random import random
from time import monotonic_ns
from typing import cast

import uvloop

from tests.bench import awake, script

_STREAM = re.compile(rb"/e(\d+)p(\d+)(s?)(/.*)")
_LENGTH = b"content-length:"
# What only a request in the other dialect has, or one whose model or key was not exchanged.
_FOREIGN: dict[script.Dialect, tuple[bytes, ...]] = {
    "chat": (b'"input_schema"', b'"tool_use_id"', b'"bench-chat', b'"bench-messages'),
    "messages": (b'"tool_calls"', b'"max_completion_tokens"', b'"bench-chat', b'"bench-messages'),
}


class Answer:
    """One path's answer: the head with the first piece, the other pieces, the pause between."""

    def __init__(self, path: bytes) -> None:
        found = _STREAM.fullmatch(path)
        rest = found[4] if found else path
        self.dialect: script.Dialect = "messages" if rest.endswith(b"/messages") else "chat"
        self.pause = 0.0
        self.stamped = found is not None and found[3] == b"s"
        self.pieces: list[bytes] = []
        if found is None:
            body = script.answer(self.dialect)
            self.first = _head(b"application/json", b"content-length: %d" % len(body)) + body
            return
        self.pause = int(found[2]) / 1000
        size, events = int(found[1]), script.events(self.dialect, stamped=self.stamped)
        pieces = [b"".join(events[n : n + size]) for n in range(0, len(events), size)]
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
        chunks[-1] += b"0\r\n\r\n"
        head = _head(b"text/event-stream", b"transfer-encoding: chunked")
        self.first, self.pieces = head + chunks[0], chunks[1:]


def _head(kind: bytes, framing: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-type: %b\r\n%b\r\n"
        b"x-request-id: req_bench_0123456789\r\nx-ratelimit-remaining-requests: 4999\r\n"
        b"server: scripted\r\n\r\n" % (kind, framing)
    )


_answers: dict[bytes, Answer] = {}


class Upstream(asyncio.Protocol):
    """One connection; requests come one at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._parts: list[bytes] = []
        self._missing = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._loop = asyncio.get_running_loop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops a stream that nobody reads any more."""
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answers as soon as the body is here whole."""
        if self._missing:
            self._parts.append(data)
            self._missing -= len(data)
            if self._missing <= 0:
                data, self._parts = b"".join(self._parts), []
                self._answer(data)
            return
        data = self._buffer + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._buffer = data
            return
        self._buffer = b""
        head = data[:end].lower()
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        self._missing = end + 4 + length - len(data)
        if self._missing > 0:
            self._parts.append(data)
        else:
            self._answer(data)

    def _answer(self, request: bytes) -> None:
        self._missing = 0
        path = request[:200].split(b" ", 2)[1]
        answer = _answers.get(path)
        if answer is None:
            answer = _answers[path] = Answer(path)
        fault = _fault(request, answer.dialect)
        if fault:
            head = b"HTTP/1.1 400 Bad Request\r\ncontent-length: %d\r\n\r\n" % len(fault)
            self._transport.write(head + fault)
            return
        self._transport.write(answer.first)
        if answer.pieces:
            self._later(iter(answer.pieces), answer)

    def _later(self, pieces: Iterator[bytes], answer: Answer) -> None:
        def send() -> None:
            piece = next(pieces, None)
            if piece is not None:
                if answer.stamped:
                    stamp = script.STAMP % (monotonic_ns() // 1000)
                    piece = piece.replace(script.BLANK, stamp)
                self._transport.write(piece)
                self._timer = self._loop.call_later(answer.pause, send)

        # Streams that begin together would else send together for ever.
        first = random() if answer.stamped else 1.0  # no secret
        self._timer = self._loop.call_later(answer.pause * first, send)


def _fault(request: bytes, dialect: script.Dialect) -> bytes:
    """What is wrong with a request that should have been made fit for this upstream."""
    if script.KEY.encode() in request[:2048]:
        return b'{"error":{"message":"the key of the gateway came upstream"}}'
    for mark in _FOREIGN[dialect]:
        if mark in request:
            return b'{"error":{"message":"not converted: %b"}}' % mark.replace(b'"', b"'")
    return b""


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=2048)
    awake.keep(sys.argv[2])
    secure = None
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{sys.argv[3]}/cert.pem", f"{sys.argv[3]}/key.pem")
        secure = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=2048, ssl=context)
    print(_port(server), _port(secure) if secure else 0, flush=True)
    # The parent's end of the pipe closes with the parent, however that ends.
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    if secure:
        secure.close()


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    uvloop.run(_serve())
