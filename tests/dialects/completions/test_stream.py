import random
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from openai.types import Completion

from gateway.call import Record
from gateway.dialects.completions import COMPLETIONS
from gateway.errors import Cut, GatewayError
from gateway.lanes.recode import Transcoder
from gateway.lanes.relay import Relay
from gateway.neutral.events import (
    Ending,
    Event,
    KeepAlive,
    MessageEnd,
    MessageStart,
    PartEnd,
    RedactedThinking,
    RefusalDelta,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    ToolStart,
    Usage,
)
from gateway.wire.sse import Splitter
from tests.dialects.completions.house import USAGE, chunk, conversion

BEGAN = MessageStart("msg_01", "up")
ENDED = MessageEnd(Ending("end_turn", usage=Usage(5, 7)))
DONE = b"data: [DONE]\n\n"
STREAM = chunk(" a") + chunk(" tïme 世") + chunk("", "stop") + chunk("", choices=[], usage=USAGE)


def written(events: Iterable[Event], **body: object) -> tuple[list[Any], list[str]]:
    """The chunks of a stream, each as the official type reads it, and what was noted."""
    way = conversion(**body)
    writer = COMPLETIONS.writer(way)
    frames = Splitter().feed(b"".join(writer.write(event) for event in events))
    assert frames.pop().data == b"[DONE]"
    chunks = [msgspec.json.decode(frame.data) for frame in frames]
    for each in chunks:
        Completion.model_validate({"usage": None} | _finished(each), strict=True)
    return chunks, way.notes.entries


def _finished(chunk: dict[str, Any]) -> dict[str, Any]:
    # The official type describes the last chunk; before it the reason is null on the wire too.
    choices = [
        each | {"finish_reason": each["finish_reason"] or "stop"} for each in chunk["choices"]
    ]
    return chunk | {"choices": choices}


def texts(chunks: list[Any]) -> str:
    """What the client joins."""
    return "".join(choice["text"] for each in chunks for choice in each["choices"])


def test_each_piece_of_text_is_a_chunk() -> None:
    chunks, noted = written(
        [BEGAN, TextStart(), TextDelta(" a"), TextDelta('"\n'), PartEnd(), ENDED]
    )
    choices = [each["choices"][0] for each in chunks]
    assert [choice["text"] for choice in choices] == [" a", '"\n', ""]
    assert [choice["finish_reason"] for choice in choices] == [None, None, "stop"]
    assert {each["id"] for each in chunks} == {"cmpl-01"}
    assert {each["model"] for each in chunks} == {"alias"}
    assert all("usage" not in each for each in chunks)
    assert noted == []


def test_usage_is_told_where_it_is_asked_for() -> None:
    asked = {"include_usage": True}
    chunks, _ = written(
        [BEGAN, TextStart(), TextDelta("x"), PartEnd(), ENDED], stream_options=asked
    )
    assert [each["usage"] for each in chunks[:-1]] == [None, None]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 7


def test_what_has_no_place_is_noted_and_texts_stay_apart() -> None:
    chunks, noted = written([
        BEGAN, ThinkingStart(), ThinkingDelta("hm"), PartEnd(),
        TextStart(), TextDelta("a"), PartEnd(), RedactedThinking("x", "messages"),
        TextStart(), TextDelta("b"), PartEnd(), TextStart(), TextDelta("c"), PartEnd(),
        ToolStart("1", "f"), PartEnd(), ENDED,
    ])  # fmt: skip
    assert texts(chunks) == "a\n\nbc"
    assert noted == [
        f"{kind}:no_place_in_a_completion" for kind in ("thinking", "redacted", "tool")
    ]


def test_a_refusals_words_are_text() -> None:
    ended = MessageEnd(Ending("refusal", usage=Usage(5, 7)))
    chunks, _ = written([BEGAN, RefusalDelta("No."), ended])
    assert texts(chunks) == "No."
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"


def test_a_sign_of_life_is_a_comment() -> None:
    assert COMPLETIONS.writer(conversion()).write(KeepAlive()).startswith(b":")


# --- read -----------------------------------------------------------------------------------------


def recoded(data: bytes, *cuts: int) -> tuple[bytes, GatewayError | None]:
    """A stream read and written anew, fed in pieces."""
    way = conversion()
    step = Transcoder(COMPLETIONS.reader(way), COMPLETIONS.writer(way), Record(0.0))
    out, at = b"", 0
    for cut in (*cuts, len(data)):
        out += step.feed(data[at:cut])
        at = cut
        if step.error is not None:
            return out, step.error
    return out + (b"" if step.done else step.finish()), step.error


@given(st.randoms())
def test_a_stream_is_the_same_however_it_arrives(rand: random.Random) -> None:
    data = STREAM + DONE
    cuts = sorted(rand.randrange(len(data)) for _ in range(rand.randrange(12)))
    out, error = recoded(data, *cuts)
    assert error is None
    chunks = [msgspec.json.decode(frame.data) for frame in Splitter().feed(out)[:-1]]
    assert texts(chunks) == " a tïme 世"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_byte_by_byte_it_is_the_same() -> None:
    data = STREAM + DONE
    assert recoded(data, *range(len(data)))[0].endswith(DONE)


def test_without_a_done_the_reason_is_the_end() -> None:
    out, error = recoded(STREAM)
    assert error is None
    assert out.endswith(DONE)


@pytest.mark.parametrize("data", [chunk(" a"), DONE, b""])
def test_a_stream_that_ends_too_early_was_cut(data: bytes) -> None:
    out, error = recoded(data)
    assert isinstance(error, Cut)
    assert b"[DONE]" not in out


@pytest.mark.parametrize(
    "told",
    [b'{"error":{"message":"slow","code":429}}', b'{"object":"error","message":"slow","code":429}'],
)
def test_an_error_in_the_stream_is_raised(told: bytes) -> None:
    out, error = recoded(chunk(" a") + b"data: " + told + b"\n\n")
    assert error is not None
    assert error.status == 429
    assert b" a" in out


def test_other_choices_are_left_out_and_nothing_is_read_after_the_end() -> None:
    other = chunk("", choices=[{"text": "no", "index": 1}, {"text": "yes", "index": 0}])
    reader = COMPLETIONS.reader(conversion())
    (frame,) = Splitter().feed(other)
    assert reader.read(frame) == [MessageStart("cmpl-1", "up"), TextStart(), TextDelta("yes")]
    (done,) = Splitter().feed(DONE)
    assert len(reader.read(done)) == 2
    assert (reader.read(frame), reader.finish()) == ([], [])


# --- the byte lane --------------------------------------------------------------------------------


def test_on_the_byte_lane_a_stream_keeps_its_bytes_and_its_usage_is_booked() -> None:
    record = Record(0.0)
    relay = Relay(COMPLETIONS, record)
    assert relay.feed(STREAM) + relay.feed(DONE) == STREAM + DONE
    assert relay.done
    assert record.usage == Usage(5, 7)


def test_on_the_byte_lane_a_cut_is_seen() -> None:
    relay = Relay(COMPLETIONS, Record(0.0))
    relay.feed(chunk(" a"))
    relay.finish()
    assert isinstance(relay.error, Cut)
