"""The other workers of this gateway, and the private line on which they are asked.

A socket pair joins each worker to the supervisor, which passes questions on to the others. Nothing
of it lies on the way of a call: only who asks for figures waits, and no longer than `PATIENCE`.
A message is msgpack behind its length, four bytes, big-endian.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, cast

import msgspec
from msgspec import Struct

PATIENCE = 2.0
"""Seconds after which workers that did not answer are left out."""
_KEEP = 1.0
Answering = Callable[[bytes], Awaitable[bytes]]
"""What a worker has to say on a topic; the bytes are what the topic makes of them."""


class Ask(Struct, tag=True):
    """A question to the other workers, or to the one at `to`."""

    id: int
    topic: str
    about: bytes
    to: int = 0


class Answer(Struct, tag=True):
    """What one worker says; None where it has no answer."""

    id: int
    body: bytes | None
    keep: bool = False
    """It is to be said for it when it has ended."""


class Answers(Struct, tag=True):
    """What those say that answered in time."""

    id: int
    bodies: list[bytes]


class Keep(Struct, tag=True):
    """What a worker says on a topic, to be said for it when it has ended."""

    topic: str
    body: bytes


class Tell(Struct, tag=True):
    """News for all other workers, which nobody answers."""

    topic: str
    about: bytes


class Ready(Struct, tag=True):
    """This worker serves."""


class Leaving(Struct, tag=True):
    """This worker takes no new connections."""


class Stop(Struct, tag=True):
    """Take no new calls, and end when those in flight have: or at once."""

    now: bool


Message = Ask | Answer | Answers | Keep | Tell | Ready | Leaving | Stop
_read = msgspec.msgpack.Decoder(Message).decode


class PeerConnection(asyncio.Protocol):
    """One end of a line."""

    def __init__(self, heard: Callable[[Message], None], lost: Callable[[], None]) -> None:
        self._heard = heard
        self._lost = lost
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    async def open(self, end: socket.socket) -> None:
        """Takes that end of a socket pair."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, sock=end)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end is gone."""
        self._transport = None
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Hears every message that is whole."""
        self._buffer += data
        while len(self._buffer) >= 4:
            end = 4 + int.from_bytes(self._buffer[:4], "big")
            if len(self._buffer) < end:
                return
            message = _read(self._buffer[4:end])
            del self._buffer[:end]
            self._heard(message)

    def send(self, message: Message) -> bool:
        """Sends it; False where the other end is gone."""
        if self._transport is None or self._transport.is_closing():
            return False
        packed = msgspec.msgpack.encode(message)
        self._transport.write(len(packed).to_bytes(4, "big") + packed)
        return True

    def close(self) -> None:
        """Hangs up."""
        if self._transport is not None:
            self._transport.close()


class Peers(Protocol):
    """The workers of a gateway as one of them sees them."""

    place: int
    """This worker's number, from 1; the first has duties that only one may have."""
    count: int
    """How many workers there are."""
    reached: bool
    """The last question came to the supervisor; else the others have not been heard."""

    async def ask(self, topic: str, about: bytes = b"", to: int = 0) -> list[bytes]:
        """What the others say, or the one at `to`; of those only that answered in time."""

    def tell(self, topic: str, about: bytes) -> None:
        """Has the others know; those that are gone never will."""

    def answer(self, topic: str, answering: Answering) -> None:
        """Answers the others' questions on that topic from now on, and takes what they tell."""

    def keep(self, topic: str, answering: Answering) -> None:
        """The same for a topic of which what was said last holds after this worker's end."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """The line's life."""


