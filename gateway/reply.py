"""An answer on its way out."""

import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol

from msgspec import Struct

from gateway.call import Headers
from gateway.dialect import Dialect
from gateway.errors import GatewayError


class Source:
    """Where a stream's bytes come from."""

    __slots__ = ()

    async def read(self) -> bytes:
        """The next chunk, as it arrived; empty at the end. Raises GatewayError if it was cut."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Releases it; safe at any time, any number of times."""
        raise NotImplementedError

    def rest(self) -> bytes | None:
        """All that is left, if it has arrived already; None if it has to be read."""
        return None

    def linger(self) -> bool:
        """Whether it now reads its short rest away by itself, to keep the connection usable.

        False if it has to be closed.
        """
        return False


class Step(Protocol):
    """A change made to a stream's bytes on their way."""

    done: bool
    """The stream is over for the client, whatever the source still has."""
    cut: bool
    """It was ended here, while the source still has much to say: it must be hung up on."""
    error: GatewayError | None
    """What ended it; raised to the reader after the bytes that came before it."""

    def feed(self, chunk: bytes) -> bytes:
        """What becomes of a chunk; never raises a GatewayError, sets `error`."""

    def finish(self) -> bytes:
        """What follows the last chunk; sets `error` where the stream ended too early."""


class Stream(Source):
    """Bytes still arriving, and the one way to let go: closing any view closes the source."""

    __slots__ = ("_closed", "_source", "read")

    read: Callable[[], Coroutine[Any, Any, bytes]]
    """The next chunk; empty at the end, and from then on."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._closed = False
        self.read = source.read

    def through(self, step: Step) -> "Stream":
        """This stream with every chunk passed through a step; from now on read that one."""
        self._closed = True  # the view owns the source now
        return Stream(_Stepped(self._source, step))

    async def aclose(self) -> None:
        """Let go of the source."""
        self._closed = True
        await self._source.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk

    def __del__(self) -> None:
        if not self._closed:
            warnings.warn(f"{self!r} was never closed", ResourceWarning, source=self, stacklevel=2)


class _Stepped(Source):
    __slots__ = ("_over", "_source", "_step")

    def __init__(self, source: Source, step: Step) -> None:
        self._source = source
        self._step = step
        self._over = False

    async def read(self) -> bytes:
        step = self._step
        while not self._over:
            if step.error is not None:
                self._over = True
                raise step.error
            try:
                chunk = await self._source.read()
            except GatewayError as fault:
                # An upstream that hangs up, or falls silent, after its ending has still ended.
                out = step.finish()
                if step.error is not None:
                    step.error = fault
                self._over = step.error is None
            else:
                if chunk:
                    out = step.feed(chunk)
                    self._over = step.done and step.error is None
                else:
                    out = step.finish()
                    self._over = step.error is None
            if out:
                return out
        return b""

    async def aclose(self) -> None:
        self._over = True
        if self._step.done and not self._step.cut and self._source.linger():
            return
        await self._source.aclose()


class BytesSource(Source):
    """A source of one chunk that is here already."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        """The chunk; after it, the end."""
        body, self._body = self._body, b""
        return body

    async def aclose(self) -> None:
        """Drop the chunk."""
        self._body = b""


class Prepended(Source):
    """A source whose first chunks were read already."""

    __slots__ = ("_chunks", "_source", "read")

    read: Callable[[], Coroutine[Any, Any, bytes]]
    """The chunks read already, then the source's: from then on, the source's own `read`."""

    def __init__(self, chunks: list[bytes], source: Source) -> None:
        self._chunks = chunks[::-1]
        self._source = source
        self.read = self._read_again

    async def _read_again(self) -> bytes:
        if self._chunks:
            return self._chunks.pop()
        self.read = self._source.read
        return await self._source.read()

    def linger(self) -> bool:
        """As the source does."""
        return self._source.linger()

    async def aclose(self) -> None:
        """Let go of the source."""
        await self._source.aclose()


class Reply(Struct, frozen=True):
    """An answer: bytes, or a stream of them, in a dialect. Whoever drops one closes it."""

    status: int
    dialect: Dialect
    body: bytes | Stream
    headers: Headers = []
    """What of the upstream's headers a client may see."""
    error: GatewayError | None = None
    """What the body says, where it is an upstream's error."""

    async def aclose(self) -> None:
        """Let go of the body."""
        if isinstance(self.body, Stream):
            await self.body.aclose()
