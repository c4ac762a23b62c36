"""Signatures of tool calls: read, written, carried by other dialects, kept and put back."""

import re
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.capability.table import capability
from gateway.dialect import Conversion
from gateway.dialects.chat import CHAT
from gateway.dialects.chat.same_dialect import adapt_request, make_recording_dialect
from gateway.dialects.chat.thought_signatures import add_signatures
from gateway.dialects.common.extra_content import SKIP_SIGNATURE
from gateway.dialects.common.signatures import CALL_SIGNATURE, CallerSignatures, SignatureStore
from gateway.dialects.messages import MESSAGES
from gateway.neutral.events import (
    Event,
    Prompt,
    Redacted,
    RedactedThinking,
    Text,
    Tool,
    ToolCall,
    ToolStart,
    Turn,
)
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal, Sealed
from gateway.wire.sse import Splitter
from tests.dialects.chat.conversions import conversion, fields, plain
from tests.fakes import calls

REQUIRED = Capability(thought_signatures="required")
Wire = dict[str, Any]


def wire(name: str, id: str, signature: str = "", **more: object) -> Wire:
    """A tool call as Gemini's compatible address writes it."""
    call: Wire = {"function": {"arguments": '{"n":1.0}', "name": name}, "id": id,
                  "type": "function"}  # fmt: skip
    extra = {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}
    return extra | call | more


def chunk(delta: Wire, finish: str | None = None) -> bytes:
    choice = {"delta": delta, "finish_reason": finish, "index": 0}
    body = {"id": "x", "model": "gemini-3-pro", "object": "chat.completion.chunk",
            "choices": [choice]}  # fmt: skip
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


def body(calls: list[Wire], finish: str = "tool_calls") -> bytes:
    message = {"role": "assistant", "tool_calls": calls}
    return msgspec.json.encode({
        "id": "x", "model": "gemini-3-pro", "object": "chat.completion",
        "choices": [{"finish_reason": finish, "index": 0, "message": message}],
    })  # fmt: skip


def streamed(calls: list[Wire], dialect: Any = CHAT, way: Conversion | None = None) -> list[Event]:
    """The events of a stream with all calls in one chunk, as Gemini sends them."""
    data = chunk({"role": "assistant", "tool_calls": calls}) + chunk({}, "stop")
    reader = dialect.reader(way or conversion())
    frames = Splitter().feed(data + b"data: [DONE]\n\n")
    return [event for frame in frames for event in reader.read(frame)]


def written(events: list[Event], dialect: Any = CHAT) -> list[Any]:
    """What a client of the dialect gets, event by event."""
    writer = dialect.writer(conversion())
    out = b"".join(writer.write(event) for event in events)
    return [
        msgspec.json.decode(frame.data) for frame in Splitter().feed(out) if frame.data != b"[DONE]"
    ]


def told(events: list[Event]) -> list[tuple[str, str]]:
    """The tool calls and the signatures before them."""
    return [
        ("signature", event.data) if isinstance(event, RedactedThinking) else ("call", event.id)
        for event in events
        if isinstance(event, RedactedThinking | ToolStart)
    ]