class NoPeers:
    """The peers of a gateway with one process: there are none."""

    place = count = 1
    reached = True

    async def ask(self, topic: str, about: bytes = b"", to: int = 0) -> list[bytes]:
        """Nobody answers."""
        return []

    def tell(self, topic: str, about: bytes) -> None:
        """Nobody hears."""

    def answer(self, topic: str, answering: Answering) -> None:
        """Nobody will ask."""

    def keep(self, topic: str, answering: Answering) -> None:
        """Nobody will ask."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """No line to keep."""
        yield


NO_PEERS = NoPeers()


class WorkerPeers:
    """The peers of a worker, behind its line to the supervisor."""

    def __init__(self, end: socket.socket, place: int, count: int) -> None:
        self.place = place
        self.count = count
        self.reached = True
        self.on_stop: Callable[[bool], None] = lambda now: None
        """Called when the supervisor says so, or is gone; with True, the end is to be at once."""
        self._end = end
        self._wire = PeerConnection(self._heard, self._lost)
        self._answerings: dict[str, Answering] = {}
        self._kept: dict[str, bytes] = {}
        self._asked: dict[int, asyncio.Future[list[bytes]]] = {}
        self._answers: set[asyncio.Future[object]] = set()
        self._last = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes up the line; left, it hangs up."""
        await self._wire.open(self._end)
        keeping = asyncio.get_running_loop().create_task(self._keep_saying())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._say_kept()
            self.on_stop = lambda now: None
            self._wire.close()

    def ready(self) -> None:
        """Tells the supervisor that this worker serves."""
        self._wire.send(Ready())

    def leaving(self) -> None:
        """Tells the supervisor that this worker takes no new connections."""
        self._wire.send(Leaving())

    def tell(self, topic: str, about: bytes) -> None:
        """Has the others know; those that are gone never will."""
        self._wire.send(Tell(topic, about))

    def answer(self, topic: str, answering: Answering) -> None:
        """Answers the others' questions on that topic from now on, and takes what they tell."""
        self._answerings[topic] = answering

    def keep(self, topic: str, answering: Answering) -> None:
        """The same for a topic of which what was said last holds after this worker's end."""
        self._answerings[topic] = answering
        self._kept[topic] = b""

    async def _keep_saying(self) -> None:
        while True:
            await asyncio.sleep(_KEEP)
            await self._say_kept()

    async def _say_kept(self) -> None:
        for topic in self._kept:
            await self._say(topic)

    async def _say(self, topic: str) -> None:
        body = await self._answerings[topic](b"")
        if body != self._kept[topic]:
            self._kept[topic] = body
            self._wire.send(Keep(topic, body))

    async def ask(self, topic: str, about: bytes = b"", to: int = 0) -> list[bytes]:
        """What the others say, or the one at `to`; of those only that answered in time."""
        if topic in self._kept:
            # Who asks tells its own figures along with the others': they have to outlive it, too.
            await self._say(topic)
        self._last = ident = self._last + 1
        if not self._wire.send(Ask(ident, topic, about, to)):
            self.reached = False
            return []
        asked: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        self._asked[ident] = asked
        try:
            async with asyncio.timeout(2 * PATIENCE):  # the supervisor itself may be stopped
                return await asked
        except TimeoutError:
            self.reached = False
            return []
        finally:
            del self._asked[ident]

    def _heard(self, message: Message) -> None:
        if isinstance(message, Ask):
            self._beside(self._tell(message))
        elif isinstance(message, Tell) and message.topic in self._answerings:
            self._beside(self._answerings[message.topic](message.about))
        elif isinstance(message, Answers):
            self.reached = True
            asked = self._asked.get(message.id)
            if asked is not None and not asked.done():
                asked.set_result(message.bodies)
        elif isinstance(message, Stop):
            self.on_stop(message.now)

    def _beside(self, work: Awaitable[object]) -> None:
        task = asyncio.ensure_future(work)
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _tell(self, ask: Ask) -> None:
        body = None
        try:
            answering = self._answerings.get(ask.topic)
            body = await answering(ask.about) if answering is not None else None
        finally:
            self._wire.send(Answer(ask.id, body, ask.topic in self._kept))

    def _lost(self) -> None:
        self.reached = False
        for asked in self._asked.values():
            if not asked.done():
                asked.set_result([])
        self.on_stop(False)
