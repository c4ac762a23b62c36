import pytest

from gateway.errors import BadAnswer, Cut, GatewayError
from gateway.reply import Source, linger
from gateway.wire.sse import Splitter
from providers.bedrock.events import BedrockEventSource
from tests.faults.engines import Chunks
from tests.providers.bedrock.frames import (
    SAID,
    chunk,
    error,
    exception,
    raw,
    said,
    sse,
    strings,
)


async def drained(source: Source) -> tuple[bytes, GatewayError | None]:
    """All that a source gives, and the fault that ends it."""
    out = b""
    try:
        while piece := await source.read():
            out += piece
    except GatewayError as fault:
        return out, fault
    return out, None


async def test_the_events_are_those_of_the_messages_api() -> None:
    out, fault = await drained(BedrockEventSource(Chunks(*said())))
    assert fault is None
    assert out == sse()
    assert [frame.event.decode() for frame in Splitter().feed(out)] == [
        str(each["type"]) for each in SAID
    ]


async def test_cut_at_every_byte_they_are_the_same() -> None:
    data = b"".join(said(*SAID[-3:]))
    for at in range(1, len(data)):
        out, fault = await drained(BedrockEventSource(Chunks(data[:at], data[at:])))
        assert (out, fault) == (sse(*SAID[-3:]), None)
    pieces = (data[at : at + 1] for at in range(len(data)))
    assert await drained(BedrockEventSource(Chunks(*pieces))) == (sse(*SAID[-3:]), None)


async def test_each_chunk_gives_its_events_at_once() -> None:
    frames = said()
    source = BedrockEventSource(Chunks(frames[0] + frames[1], frames[2]))
    assert await source.read() == sse(*SAID[:2])
    assert await source.read() == sse(SAID[2])


@pytest.mark.parametrize(
    ("frame", "kind", "message"),
    [
        (exception("throttlingException", "slow"), "rate_limit_error", "slow"),
        (exception("modelStreamErrorException", "oh"), "api_error", "oh"),
        (exception("modelTimeoutException", "late"), "timeout_error", "late"),
        (exception("validationException", "no"), "invalid_request_error", "no"),
        (error("InternalServerException", "down"), "api_error", "down"),
        (raw(strings({":message-type": "error"}), b""), "api_error", "internalserverexception"),
        (
            raw(strings({":message-type": "exception", ":exception-type": "X"}), b"<html>"),
            "api_error", "x",
        ),
    ],
)  # fmt: skip
async def test_an_exception_is_an_error_event(frame: bytes, kind: str, message: str) -> None:
    out, fault = await drained(BedrockEventSource(Chunks(said()[0], frame)))
    expected: dict[str, object] = {"type": "error", "error": {"type": kind, "message": message}}
    assert (out, fault) == (sse(SAID[0], expected), None)


async def test_what_is_no_answer_says_nothing() -> None:
    other = raw(strings({":message-type": "event", ":event-type": "initial-response"}), b"{}")
    untyped = chunk(b'{"outputText":"of another model"}')
    out, fault = await drained(BedrockEventSource(Chunks(other, untyped, said()[0])))
    assert (out, fault) == (sse(SAID[0]), None)


@pytest.mark.parametrize("payload", [b"no JSON", b'{"bytes":"%%%"}', b'{"bytes":"bm9uZQ=="}'])
async def test_an_event_that_is_no_json_ends_the_stream(payload: bytes) -> None:
    bad = raw(strings({":message-type": "event", ":event-type": "chunk"}), payload)
    source = Chunks(said()[0] + bad + said()[1])
    out, fault = await drained(BedrockEventSource(source))
    assert out == sse(SAID[0])
    assert isinstance(fault, BadAnswer)
    assert source.closed


async def test_a_damaged_frame_ends_the_stream_after_what_came_before_it() -> None:
    frames = said()
    damaged = frames[2][:-1] + bytes([frames[2][-1] ^ 1])
    source = Chunks(frames[0] + frames[1] + damaged, frames[3])
    out, fault = await drained(BedrockEventSource(source))
    assert out == sse(*SAID[:2])
    assert isinstance(fault, BadAnswer)
    assert source.closed


async def test_a_stream_that_ends_within_a_frame_was_cut() -> None:
    out, fault = await drained(BedrockEventSource(Chunks(said()[0], said()[1][:-3])))
    assert out == sse(SAID[0])
    assert isinstance(fault, Cut)


async def test_a_hang_up_is_passed_on() -> None:
    out, fault = await drained(BedrockEventSource(Chunks(said()[0], Cut("gone"))))
    assert out == sse(SAID[0])
    assert isinstance(fault, Cut)


async def test_line_ends_between_members_do_not_end_the_data() -> None:
    out, _ = await drained(BedrockEventSource(Chunks(chunk(b'{"type":"ping",\r\n "n":\n1}'))))
    (frame,) = Splitter().feed(out)
    assert frame.data == b'{"type":"ping",   "n": 1}'


async def test_closed_it_lets_go_and_says_no_more() -> None:
    source = Chunks(*said())
    events = BedrockEventSource(source)
    await events.read()
    await events.aclose()
    assert source.closed == 1
    assert await events.read() == b""


async def test_it_lingers_as_its_source_does() -> None:
    class Lingering(Chunks):
        def linger(self) -> bool:
            return True

    assert linger(BedrockEventSource(Lingering()))
    assert not linger(BedrockEventSource(Chunks()))
