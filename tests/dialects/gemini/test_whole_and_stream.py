"""A whole answer and a stream of it say the same, whatever is read or written."""

from typing import Any

import msgspec
from hypothesis import given, settings, strategies as st
from msgspec import Raw

from gateway.dialect import Conversion
from gateway.dialects.common.signatures import (
    CALL_SIGNATURE,
    GEMINI_CALL_SIGNATURE,
    LONE_SIGNATURE,
    TEXT_SIGNATURE,
)
from gateway.dialects.gemini import GEMINI
from gateway.errors import GatewayError
from gateway.neutral.events import (
    Citation,
    Ending,
    Message,
    Part,
    Prompt,
    Reasoning,
    Redacted,
    Refusal,
    Stop,
    Text,
    Thinking,
    Tool,
    ToolCall,
    Usage,
    WebSearch,
)
from gateway.neutral.fold import build_message, message_events
from gateway.wire.sse import Frame
from tests.dialects.gemini.sent import conversion, written

WORDS = st.sampled_from(["a", "b c", " ", "\n\n", "é😀", "x END y", "EN"])
TOOLS = st.sampled_from(["f", "patch", "json_output"])

# --- written --------------------------------------------------------------------------------------

ORIGINS = st.sampled_from(
    ["gemini", "messages", CALL_SIGNATURE, GEMINI_CALL_SIGNATURE, TEXT_SIGNATURE, LONE_SIGNATURE]
)
CITATIONS = st.builds(
    Citation, st.just(Raw(b"{}")), st.sampled_from(["https://x", "https://y", None]), st.just("X"),
    span=st.none() | st.just((0, 1)),
)  # fmt: skip
ARGUMENTS = st.sampled_from(["", " ", '{"x":1}', '{"x', "bare"])
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, WORDS | st.just(""), citations=st.lists(CITATIONS, max_size=2)),
    st.builds(Thinking, WORDS | st.just(""), st.none() | st.just("sig"), ORIGINS),
    st.builds(Redacted, st.just("blob"), ORIGINS),
    st.builds(Refusal, WORDS),
    st.builds(ToolCall, st.sampled_from(["i", ""]), TOOLS, ARGUMENTS),
)
STOPS: list[Stop] = [
    "end_turn", "stop_sequence", "max_tokens", "tool_use", "pause_turn", "refusal",
]  # fmt: skip
MESSAGES = st.builds(
    Message, st.just("msg_1"), st.just("m"), st.lists(PARTS, max_size=5),
    st.builds(
        Ending, st.sampled_from(STOPS), st.none() | st.just("END"), st.none() | st.just("bio"),
        st.none() | st.builds(Usage, st.integers(0, 9), st.integers(0, 9)),
    ),
)  # fmt: skip


def asking(*, thoughts: bool, answer_tool: str | None) -> Conversion:
    reasoning = Reasoning("adaptive", display="summarized" if thoughts else "omitted")
    way = conversion(Prompt("alias", [], reasoning=reasoning, web_search=WebSearch()))
    way.answer_tool = answer_tool
    return way


def written_whole(message: Message, way: Conversion) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(GEMINI.write_message(message, way))
    return body


def written_as_a_stream(message: Message, way: Conversion) -> dict[str, Any]:
    """The last event with the parts of all of them, as the official SDK's chats keep them."""
    events = written(list(message_events(message)), way)
    parts = [part for event in events for part in event["candidates"][0]["content"]["parts"]]
    assert parts.pop() == {"text": ""}  # of the last event, which must have a part
    last: dict[str, Any] = events[-1]
    last["candidates"][0]["content"] = ({"parts": parts} if parts else {}) | {"role": "model"}
    return last


@settings(max_examples=300, deadline=None)
@given(MESSAGES, st.booleans(), st.sampled_from([None, "json_output"]))
def test_what_is_written(message: Message, thoughts: bool, answer_tool: str | None) -> None:
    whole_way = asking(thoughts=thoughts, answer_tool=answer_tool)
    stream_way = asking(thoughts=thoughts, answer_tool=answer_tool)
    whole = written_whole(message, whole_way)
    assert whole == written_as_a_stream(message, stream_way)
    assert whole_way.notes.entries == stream_way.notes.entries


# --- read -----------------------------------------------------------------------------------------

