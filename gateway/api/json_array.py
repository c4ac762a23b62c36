"""A Gemini stream as the elements of one JSON array: its form where no `alt=sse` is asked for."""

import re
from dataclasses import replace

from gateway.dialects.gemini import GEMINI
from gateway.errors import GatewayError
from gateway.reply import Stream
from gateway.wire.sse import Splitter

_JSON = b"content-type: application/json; charset=UTF-8"
_EVENTS = re.compile(rb"^content-type: text/event-stream[^\r]*", re.MULTILINE)


class Array:
    """The elements of one such stream."""

    def __init__(self) -> None:
        self.dialect = replace(GEMINI, ping=b"\n", write_error_event=self._last)
        """Gemini, but for what is said between elements, and after them."""
        self._splitter = Splitter()
        self._open = False

    def elements(self, chunk: bytes) -> bytes:
        """The elements that a chunk of the events completes."""
        return b"".join(self._element(frame.data) for frame in self._splitter.feed(chunk))

    def end(self) -> bytes:
        """The last elements and the end of the array."""
        rest = b"".join(self._element(frame.data) for frame in self._splitter.finish())
        return rest + (b"]\n" if self._open else b"[]\n")

    def _last(self, error: GatewayError, request_id: str) -> bytes:
        return self._element(GEMINI.write_error(error, request_id)) + b"]\n"

    def _element(self, data: bytes) -> bytes:
        before, self._open = (b",\n" if self._open else b"["), True
        return before + data


class _Elements:
    """A source of the array's bytes."""

    def __init__(self, events: Stream, array: Array) -> None:
        self._events = events
        self._array = array
        self._over = False

    async def read(self) -> bytes:
        """The next elements; empty after the array's end."""
        while not self._over:
            chunk = await self._events.read()
            self._over = not chunk
            out = self._array.elements(chunk) if chunk else self._array.end()
            if out:
                return out
        return b""

    async def aclose(self) -> None:
        """Let go of the events."""
        await self._events.aclose()


def as_array(events: Stream, array: Array) -> Stream:
    """The stream of the array; closing it closes the events."""
    return Stream(_Elements(events, array))


def retyped(head: bytes) -> bytes:
    """A head whose body is JSON and no events."""
    return _EVENTS.sub(_JSON, head)
