"""Calls of a stream without index or id, or all with index 0, on their way to a client of Chat."""

from typing import Any

import msgspec
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gateway.dialects.chat.repair import ToolCallRepair
from gateway.dialects.common.signatures import CallerSignatures, SignatureStore
from gateway.wire.sse import Splitter

Wire = dict[str, Any]
DONE = b"data: [DONE]\n\n"


def kept() -> CallerSignatures:
    return CallerSignatures(SignatureStore(), "ann", "gemini:x")


def call(id: str | None, name: str, arguments: str = "{}", **more: object) -> Wire:
    given = {} if id is None else {"id": id}
    return {"function": {"name": name, "arguments": arguments}, "type": "function"} | given | more


def chunk(*calls: Wire, finish: str | None = None, at: int = 0) -> bytes:
    delta: Wire = {"role": "assistant"} | ({"tool_calls": list(calls)} if calls else {})
    choice = {"index": at, "delta": delta, "finish_reason": finish}
    return b"data: " + msgspec.json.encode({"id": "x", "choices": [choice], "new": 1}) + b"\n\n"


def deltas(wire: bytes) -> list[Wire]:
    values = [msgspec.json.decode(frame.data) for frame in Splitter().feed(wire)]
    return [choice for value in values for choice in value["choices"]]


def calls_in(wire: bytes, at: int = 0) -> list[Wire]:
    return [
        each
        for choice in deltas(wire)
        if choice["index"] == at
        for each in choice["delta"].get("tool_calls", [])
    ]


@pytest.mark.parametrize("index", [{}, {"index": 0}])
@pytest.mark.parametrize("together", [True, False])
def test_parallel_calls_get_an_index_each(index: Wire, together: bool) -> None:
    two = [call("a", "f", **index), call("b", "g", **index)]
    wire = chunk(*two) if together else chunk(two[0]) + chunk(two[1])
    told = calls_in(ToolCallRepair(None, mend=True)(wire))
    assert told == [two[0] | {"index": 0}, two[1] | {"index": 1}]


@pytest.mark.parametrize("id", ["", None])
@pytest.mark.parametrize("index", [{}, {"index": 0}])
def test_calls_without_ids_get_some(id: str | None, index: Wire) -> None:
    wire = chunk(call(id, "f", **index), call(id, "f", **index))
    first, second = calls_in(ToolCallRepair(None, mend=True)(wire))
    assert [first["index"], second["index"]] == [0, 1]
    assert first["id"] != second["id"]
    assert all(each["id"].startswith("call_") for each in (first, second))


def test_fragments_stay_with_their_call() -> None:
    mended = ToolCallRepair(None, mend=True)
    told = calls_in(
        mended(chunk(call("a", "f", '{"n"', index=0)))
        + mended(chunk({"index": 0, "function": {"arguments": ":1}"}}))
        + mended(chunk(call("b", "g", index=0)))
        + mended(chunk({"function": {"arguments": " "}}))
        + mended(chunk({"id": "a", "function": {"arguments": " "}}))
    )
    assert [each["index"] for each in told] == [0, 0, 1, 1, 0]
    assert [each.get("id") for each in told] == ["a", None, "b", None, "a"]


def test_an_id_given_twice_is_given_once() -> None:
    wire = chunk(call("a", "f", index=0), call("a", "g", index=1))
    first, second = calls_in(ToolCallRepair(None, mend=True)(wire))
    assert first["id"] == "a"
    assert second["id"].startswith("call_")


def test_an_ending_in_stop_is_one_in_calls() -> None:
    mended = ToolCallRepair(None, mend=True)
    plain = chunk(finish="stop")
    assert mended(plain) == plain
    wire = mended(chunk(call("a", "f")) + chunk(finish="stop", at=1) + chunk(finish="stop"))
    assert [choice["finish_reason"] for choice in deltas(wire)] == [None, "stop", "tool_calls"]


def test_choices_are_apart() -> None:
    wire = ToolCallRepair(None, mend=True)(chunk(call("a", "f")) + chunk(call("b", "g"), at=1))
    assert [each["index"] for each in calls_in(wire)] == [0]
    assert [each["index"] for each in calls_in(wire, 1)] == [0]


@pytest.mark.parametrize(
    "wire",
    [
        b'data: {"choices": [{"index":0, "delta":{"content":"caf\\u00e9"}}]}\n\n',
        b'data: {"choices": [{"delta":{"tool_calls": [ {"index":0, "id":"a"} ]}}]}\n\n',
        b'data: {"choices": [{"delta":{"tool_calls": null}}]}\n\n',
        b'data: {"choices": [{"delta":{"tool_calls": 7}}]}\n\n',
        b'data: {"error": "tool_calls"}\n\n',
        b'data: "tool_calls"\n\n',
        b': "tool_calls"\n\n',
        b'data: {"tool_calls"\n\n',
        DONE,
    ],
)
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_what_has_no_such_flaw_keeps_its_bytes(wire: bytes, end: bytes) -> None:
    told = wire.replace(b"\n\n", end)
    assert ToolCallRepair(kept(), mend=True)(told) == told


def test_a_mended_event_keeps_its_ending_and_its_other_members() -> None:
    wire = (
        b'data: {"x":1.0,"choices":[{"logprobs":1e3,"delta":{"tool_calls":[{"id":"a","n":1e3}]}}]}'
    )
    out = ToolCallRepair(None, mend=True)(wire + b"\r\n\r\n")
    assert out == wire.replace(b'"n":1e3', b'"n":1e3,"index":0') + b"\r\n\r\n"


@pytest.mark.parametrize("mend", [True, False])
def test_signatures_are_learned(mend: bool) -> None:
    store = kept()
    signed = call("a", "f", extra_content={"google": {"thought_signature": "sig"}})
    wire = chunk(signed, call("b", "g"))
    out = ToolCallRepair(store, mend=mend)(wire)
    assert (store.find("a"), store.find("b")) == ("sig", None)
    assert calls_in(out)[0]["extra_content"] == signed["extra_content"]
    assert (out == wire) is not mend


def test_a_signature_is_known_by_the_id_that_the_client_gets() -> None:
    store = kept()
    signed = call("", "f", extra_content={"google": {"thought_signature": "sig"}})
    (told,) = calls_in(ToolCallRepair(store, mend=True)(chunk(signed)))
    assert store.find(told["id"]) == "sig"


def test_an_official_client_reads_the_calls() -> None:
    wire = chunk(call("", "f", '{"n":1}', index=0), call("", "g", '{"n":2}', index=0))
    mended = ToolCallRepair(None, mend=True)
    state = ChatCompletionStreamState()
    for frame in Splitter().feed(mended(wire) + mended(chunk(finish="stop"))):
        body = msgspec.json.decode(frame.data) | {
            "object": "chat.completion.chunk", "created": 1, "model": "m",
        }  # fmt: skip
        state.handle_chunk(ChatCompletionChunk.model_validate(body))
    (choice,) = state.get_final_completion().choices
    assert choice.finish_reason == "tool_calls"
    assert [
        (each.function.name, each.function.arguments) for each in choice.message.tool_calls or []
    ] == [("f", '{"n":1}'), ("g", '{"n":2}')]