SIGNATURES = st.sampled_from([{}, {"thoughtSignature": "c2ln"}])
CALLS = st.builds(
    lambda name, named, args: {"functionCall": {"name": name} | named | args},
    TOOLS,
    st.sampled_from([{}, {"id": "i"}]),
    st.sampled_from([{}, {"args": {"x": 1}}, {"args": {"input": "a"}}]),
)
OTHERS: list[dict[str, Any]] = [
    {"executableCode": {"language": "PYTHON", "code": "1"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
    {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    {},
]
ANSWER_PARTS: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict.__or__,
    st.one_of(
        st.builds(lambda text: {"text": text}, WORDS | st.just("")),
        st.builds(lambda text: {"text": text, "thought": True}, WORDS | st.just("")),
        CALLS,
        st.sampled_from(OTHERS),
    ),
    SIGNATURES,
)
FINISHES = st.sampled_from(
    ["STOP", "MAX_TOKENS", "SAFETY", "OTHER", "NOVEL", "MALFORMED_FUNCTION_CALL"]
)


def reading(*, stops: bool) -> Conversion:
    way = conversion(Prompt("alias", [], tools=[Tool("patch", custom=True), Tool("f")]))
    way.local_stops = ("END",) if stops else ()
    return way


def answer_of(parts: list[dict[str, Any]], **members: Any) -> bytes:
    candidate = {"content": {"parts": parts, "role": "model"}, "index": 0} | members
    counts = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    return msgspec.json.encode(
        {"candidates": [candidate], "responseId": "r", "modelVersion": "m", "usageMetadata": counts}
    )


def read_whole(body: bytes, way: Conversion) -> Message | str:
    try:
        return GEMINI.read_message(body, way)
    except GatewayError as error:
        return error.message


def read_as_a_stream(events: list[bytes], way: Conversion) -> Message | str:
    reader = GEMINI.reader(way)
    try:
        told = [event for data in events for event in reader.read(Frame(b"", data))]
        message = build_message([*told, *reader.finish()])
    except GatewayError as error:
        return error.message
    assert message is not None
    return message


def cut(parts: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    """The parts with their texts in pieces; a signature comes with the whole of its text."""
    out: list[dict[str, Any]] = []
    for part in parts:
        text = part.get("text")
        if not text or "thoughtSignature" in part:
            out.append(part)
        else:
            pieces = [text[at : at + size] for at in range(0, len(text), size)]
            out += [part | {"text": piece} for piece in pieces]
    return out


@settings(max_examples=300, deadline=None)
@given(st.lists(ANSWER_PARTS, max_size=5), FINISHES, st.integers(1, 4), st.booleans())
def test_what_is_read(parts: list[dict[str, Any]], finish: str, size: int, stops: bool) -> None:
    whole_way, stream_way = reading(stops=stops), reading(stops=stops)
    events = [answer_of([part]) for part in cut(parts, size)]
    events.append(answer_of([], finishReason=finish))
    whole = read_whole(answer_of(parts, finishReason=finish), whole_way)
    assert whole == read_as_a_stream(events, stream_way)
    if isinstance(whole, Message):
        assert whole_way.notes.entries == stream_way.notes.entries


# --- calls whose arguments are no object ----------------------------------------------------------


def test_each_call_with_broken_arguments_is_written_in_its_place() -> None:
    calls: list[Part] = [ToolCall("1", "f", "bare"), ToolCall("2", "g", '{"x'), Text("done")]
    message = Message("i", "m", calls, Ending("end_turn"))
    parts = written_as_a_stream(message, conversion())["candidates"][0]["content"]["parts"]
    assert [part.get("text") or part["functionCall"]["id"] for part in parts] == ["1", "2", "done"]


def test_only_the_last_call_can_have_been_cut() -> None:
    calls: list[Part] = [ToolCall("1", "f", "bare"), ToolCall("2", "g", '{"x')]
    way = conversion()
    answer = written_whole(Message("i", "m", calls, Ending("max_tokens", usage=Usage(3, 2))), way)
    (part,) = answer["candidates"][0]["content"]["parts"]
    assert part["functionCall"]["id"] == "1"
    assert way.notes.entries == [
        "functionCall.args:invalid_json_kept_as_text", "functionCall:cut_call_left_out",
    ]  # fmt: skip