class TestRead:
    @pytest.mark.parametrize("indexes", [(0, 0), (0, 1), (None, None)])
    def test_a_stream(self, indexes: tuple[int | None, ...]) -> None:
        calls = [wire("f", "a", "sig"), wire("g", "b")]
        for call, index in zip(calls, indexes, strict=True):
            if index is not None:
                call["index"] = index
        events = streamed(calls)
        assert told(events) == [("signature", "sig"), ("call", "a"), ("call", "b")]
        assert events[-1].ending.stop == "tool_use"  # type: ignore[union-attr]

    def test_a_whole_answer(self) -> None:
        message = CHAT.read_message(
            body([wire("f", "a", "sig"), wire("g", "b")], "stop"), conversion()
        )
        assert message.parts == [
            Redacted("sig", CALL_SIGNATURE),
            ToolCall("a", "f", '{"n":1.0}'),
            ToolCall("b", "g", '{"n":1.0}'),
        ]
        assert message.ending.stop == "tool_use"

    def test_calls_without_ids_get_some(self) -> None:
        calls = [wire("f", "", "sig"), wire("g", "")]
        message = CHAT.read_message(body(calls), conversion())
        whole = [part.id for part in message.parts if isinstance(part, ToolCall)]
        live = [event.id for event in streamed(calls) if isinstance(event, ToolStart)]
        for ids in (whole, live):
            assert len(set(ids)) == 2
            assert all(id.startswith("call_") for id in ids)

    def test_a_signature_after_its_call_began_is_noted(self) -> None:
        way = conversion()
        late = wire("", "", "late", index=0)
        late["function"] = {"arguments": ""}
        reader = CHAT.reader(way)
        data = chunk({"tool_calls": [wire("f", "a", index=0)]}) + chunk({"tool_calls": [late]})
        events = [event for frame in Splitter().feed(data) for event in reader.read(frame)]
        assert told(events) == [("call", "a")]
        assert way.notes.entries == ["tool_calls.extra_content:after_the_call_dropped"]


class TestWritten:
    def test_a_chat_stream_has_it_at_the_call(self) -> None:
        chunks = written(streamed([wire("f", "a", "sig"), wire("g", "b")]))
        deltas = [each["choices"][0]["delta"] for each in chunks]
        calls = [call for delta in deltas for call in delta.get("tool_calls", []) if "id" in call]
        assert [(call["index"], call["id"], call.get("extra_content")) for call in calls] == [
            (0, "a", {"google": {"thought_signature": "sig"}}), (1, "b", None),
        ]  # fmt: skip
        assert not any("reasoning_details" in delta for delta in deltas)
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"

    def test_a_whole_chat_answer_has_it_at_the_call(self) -> None:
        message = CHAT.read_message(body([wire("f", "a", "sig"), wire("g", "b")]), conversion())
        made = msgspec.json.decode(CHAT.write_message(message, conversion()))
        said = made["choices"][0]["message"]
        assert "reasoning_details" not in said
        assert said["tool_calls"] == [wire("f", "a", "sig"), wire("g", "b")]

    def test_a_messages_client_carries_it_sealed_before_the_call(self) -> None:
        events = streamed([wire("f", "a", "sig"), wire("g", "b")])
        starts = [
            event["content_block"]
            for event in written(events, MESSAGES)
            if event["type"] == "content_block_start"
        ]
        message = CHAT.read_message(body([wire("f", "a", "sig"), wire("g", "b")]), conversion())
        whole = msgspec.json.decode(MESSAGES.write_message(message, conversion()))["content"]
        for blocks in (starts, whole):
            assert [block["type"] for block in blocks] == [
                "redacted_thinking", "tool_use", "tool_use",
            ]  # fmt: skip
            sealed = conversion().unsealed(blocks[0]["data"])
            assert sealed == Sealed("up", "real", CALL_SIGNATURE, "sig")


def replayed(blocks: list[Wire], way: Capability) -> list[Wire]:
    """The tool calls that reach a Chat upstream when a Messages client replays the blocks."""
    ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": id, "content": "ok"} for id in ids]
    request = fields(
        model="alias", max_tokens=9,
        messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": blocks},
                  {"role": "user", "content": results}],
    )  # fmt: skip
    notes = LossReport()
    made = conversion(MESSAGES.read_prompt(request, notes), way)
    made.notes = notes
    messages: Any = plain(CHAT.write_prompt(made))["messages"]
    assert notes.entries == []
    calls: list[Wire] = messages[1]["tool_calls"]
    return calls


def use(id: str, name: str) -> Wire:
    return {"type": "tool_use", "id": id, "name": name, "input": {"n": 1.0}}


def hidden(signature: str, model: str = "real") -> Wire:
    data = conversion().seal.seal(Sealed("up", model, CALL_SIGNATURE, signature))
    return {"type": "redacted_thinking", "data": data}


