"""What a scripted upstream can be told to do, one step at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

Header = tuple[bytes | str, bytes | str]
StepFunction = Callable[["ScriptExchange"], Awaitable[None]]
Script = Sequence[StepFunction] | StepFunction


class Step:
    """One thing to do."""

    async def __call__(self, exchange: "ScriptExchange") -> None:
        """Do it."""
        raise NotImplementedError


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    connection: int
    received_at: float

    def get_header(self, name: bytes) -> bytes | None:
        """The first header of that lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


class ScriptConnection(Protocol):
    """The socket a script writes to."""

    peer_left: asyncio.Event
    transport: asyncio.Transport

    async def send(self, data: bytes) -> None:
        """Writes and waits until the socket took most of it."""

    def reset(self) -> None:
        """RST."""


@dataclass
class ScriptExchange:
    """What a script acts on."""

    request: ReceivedRequest
    connection: "ScriptConnection"

    @property
    def peer_closed(self) -> asyncio.Event:
        """Set once the peer has closed its side or the socket is gone."""
        return self.connection.peer_left

    async def send(self, data: bytes) -> None:
        """Writes and waits until the socket took most of it. ConnectionResetError once closed."""
        await self.connection.send(data)

    async def run_script(self, script: Script) -> None:
        """Runs a script, or a part of one."""
        if callable(script):
            await script(self)
        else:
            for step in script:
                await step(self)


def _encode_text(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


@dataclass(frozen=True)
class Head(Step):
    """A status line and these headers, nothing else."""

    status: int = 200
    headers: Sequence[Header] = ()
    version: str = "1.1"

    async def __call__(self, exchange: ScriptExchange) -> None:
        head = f"HTTP/{self.version} {self.status} Scripted\r\n".encode()
        for name, value in self.headers:
            head += _encode_text(name) + b": " + _encode_text(value) + b"\r\n"
        await exchange.send(head + b"\r\n")


@dataclass(frozen=True)
class Send(Step):
    """Bytes as they are."""

    data: bytes

    async def __call__(self, exchange: ScriptExchange) -> None:
        await exchange.send(self.data)


@dataclass(frozen=True)
class Dribble(Step):
    """The same bytes one at a time, each its own write."""

    data: bytes
    seconds: float = 0.0

    async def __call__(self, exchange: ScriptExchange) -> None:
        for at in range(len(self.data)):
            await exchange.send(self.data[at : at + 1])
            await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class Chunk(Step):
    """One chunk of a chunked body; the empty one ends it."""

    data: bytes = b""

    async def __call__(self, exchange: ScriptExchange) -> None:
        await exchange.send(b"%x\r\n%b\r\n" % (len(self.data), self.data))


@dataclass(frozen=True)
class Pause(Step):
    """Seconds in which nothing is sent."""

    seconds: float

    async def __call__(self, exchange: ScriptExchange) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class WaitFor(Step):
    """Goes on once an event of the test is set."""

    event: asyncio.Event

    async def __call__(self, exchange: ScriptExchange) -> None:
        await self.event.wait()


@dataclass(frozen=True)
class Stall(Step):
    """Sends nothing more until the peer has left."""

    async def __call__(self, exchange: ScriptExchange) -> None:
        await exchange.peer_closed.wait()


@dataclass(frozen=True)
class Reset(Step):
    """RST."""

    async def __call__(self, exchange: ScriptExchange) -> None:
        exchange.connection.reset()


@dataclass(frozen=True)
class HalfClose(Step):
    """FIN, while still reading."""

    async def __call__(self, exchange: ScriptExchange) -> None:
        exchange.connection.transport.write_eof()


@dataclass(frozen=True)
class Close(Step):
    """FIN both ways, after what was written."""

    async def __call__(self, exchange: ScriptExchange) -> None:
        exchange.connection.transport.close()


@dataclass(frozen=True)
class Json(Step):
    """A whole answer of known length."""

    value: object = field(default_factory=dict)
    status: int = 200
    headers: Sequence[Header] = ()

    async def __call__(self, exchange: ScriptExchange) -> None:
        value = self.value
        body = value if isinstance(value, bytes) else msgspec.json.encode(value)
        head = [("content-type", "application/json"), ("content-length", str(len(body)))]
        given = {_encode_text(name).lower() for name, _ in self.headers}
        kept: list[Header] = [pair for pair in head if pair[0].encode() not in given]
        parts = b"HTTP/1.1 %d Scripted\r\n" % self.status
        for name, text in (*kept, *self.headers):
            parts += _encode_text(name) + b": " + _encode_text(text) + b"\r\n"
        await exchange.send(parts + b"\r\n" + body)


@dataclass(frozen=True)
class SSE(Step):
    """A chunked event stream: each of the frames its own chunk and write, then the end."""

    frames: Sequence[bytes]
    seconds: float = 0.0
    status: int = 200
    headers: Sequence[Header] = ()
    end: bool = True

    async def __call__(self, exchange: ScriptExchange) -> None:
        own: list[Header] = [("content-type", "text/event-stream; charset=utf-8")]
        await Head(self.status, [*own, ("transfer-encoding", "chunked"), *self.headers])(exchange)
        for frame in self.frames:
            await Chunk(frame)(exchange)
            await asyncio.sleep(self.seconds)
        if self.end:
            await Chunk()(exchange)
