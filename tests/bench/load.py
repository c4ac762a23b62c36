"""The load generator: keep-alive connections in a closed loop, every reply looked at.

Run as `python -m tests.bench.load CORE awake|asleep`: orders as JSON lines on standard input, a
result for each on standard output.
"""

import asyncio
import os
import re
import sys
from time import monotonic_ns, perf_counter
from typing import cast

import httptools
import msgspec
import uvloop
from msgspec import Struct

from tests.bench import awake, peers
from tests.bench.cases import NAMED, PREFIXES, SLOW_PREFIXES, Case, fault

_STAMP = re.compile(rb"@(\d{16})")
PATIENCE = 30.0
"""Seconds without the end of a round after which it has failed."""


class Open(Struct, tag=True):
    """Connects; every later order means these connections."""

    case: str
    port: int
    connections: int
    slow: bool = False
    headers: tuple[str, ...] = ()


class Run(Struct, tag=True):
    """Requests, one after the other on every connection, until the time or the count is up."""

    seconds: float = 0.0
    requests: int = 0


class Hold(Struct, tag=True):
    """One stream on every connection; done when each has had its first bytes."""


class Rest(Struct, tag=True):
    """Reads the held streams for so long."""

    seconds: float


class Close(Struct, tag=True):
    """Closes the connections."""


Order = Open | Run | Hold | Rest | Close


class Result(Struct):
    """What came of an order."""

    done: int = 0
    failed: int = 0
    faults: list[str] = []
    seconds: float = 0.0
    reads: int = 0
    """Reads that brought bytes of a body: how far events came one by one."""
    events: int = 0
    p50: float = 0.0
    """Seconds of an answer; of held streams, from an event's sending to its reading."""
    p99: float = 0.0


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self.begun = 0.0
        self.busy = False
        self.first: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """A request without its answer has failed."""
        if self.busy and not self._load.closing:
            self._load.answered(self, f"the connection was closed: {exc}")

    def send(self) -> None:
        """The next request."""
        self.busy = True
        self.begun = perf_counter()
        self.transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        """Bytes of a reply."""
        self._load.reads += 1
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as wrong:
            self._load.answered(self, f"not HTTP: {wrong}")
            self.transport.close()

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self.first is not None:
            self._load.seen(data)
            if not self.first.done():
                status = self._parser.get_status_code()
                self.first.set_result(None)
                if status != 200:
                    self._load.blame(fault(self._load.case, status, data))
            return
        self._parts.append(data)

    def on_message_complete(self) -> None:
        """The reply is whole."""
        body = b"".join(self._parts)
        self._parts.clear()
        status = self._parser.get_status_code()
        wrong = "" if self.first is not None else fault(self._load.case, status, body)
        # The parser goes on with the next reply of the connection by itself.
        self._load.answered(self, wrong)


class Load:
    """The connections of one case, and what they counted."""

    def __init__(self, order: Open) -> None:
        self.case: Case = (NAMED | peers.NAMED)[order.case]
        prefixes = SLOW_PREFIXES if order.slow else PREFIXES
        self.request = self.case.request(prefixes, order.headers)
        self.closing = False
        self.reads = self.events = 0
        self._order = order
        self._clients: list[Client] = []
        self._reset()

    def _reset(self) -> None:
        self._times: list[float] = []
        self._faults: list[str] = []
        self._failed = self._waiting = self._left = 0
        self._until = 0.0
        self.reads = self.events = 0

    async def open(self) -> None:
        """Connects."""
        loop = asyncio.get_running_loop()
        for _ in range(self._order.connections):
            _, client = await loop.create_connection(
                lambda: Client(self), "127.0.0.1", self._order.port
            )
            self._clients.append(client)

    async def run(self, order: Run) -> Result:
        """A round, to the last reply: nothing is under way when it returns."""
        self._reset()
        self._left = order.requests or sys.maxsize
        self._ended = asyncio.get_running_loop().create_future()
        clients = self._clients[: self._left]
        self._waiting = len(clients)
        began = perf_counter()
        self._until = began + order.seconds if order.seconds else float("inf")
        for client in clients:
            self._left -= 1
            client.send()
        try:
            await asyncio.wait_for(self._ended, order.seconds + PATIENCE * (1 + order.requests))
        except TimeoutError:
            self.blame("the round did not end")
        return self._result(perf_counter() - began)

    def answered(self, client: Client, wrong: str) -> None:
        """Counts a reply and sends the connection's next request."""
        client.busy = False
        now = perf_counter()
        if wrong:
            self.blame(wrong)
        else:
            self._times.append(now - client.begun)
        if self._left > 0 and now < self._until and not wrong:
            self._left -= 1
            client.send()
            return
        self._waiting -= 1
        if self._waiting == 0 and not self._ended.done():
            self._ended.set_result(None)

    def seen(self, data: bytes) -> None:
        """Counts the events of a held stream, and how long they took."""
        self.events += data.count(b"\n\n")
        now = monotonic_ns() // 1000
        for stamp in _STAMP.findall(data):
            self._times.append((now - int(stamp)) / 1e6)

    def blame(self, wrong: str) -> None:
        """Notes a failed request."""
        self._failed += 1
        if len(self._faults) < 3:
            self._faults.append(wrong)

    async def hold(self) -> Result:
        """Opens a stream on every connection."""
        self._reset()
        loop = asyncio.get_running_loop()
        self._waiting = len(self._clients) + 1
        self._ended = loop.create_future()
        firsts = [loop.create_future() for _ in self._clients]
        began = perf_counter()
        for client, first in zip(self._clients, firsts, strict=True):
            client.first = first
            client.send()
        done, late = await asyncio.wait(firsts, timeout=PATIENCE)
        for _ in late:
            self.blame("a stream did not begin")
        result = self._result(perf_counter() - began)
        result.done = len(done)
        return result

    async def rest(self, seconds: float) -> Result:
        """Reads on."""
        self.reads = self.events = 0
        self._times.clear()
        began = perf_counter()
        await asyncio.sleep(seconds)
        return self._result(perf_counter() - began)

    async def close(self) -> None:
        """Drops the connections, and what is under way on them."""
        self.closing = True
        for client in self._clients:
            client.transport.abort()
        await asyncio.sleep(0.02)

    def _result(self, seconds: float) -> Result:
        times = sorted(self._times)
        return Result(
            done=len(times),
            failed=self._failed,
            faults=self._faults,
            seconds=seconds,
            reads=self.reads,
            events=self.events,
            p50=times[len(times) // 2] if times else 0.0,
            p99=times[len(times) * 99 // 100] if times else 0.0,
        )


async def _orders() -> None:
    loop = asyncio.get_running_loop()
    awake.keep(sys.argv[2])
    read = msgspec.json.Decoder(Order).decode
    load: Load | None = None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order, result = read(line), Result()
        if isinstance(order, Open):
            load = Load(order)
            await load.open()
        elif load is not None:
            result = await _obeyed(load, order)
        print(msgspec.json.encode(result).decode(), flush=True)


async def _obeyed(load: Load, order: Run | Hold | Rest | Close) -> Result:
    if isinstance(order, Run):
        return await load.run(order)
    if isinstance(order, Hold):
        return await load.hold()
    if isinstance(order, Rest):
        return await load.rest(order.seconds)
    await load.close()
    return Result()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    uvloop.run(_orders())