class TestReplayed:
    @pytest.mark.parametrize("way", [Capability(), REQUIRED])
    def test_each_at_its_own_call(self, way: Capability) -> None:
        text = {"type": "text", "text": "so"}
        one = [text, hidden("s1"), use("a", "f"), use("b", "g")]
        assert replayed(one, way) == [wire("f", "a", "s1"), wire("g", "b")]
        two = [hidden("s1"), use("a", "f"), hidden("s2"), use("b", "g")]
        assert replayed(two, way) == [wire("f", "a", "s1"), wire("g", "b", "s2")]
        # some clients put all reasoning first
        first = [hidden("s1"), hidden("s2"), use("a", "f"), use("b", "g")]
        assert replayed(first, way) == [wire("f", "a", "s1"), wire("g", "b", "s2")]

    def test_another_models_is_left_out(self) -> None:
        blocks = [hidden("s1", "other"), use("a", "f"), use("b", "g")]
        assert replayed(blocks, Capability()) == [wire("f", "a"), wire("g", "b")]
        assert replayed(blocks, REQUIRED) == [wire("f", "a", SKIP_SIGNATURE), wire("g", "b")]

    def test_where_one_is_required_the_first_call_skips_the_check(self) -> None:
        blocks = [use("a", "f"), use("b", "g")]
        assert replayed(blocks, REQUIRED) == [wire("f", "a", SKIP_SIGNATURE), wire("g", "b")]
        kept = Capability(thought_signatures="extra_content")
        assert replayed(blocks, kept) == [wire("f", "a"), wire("g", "b")]


def kept() -> CallerSignatures:
    return CallerSignatures(SignatureStore(), "ann", "gemini:m")


def turn(*calls: Wire) -> Raw:
    return Raw(msgspec.json.encode({"role": "assistant", "content": None, "tool_calls": calls}))


def put_back(turn: Raw, kept: CallerSignatures, *, required: bool = True) -> list[Wire]:
    calls: list[Wire] = msgspec.json.decode(add_signatures(turn, kept, required=required))[
        "tool_calls"
    ]
    return calls


class TestKept:
    def test_from_whole_answers(self) -> None:
        store = kept()
        digest = make_recording_dialect(CHAT, store).summarize(
            body([wire("f", "a", "sig"), wire("g", "b")])
        )
        assert digest.error is None
        assert (store.find("a"), store.find("b")) == ("sig", None)

    def test_from_streams_under_the_id_that_the_client_sees(self) -> None:
        store = kept()
        events = streamed(
            [wire("f", "", "sig"), wire("g", "b")], make_recording_dialect(CHAT, store)
        )
        ids = [event.id for event in events if isinstance(event, ToolStart)]
        assert [store.find(id) for id in ids] == ["sig", None]

    def test_without_ids_what_is_called_tells_them_apart(self) -> None:
        store = kept()
        other = wire("f", "", "other")
        other["function"]["arguments"] = "{}"
        make_recording_dialect(CHAT, store).summarize(body([wire("f", "", "sig"), other]))
        bare = wire("f", "")
        assert put_back(turn(bare), store) == [wire("f", "", "sig")]

    def test_answers_that_cannot_be_read_leave_nothing(self) -> None:
        store = kept()
        spoilt = body([wire("f", "a", "sig")]).replace(b"sig", b"\xff")
        for data in (b'{"choices":"thought_signature"}', b'["thought_signature"]', spoilt):
            make_recording_dialect(CHAT, store).summarize(data)
        assert store.signatures.count == 0

    def test_what_a_client_dropped_is_put_back(self) -> None:
        store = kept()
        store.keep("a", "sig")
        calls = [wire("f", "a"), wire("g", "b")]
        for required in (True, False):
            assert put_back(turn(*calls), store, required=required) == [
                wire("f", "a", "sig"), wire("g", "b"),
            ]  # fmt: skip

    def test_what_a_client_replays_stays_as_it_is(self) -> None:
        store = kept()
        store.keep("a", "older")
        for message in (
            turn(wire("f", "a", "own"), wire("g", "b")),
            turn(),
            Raw(b'{"role":"user"}'),
        ):
            assert add_signatures(message, store, required=True) is message
        plain_text = Raw(b'{"role":"user","content":"say \\"tool_calls\\""}')
        assert add_signatures(plain_text, store, required=True) is plain_text

    def test_where_none_is_known_the_first_call_skips_the_check(self) -> None:
        message = turn(wire("f", "a"), wire("g", "b"))
        assert put_back(message, kept()) == [wire("f", "a", SKIP_SIGNATURE), wire("g", "b")]
        assert add_signatures(message, kept(), required=False) is message

    def test_other_members_of_a_call_stay(self) -> None:
        store = kept()
        store.keep("a", "sig")
        call = wire("f", "a", extra_content={"vendor": 1}, index=0)
        (made,) = put_back(turn(call), store)
        extra = {"vendor": 1, "google": {"thought_signature": "sig"}}
        assert made == call | {"extra_content": extra}


