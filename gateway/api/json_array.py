"""A Gemini stream as the elements of one JSON array: its form where no `alt=sse` is asked for."""

import re
from dataclasses import replace

from gateway.dialects.gemini import GEMINI
from gateway.errors import GatewayError
from gateway.reply import Stream
from gateway.wire.sse import Splitter

_JSON_HEADER = b"content-type: application/json; charset=UTF-8"
_EVENT_STREAM_HEADER = re.compile(rb"^content-type: text/event-stream[^\r]*", re.MULTILINE)


class JsonArray:
    """The elements of one such stream."""

    def __init__(self) -> None:
        self.dialect = replace(GEMINI, ping=b"\n", write_error_event=self._write_error)
        """Gemini, but for what is said between elements, and after them."""
        self._splitter = Splitter()
        self._is_open = False

    def feed(self, chunk: bytes) -> bytes:
        """The elements that a chunk of the events completes."""
        return b"".join(self._write_element(frame.data) for frame in self._splitter.feed(chunk))

    def finish(self) -> bytes:
        """The last elements and the end of the array."""
        rest = b"".join(self._write_element(frame.data) for frame in self._splitter.finish())
        return rest + (b"]\n" if self._is_open else b"[]\n")

    def _write_error(self, error: GatewayError, request_id: str) -> bytes:
        return self._write_element(GEMINI.write_error(error, request_id)) + b"]\n"

    def _write_element(self, data: bytes) -> bytes:
        before, self._is_open = (b",\n" if self._is_open else b"["), True
        return before + data


class _ArraySource:
    """A source of the array's bytes."""

    def __init__(self, events: Stream, array: JsonArray) -> None:
        self._events = events
        self._array = array
        self._is_over = False

    async def read(self) -> bytes:
        """The next elements; empty after the array's end."""
        while not self._is_over:
            chunk = await self._events.read()
            self._is_over = not chunk
            out = self._array.feed(chunk) if chunk else self._array.finish()
            if out:
                return out
        return b""

    async def aclose(self) -> None:
        """Let go of the events."""
        await self._events.aclose()


def make_array_stream(events: Stream, array: JsonArray) -> Stream:
    """The stream of the array; closing it closes the events."""
    return Stream(_ArraySource(events, array))


def set_json_content_type(head: bytes) -> bytes:
    """A head whose body is JSON and no events."""
    return _EVENT_STREAM_HEADER.sub(_JSON_HEADER, head)
