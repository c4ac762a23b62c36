"""Answers heard in one dialect, stored, and said again in either, whole or as a stream."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.call import Call
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.errors import BadAnswer
from gateway.neutral.events import (
    Citation,
    Ending,
    Message,
    Opaque,
    Part,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from gateway.neutral.seal import Seal
from gateway.reply import Reply, Stream
from middleware.cache.answer import (
    AnswerListener,
    CachedAnswer,
    encode_stored,
    make_conversion,
    parse,
    parse_stored,
    render,
    replay,
)
from tests.fakes import calls
from tests.faults import wires
from tests.sdk import answers

SEAL = Seal(b"test")
MESSAGE = Message(
    "msg_1",
    "m",
    [
        Thinking("hm", "sig", "messages"), Redacted("xx", "messages"),
        Text("a", citations=[Citation(Raw(b'{"type":"x"}'), "http://u", "t", "c")]),
        ToolCall("call_1", "f", '{"a": 1}'), ToolCall("call_2", "g", "free", custom=True),
        Refusal("no"),
    ],
    Ending("tool_use", usage=Usage(1, 2, 3, 4, 5), native="odd", service_tier="fast"),
)  # fmt: skip


def call(dialect: Dialect, body: dict[str, Any] | None = None) -> Call:
    made = calls.make_call({"max_tokens": 5} | (body or {}), dialect=dialect)
    return made.with_targets((calls.make_target(),))


def answer(message: Message, dialect: Dialect = MESSAGES, *, counted: bool = True) -> CachedAnswer:
    return CachedAnswer(dialect.name, message, counted, ["a:b"])


async def body_of(reply: Reply) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    try:
        return b"".join([chunk async for chunk in reply.body])
    finally:
        await reply.aclose()


def test_every_part_survives_the_store() -> None:
    value = encode_stored(answer(MESSAGE))
    assert value is not None
    assert parse_stored(value) == answer(MESSAGE)


def test_a_part_that_cannot_be_stored_is_not() -> None:
    parts = [*MESSAGE.parts, Opaque("new", Raw(b"{}"), "messages")]
    assert encode_stored(answer(msgspec.structs.replace(MESSAGE, parts=parts))) is None


@pytest.mark.parametrize(
    "value", [b"", b"\xff", b"{}", b"nonsense", msgspec.msgpack.encode([1, "chat"])]
)
def test_what_is_no_answer_is_said_to_be_none(value: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_stored(value)


def test_neither_is_a_corrupted_answer_nor_one_of_another_version() -> None:
    value = encode_stored(answer(MESSAGE))
    assert value is not None
    other = msgspec.msgpack.decode(value)
    other[0] += 1
    for wrong in (msgspec.msgpack.encode(other), value[:-3], value[:5] + b"\xc1" + value[6:]):
        with pytest.raises(BadAnswer):
            parse_stored(wrong)


@pytest.mark.parametrize("stop", ["end_turn", "stop_sequence", "tool_use"])
def test_an_ordinary_end(stop: Any) -> None:
    assert answer(Message("i", "m", [Text("a")], Ending(stop))).has_normal_ending
    assert not answer(Message("i", "m", [], Ending(stop))).has_normal_ending


@pytest.mark.parametrize("stop", ["max_tokens", "refusal", "pause_turn", "compaction"])
def test_any_other_end(stop: Any) -> None:
    assert not answer(Message("i", "m", [Text("a")], Ending(stop))).has_normal_ending


def test_signed_reasoning_suits_its_own_dialect_only() -> None:
    plain = Message("i", "m", [Thinking("hm"), Text("a")], Ending("end_turn"))
    for message, suits in ((MESSAGE, False), (plain, True)):
        for dialect in (CHAT, MESSAGES):
            asked = call(dialect)
            found = answer(message).can_serve(asked, make_conversion(asked, SEAL))
            assert found is (suits or dialect is MESSAGES)


def test_an_answer_without_counts_suits_those_who_are_told_none() -> None:
    uncounted = answer(Message("i", "m", [Text("a")], Ending("end_turn")), counted=False)
    for dialect, body, suits in (
        (CHAT, {"stream": True}, True), (CHAT, {}, False), (MESSAGES, {"stream": True}, False),
        (CHAT, {"stream": True, "stream_options": {"include_usage": True}}, False),
    ):  # fmt: skip
        asked = call(dialect, body)
        assert uncounted.can_serve(asked, make_conversion(asked, SEAL)) is suits


WHOLE: dict[str, tuple[Any, list[bytes]]] = {
    "chat": (
        answers.chat("Hello"), answers.chat_stream({"content": "Hel"}, {"content": "lo"}),
    ),
    "messages": (
        answers.message(answers.thought("hm", "sig"), answers.text("Hello")),
        answers.message_stream(answers.thought("hm", "sig"), answers.text("Hello")),
    ),
}  # fmt: skip
DIALECTS = {"chat": CHAT, "messages": MESSAGES}


def listened(name: str, frames: list[bytes]) -> Message | None:
    listener = AnswerListener(DIALECTS[name], make_conversion(call(DIALECTS[name]), SEAL), 100_000)
    for frame in frames:
        listener.feed(frame)
    return listener.message


@pytest.mark.parametrize("name", ["chat", "messages"])
async def test_whole_or_streamed_it_is_the_same_message(name: str) -> None:
    whole, frames = WHOLE[name]
    asked = call(DIALECTS[name])
    message = parse(msgspec.json.encode(whole), DIALECTS[name], make_conversion(asked, SEAL))
    streamed = listened(name, frames)
    assert message is not None
    assert streamed is not None
    assert streamed.parts == message.parts
    assert streamed.ending == message.ending
    joined = b"".join(frames)
    assert listened(name, [joined[at : at + 1] for at in range(len(joined))]) == streamed


@pytest.mark.parametrize("name", ["chat", "messages"])
async def test_said_again_it_is_heard_as_it_was(name: str) -> None:
    dialect = DIALECTS[name]
    message = listened(name, WHOLE[name][1])
    assert message is not None
    for streamed in (False, True):
        asked = call(dialect, {"stream": streamed, "stream_options": {"include_usage": True}})
        reply = replay(render(answer(message, dialect), asked, make_conversion(asked, SEAL)), asked)
        body = await body_of(reply)
        assert isinstance(reply.body, Stream) is streamed
        whole = parse if not streamed else lambda body, *_: listened(name, [body])
        assert whole(body, dialect, make_conversion(asked, SEAL)) == message
        assert asked.record.usage == Usage()
        assert asked.record.warnings == ["a:b"]


@pytest.mark.parametrize("name", ["chat", "messages"])
def test_a_stream_cut_anywhere_is_no_message(name: str) -> None:
    frames = WHOLE[name][1][:-1] if name == "messages" else WHOLE[name][1][:-3]
    for upto in range(len(frames)):
        listener = AnswerListener(
            DIALECTS[name], make_conversion(call(DIALECTS[name]), SEAL), 100_000
        )
        for frame in frames[:upto]:
            listener.feed(frame)
            assert listener.verdict is None
        listener.feed(b"")
        assert listener.message is None
        assert listener.verdict == "failed"


@pytest.mark.parametrize("name", ["chat", "messages"])
def test_an_error_in_the_stream_and_one_that_is_too_long(name: Any) -> None:
    dialect = DIALECTS[name]
    listener = AnswerListener(dialect, make_conversion(call(dialect), SEAL), 100_000)
    for frame in [*wires.opening(name), wires.delta(name, "x"), wires.fault_event(name)]:
        listener.feed(frame)
    assert (listener.message, listener.verdict) == (None, "failed")
    short = AnswerListener(dialect, make_conversion(call(dialect), SEAL), 50)
    short.feed(b"".join(wires.stream(name)))
    assert (short.message, short.verdict) == (None, "unshared")


def test_no_answer_at_all() -> None:
    for name, dialect in DIALECTS.items():
        body = wires.fault(name)  # type: ignore[arg-type]
        assert parse(body, dialect, make_conversion(call(dialect), SEAL)) is None
        assert parse(b"<html>", dialect, make_conversion(call(dialect), SEAL)) is None


async def test_parts_come_in_order_in_the_other_dialect() -> None:
    parts: list[Part] = [Thinking("hm"), Text("one"), ToolCall("call_1", "f", '{"a":1}')]
    message = Message("chatcmpl-9", "m", parts, Ending("tool_use", usage=Usage(1, 2)))
    asked = call(MESSAGES, {"stream": True})
    told = render(answer(message, CHAT), asked, make_conversion(asked, SEAL))
    body = await body_of(replay(told, asked))
    places = [body.find(mark) for mark in (b"hm", b"one", b"tool_use", b"message_stop")]
    assert all(0 < one < other for one, other in pairwise(places))