@pytest.mark.parametrize(
    ("model", "form"),
    [
        ("gemini-2.5-pro", "extra_content"),
        ("models/gemini-2.0-flash", "extra_content"),
        ("gemma-3-27b-it", "extra_content"),
        ("gemini-3-pro-preview", "required"),
        ("gemini-4-argon", "required"),
        ("gemini-flash-latest", "required"),
    ],
)
def test_what_the_models_want(model: str, form: str) -> None:
    found = capability("gemini-openai", model)
    assert found.thought_signatures == form
    assert found.mend_calls
    assert not found.recode


def test_other_servers_want_none() -> None:
    assert capability("openai", "gpt-5").thought_signatures == "none"


NAMES = ["mcp__files__read", "files.read", "files_read", "1st", "a" * 80, "dé jà"]


@pytest.mark.parametrize("kind", ["gemini-openai", "mistral"])
def test_tool_names_are_rewritten_one_to_one_and_restored(kind: str) -> None:
    asked = [Tool(name) for name in NAMES]
    turns = [Turn("user", [Text("hi")]), Turn("assistant", [ToolCall("a", "files.read", "{}")])]
    way = conversion(Prompt("alias", turns, tools=asked), capability(kind, "some-model"))
    request: Any = plain(CHAT.write_prompt(way))
    sent = [tool["function"]["name"] for tool in request["tools"]]
    first = "[A-Za-z_]" if kind == "gemini-openai" else "[A-Za-z0-9_-]"
    assert len(set(sent)) == len(NAMES)
    assert sent[0] == NAMES[0]
    assert sent[2] == NAMES[2]
    for name in sent:
        assert re.fullmatch(first + "[A-Za-z0-9_-]{0,63}", name)
    called = request["messages"][1]["tool_calls"][0]["function"]["name"]
    assert called == sent[1] != "files.read"
    answer = body([wire(name, f"c{at}") for at, name in enumerate(sent)])
    whole = CHAT.read_message(answer, way).parts
    assert [part.name for part in whole if isinstance(part, ToolCall)] == NAMES
    live = streamed([wire(name, f"c{at}") for at, name in enumerate(sent)], CHAT, way)
    assert [event.name for event in live if isinstance(event, ToolStart)] == NAMES


@pytest.mark.parametrize(
    "messages",
    [
        b'[{"tool_calls":[{"id":"\xff","function":{"name":"f","arguments":"\xff"}}]}]',
        b'[{"tool_calls":[1]}]',
        b'[{"tool_calls":{"a":1}}]',
        b'[{"tool_calls":null}]',
        b'{"tool_calls":1}',
        b'["tool_calls"]',
    ],
)
def test_what_is_no_conversation_passes_untouched(messages: bytes) -> None:
    plain = calls.make_call()
    call = plain.in_dialect(plain.dialect, plain.fields | {"messages": Raw(messages)})
    assert adapt_request(call, REQUIRED, Seal(b"k")) is call
