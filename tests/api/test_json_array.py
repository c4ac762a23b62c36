"""A Gemini stream as a JSON array."""

import msgspec
import pytest

from gateway.api.json_array import JsonArray, make_array_stream, set_json_content_type
from gateway.errors import Cut
from gateway.reply import BytesSource, Stream

EVENTS = b'data: {"a":1}\n\ndata: {"b":\ndata: 2}\r\n\r\n: no\n\ndata: {"c":"\xc3\xa9"}'


class FailingChunkSource:
    """A source of these chunks; an error is raised in its place."""

    def __init__(self, *chunks: bytes | Cut) -> None:
        self.chunks = list(chunks)
        self.closed = 0

    async def read(self) -> bytes:
        chunk = self.chunks.pop(0) if self.chunks else b""
        if isinstance(chunk, Cut):
            raise chunk
        return chunk

    async def aclose(self) -> None:
        self.closed += 1


async def whole(source: FailingChunkSource | BytesSource) -> bytes:
    """All that comes of a stream, as an array."""
    stream = make_array_stream(Stream(source), JsonArray())
    try:
        return b"".join([chunk async for chunk in stream])
    finally:
        await stream.aclose()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_each_event_is_an_element(size: int) -> None:
    pieces = [EVENTS[at : at + size] for at in range(0, len(EVENTS), size)]
    assert msgspec.json.decode(await whole(FailingChunkSource(*pieces))) == [
        {"a": 1},
        {"b": 2},
        {"c": "é"},
    ]


async def test_elements_come_as_their_events_do() -> None:
    source = FailingChunkSource(b'data: {"a":1}\n\n', b'data: {"b":2}\n\n')
    stream = make_array_stream(Stream(source), JsonArray())
    assert await stream.read() == b'[{"a":1}'
    assert await stream.read() == b',\n{"b":2}'
    assert await stream.read() == b"]\n"
    assert await stream.read() == b""
    await stream.aclose()
    assert source.closed == 1


async def test_a_stream_of_nothing_is_an_empty_array() -> None:
    assert await whole(BytesSource(b"")) == b"[]\n"


async def test_an_error_is_the_last_element() -> None:
    array = JsonArray()
    stream = make_array_stream(
        Stream(FailingChunkSource(b'data: {"a":1}\n\n', Cut("it hung up"))), array
    )
    told = await stream.read()
    with pytest.raises(Cut) as cut:
        await stream.read()
    await stream.aclose()
    told += array.dialect.ping + array.dialect.write_error_event(cut.value, "req_1")
    first, last = msgspec.json.decode(told)
    assert first == {"a": 1}
    assert last["error"]["message"] == "it hung up"


def test_an_error_before_anything_else_is_the_only_element() -> None:
    (only,) = msgspec.json.decode(JsonArray().dialect.write_error_event(Cut("x"), "req_1"))
    assert only["error"]["code"] == 502


def test_only_the_type_of_events_is_changed() -> None:
    kept = b"content-type: application/json\r\nx: content-type: text/event-stream\r\n"
    assert set_json_content_type(kept) == kept
    events = b"x-request-id: a\r\ncontent-type: text/event-stream; charset=utf-8\r\ny: z\r\n"
    assert set_json_content_type(events) == (
        b"x-request-id: a\r\ncontent-type: application/json; charset=UTF-8\r\ny: z\r\n"
    )
