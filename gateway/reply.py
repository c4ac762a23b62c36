"""An answer on its way out."""

import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol, Self

from msgspec import Struct
from msgspec.structs import replace

from gateway.call import Headers
from gateway.dialect import Dialect
from gateway.errors import GatewayError
from gateway.lanes.step import Step
from gateway.lanes.text_filter import TextFilter, TextFilterStep, filter_body


class Source(Protocol):
    """Where a stream's bytes come from."""

    async def read(self) -> bytes:
        """The next chunk, as it arrived; empty at the end. GatewayError where it was cut."""

    async def aclose(self) -> None:
        """Let go of it; safe at any time, any number of times."""


class Stream:
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


class _Stepped:
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
        if self._step.done and not self._step.cut and linger(self._source):
            return
        await self._source.aclose()


def linger(source: Source) -> bool:
    """Whether the source reads its little rest away by itself, so that its connection can serve on.

    A source may offer `linger()`; what does not is closed.
    """
    offered = getattr(source, "linger", None)
    return offered is not None and bool(offered())


class BytesSource:
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


class Prepended:
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
        return linger(self._source)

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

    def filter_text(self, texts: TextFilter) -> Self:
        """Return the reply with its visible text passed through a filter, whole or streamed.

        Errors of an upstream pass as they are. Raises the filter's GatewayError for a whole
        answer; in a stream the error ends the answer in-band.
        """
        if self.error is not None:
            return self
        find_texts = self.dialect.find_answer_texts
        if isinstance(self.body, bytes):
            return replace(self, body=filter_body(self.body, find_texts, texts))
        step = TextFilterStep(find_texts, texts, self.dialect.ping)
        return replace(self, body=self.body.through(step))

    async def aclose(self) -> None:
        """Let go of the body."""
        if isinstance(self.body, Stream):
            await self.body.aclose()
