"""The answer to one request, between the socket that fills it and the task that takes it."""

import asyncio
from typing import Protocol

from gateway.call import Headers
from gateway.errors import Cut, GatewayError

_MAX_BUFFERED_BYTES = 65_536
_LINGER_SECONDS = 1.0  # seconds that the last bytes of a whole answer may take
_CHUNK_OVERHEAD_BYTES = (
    64  # what a bytes object weighs beside its bytes, so that dribble is bounded too
)


class BodyProducer(Protocol):
    """What fills an exchange."""

    paused: bool

    def resume_reading(self) -> None:
        """Read on."""

    def fail_request(self, error: GatewayError) -> None:
        """Hang up."""


class ResponseBody:
    """One request's answer: its head, and the Source of its body."""

    __slots__ = (
        "_chunks",
        "_lingering",
        "_loop",
        "_size",
        "_waiter",
        "connection",
        "encoded",
        "ended",
        "error",
        "headers",
        "status",
    )

    def __init__(self, connection: "BodyProducer", loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop  # asking for the running one costs a system call
        self.connection: BodyProducer | None = connection
        self.status = 0
        self.headers: Headers = []
        self.encoded = False
        self.ended = False
        self.error: GatewayError | None = None
        self._lingering = False
        self._chunks: list[bytes] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None

    async def wait_for_head(self) -> None:
        """Waits for the head of the answer."""
        while not self.status:
            if self.error is not None:
                raise self.error
            if self._waiter is not None:
                raise RuntimeError("two tasks read one answer")
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            except BaseException:  # cancelled: nobody will take the rest
                self.abort()
                raise
            finally:
                self._waiter = None

    async def read(self) -> bytes:
        """What has arrived; empty at the end."""
        while not self._size:
            if self.ended:
                return b""
            if self.error is not None:
                raise self.error
            # As in `head`: in a place of its own, this would be one coroutine more for each chunk.
            if self._waiter is not None:
                raise RuntimeError("two tasks read one answer")
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            except BaseException:
                self.abort()
                raise
            finally:
                self._waiter = None
        chunks, self._chunks, self._size = self._chunks, [], 0
        if self.connection is not None and self.connection.paused:
            self.connection.resume_reading()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def rest(self) -> bytes | None:
        """All that is left, where it is here; None where more may come, or a fault."""
        if not self.ended:
            return None
        chunks, self._chunks, self._size = self._chunks, [], 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def aclose(self) -> None:
        """Hang up unless the answer is whole."""
        self.abort()

    def abort(self) -> None:
        """Hang up unless the answer is whole; what was not taken is dropped."""
        connection = self.connection
        if connection is not None:
            connection.fail_request(Cut("the answer was closed here before its end"))
        self._chunks, self._size = [], 0

    def linger(self) -> bool:
        """Reads away what follows an answer's end, for a second; then, or before, it is let go."""
        if self.connection is None:
            return True
        self._lingering = True
        self._chunks, self._size = [], 0
        if self.connection.paused:
            self.connection.resume_reading()
        self._loop.call_later(_LINGER_SECONDS, self.abort)
        return True

    def push_chunk(self, data: bytes) -> bool:
        """Takes a chunk, and wakes who waits for one; true where there are enough."""
        if self._lingering:
            return False
        self._chunks.append(data)
        self._size += len(data) + _CHUNK_OVERHEAD_BYTES
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        return self._size > _MAX_BUFFERED_BYTES

    def wake_reader(self) -> None:
        """Something has changed."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
