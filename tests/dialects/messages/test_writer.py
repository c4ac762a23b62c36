"""Writing a Messages stream, and what the official client makes of it."""

import hashlib
from typing import Any

import httpx2
import msgspec
import pytest
from anthropic import Anthropic, APIStatusError, Stream
from anthropic._streaming import SSEDecoder
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from msgspec import Raw

from gateway.dialect import Conversion
from gateway.dialects.messages import MESSAGES
from gateway.errors import Cut
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    CitationAdded,
    Ending,
    Event,
    KeepAlive,
    MessageEnd,
    MessageStart,
    PartEnd,
    Prompt,
    RedactedThinking,
    RefusalDelta,
    Signature,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    ToolStart,
    Usage,
    WebSearch,
)
from gateway.neutral.seal import Sealed
from tests.dialects.messages.wires import conversion, events_of

BEGAN = MessageStart("msg_1", "up", Usage(3))
DONE = MessageEnd(Ending("end_turn", usage=Usage(3, 2)))
PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def write(events: list[Event], crossed: Conversion | None = None) -> bytes:
    writer = MESSAGES.writer(crossed or conversion())
    return b"".join(writer.write(event) for event in events)


def accumulated(wire: bytes) -> dict[str, Any]:
    """The message that the official client has at the end of the stream."""
    message: Any = None
    buffers: dict[int, bytes] = {}
    for event in SSEDecoder().iter_bytes(iter([wire])):
        if event.event in (None, "ping"):
            continue
        message = accumulate_event(event=event.json(), current_snapshot=message, json_bufs=buffers)
    got: dict[str, Any] = message.to_dict()
    return got


def data_of(wire: bytes) -> list[dict[str, Any]]:
    return [
        msgspec.json.decode(line.removeprefix(b"data: "))
        for line in wire.split(b"\n")
        if line.startswith(b"data: ")
    ]


def test_the_bytes_of_a_short_answer() -> None:
    wire = write([BEGAN, TextStart(), TextDelta('a"\u2028'), PartEnd(), DONE])
    assert wire == (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1",'
        b'"type":"message","role":"assistant","model":"alias","content":[],"stop_reason":null,'
        b'"stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":0,'
        b'"cache_read_input_tokens":0,"output_tokens":0}}}\n\n'
        + PING
        + b"event: content_block_start\n"
        b'data: {"type":"content_block_start","index":0,'
        b'"content_block":{"type":"text","text":""}}\n\n'
        b"event: content_block_delta\n"
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
        b'"text":"a\\"\xe2\x80\xa8"}}\n\n'
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        b"event: message_delta\n"
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        b'"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
        b'"output_tokens":2}}\n\n'
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )


def test_the_official_client_gets_the_whole_message() -> None:
    crossed = conversion(Prompt("m", [], web_search=WebSearch()))
    wire = write(
        [
            MessageStart("chatcmpl-1", "up"),
            ThinkingStart(),
            ThinkingDelta("h"),
            ThinkingDelta("m"),
            Signature("sig", "chat"),
            PartEnd(),
            RedactedThinking("xx", "chat"),
            TextStart(),
            TextDelta("a"),
            TextDelta("b"),
            CitationAdded(Citation(Raw(b"{}"), "https://x", "T", "c")),
            PartEnd(),
            ToolStart("call_1", "f"),
            ArgumentsDelta('{"x":'),
            KeepAlive(),
            ArgumentsDelta("1}"),
            PartEnd(),
            ToolStart("call_2", "g"),
            PartEnd(),
            MessageEnd(Ending("tool_use", usage=Usage(50, 10, 900, 5, 4), service_tier="default")),
        ],
        crossed,
    )
    got = accumulated(wire)
    assert [block["type"] for block in got["content"]] == [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    thinking, hidden, text, first, second = got["content"]
    assert thinking["thinking"] == "hm"
    assert crossed.unsealed(thinking["signature"]) == Sealed(
        "p", "upstream-model", "signature", "sig"
    )
    assert crossed.unsealed(hidden["data"]) == Sealed("p", "upstream-model", "redacted", "xx")
    assert text["text"] == "ab"
    assert text["citations"][0]["url"] == "https://x"
    assert (first["id"], first["name"], first["input"]) == ("call_1", "f", {"x": 1})
    assert (second["id"], second["name"], second["input"]) == ("call_2", "g", {})
    assert got["stop_reason"] == "tool_use"
    assert got["model"] == "alias"
    assert got["id"].startswith("msg_")
    assert got["usage"]["input_tokens"] == 50
    assert got["usage"]["cache_read_input_tokens"] == 900
    assert got["usage"]["cache_creation_input_tokens"] == 5
    assert got["usage"]["output_tokens"] == 10
    assert got["usage"]["output_tokens_details"] == {"thinking_tokens": 4}


def test_every_event_has_a_name_and_one_block_is_open_at_a_time() -> None:
    wire = write(
        [
            BEGAN,
            TextStart(),
            TextDelta("a"),
            PartEnd(),
            ToolStart("a", "f"),
            ArgumentsDelta("{}"),
            PartEnd(),
            TextStart(),
            TextDelta("b"),
            PartEnd(),
            DONE,
        ]
    )
    for record in wire.split(b"\n\n")[:-1]:
        name, data = record.split(b"\n")
        assert name == b"event: " + msgspec.json.decode(data[6:])["type"].encode()
    blocks = [event for event in data_of(wire) if event["type"].startswith("content_block_")]
    assert [(event["type"][14:], event["index"]) for event in blocks] == [
        (type_, index) for index in range(3) for type_ in ("start", "delta", "stop")
    ]


def test_parts_that_say_nothing_are_no_blocks() -> None:
    wire = write(
        [
            BEGAN,
            TextStart(),
            TextDelta(""),
            PartEnd(),
            ThinkingStart(),
            ThinkingDelta(""),
            PartEnd(),
            ToolStart("a", "f"),
            ArgumentsDelta(""),
            PartEnd(),
            MessageEnd(Ending("tool_use")),
        ]
    )
    assert [(event["type"], event.get("index")) for event in data_of(wire)] == [
        ("message_start", None),
        ("ping", None),
        ("content_block_start", 0),
        ("content_block_stop", 0),
        ("message_delta", None),
        ("message_stop", None),
    ]


@pytest.mark.parametrize(
    ("events", "signature"),
    [
        ([ThinkingDelta("t"), Signature("native", "messages")], "native"),
        ([Signature("native", "messages")], "native"),
    ],
)
def test_a_native_signature_is_not_sealed(events: list[Event], signature: str) -> None:
    got = accumulated(write([BEGAN, ThinkingStart(), *events, PartEnd(), DONE]))
    assert got["content"][0]["signature"] == signature


def test_thinking_without_a_signature_gets_a_sealed_one_once() -> None:
    crossed = conversion()
    part: list[Event] = [ThinkingStart(), ThinkingDelta("t"), PartEnd()]
    wire = write([BEGAN, *part, *part, DONE], crossed)
    assert wire.count(b"signature_delta") == 2
    for block in accumulated(wire)["content"]:
        sealed = crossed.unsealed(block["signature"])
        assert sealed is not None
        assert sealed.kind == "text"


def test_a_signature_belongs_to_one_block() -> None:
    crossed = conversion()
    first: list[Event] = [ThinkingStart(), ThinkingDelta("t"), Signature("s", "messages")]
    second: list[Event] = [ThinkingStart(), ThinkingDelta("u"), PartEnd()]
    wire = write([BEGAN, *first, PartEnd(), *second, DONE], crossed)
    signatures = [block["signature"] for block in accumulated(wire)["content"]]
    assert signatures[0] == "s"
    sealed = crossed.unsealed(signatures[1])
    assert sealed == Sealed("p", "upstream-model", "text", hashlib.sha256(b"u").hexdigest())


def test_the_input_is_estimated_until_it_is_known() -> None:
    crossed = conversion(input_estimate=42)
    wire = write(
        [MessageStart("msg_1", "up"), MessageEnd(Ending("end_turn", usage=Usage(50, 1)))], crossed
    )
    events = data_of(wire)
    assert events[0]["message"]["usage"]["input_tokens"] == 42
    assert events[2]["usage"]["input_tokens"] == 50
    never = data_of(write([MessageStart("msg_1", "up"), MessageEnd(Ending("end_turn"))], crossed))
    assert never[2]["usage"]["input_tokens"] == 42


def test_a_refusal_is_text_and_a_reason() -> None:
    got = accumulated(
        write(
            [
                BEGAN,
                TextStart(),
                TextDelta("I"),
                PartEnd(),
                RefusalDelta("no "),
                RefusalDelta("way"),
                MessageEnd(Ending("end_turn")),
            ]
        )
    )
    assert [block["text"] for block in got["content"]] == ["I", "no way"]
    assert got["stop_reason"] == "refusal"
    assert got["stop_details"] == {"type": "refusal", "category": None, "explanation": None}


def test_a_stop_sequence_is_named() -> None:
    got = accumulated(write([BEGAN, MessageEnd(Ending("stop_sequence", "END"))]))
    assert (got["stop_reason"], got["stop_sequence"], got["content"]) == (
        "stop_sequence",
        "END",
        [],
    )


def test_free_text_of_a_custom_tool_is_wrapped() -> None:
    got = accumulated(
        write(
            [
                BEGAN,
                ToolStart("a", "f", custom=True),
                ArgumentsDelta("x\n"),
                ArgumentsDelta('"y"'),
                PartEnd(),
                DONE,
            ]
        )
    )
    assert got["content"][0]["input"] == {"input": 'x\n"y"'}


def test_missing_and_repeated_call_ids_are_made_up() -> None:
    calls: list[Event] = []
    for id_ in ("", "a", "a"):
        calls += [ToolStart(id_, "f"), PartEnd()]
    ids = [block["id"] for block in accumulated(write([BEGAN, *calls, DONE]))["content"]]
    assert ids[1] == "a"
    assert len(set(ids)) == 3
    assert all(ids)


def test_citations_that_the_client_did_not_ask_for_are_noted() -> None:
    crossed = conversion()
    cited = CitationAdded(Citation(Raw(b"{}"), "https://x"))
    wire = write([BEGAN, TextStart(), TextDelta("a"), cited, PartEnd(), DONE], crossed)
    assert b"citations" not in wire
    assert crossed.notes.entries == ["citations:unsupported_by_client"]


def test_the_ping() -> None:
    assert write([KeepAlive()]) == PING == MESSAGES.ping


def test_what_is_written_reads_back() -> None:
    events: list[Event] = [
        MessageStart("msg_1", "alias", Usage(3)),
        KeepAlive(),
        ThinkingStart(),
        ThinkingDelta("t"),
        Signature("s", "messages"),
        PartEnd(),
        TextStart(),
        TextDelta("a"),
        PartEnd(),
        ToolStart("a", "f"),
        ArgumentsDelta('{"x":1}'),
        PartEnd(),
        MessageEnd(Ending("tool_use", usage=Usage(3, 2, 1, 0))),
    ]
    wire = write([event for event in events if not isinstance(event, KeepAlive)])
    assert events_of(MESSAGES.reader(conversion()), [wire]) == events


def official(wire: bytes) -> list[Any]:
    """The events that the official client's stream yields for these bytes."""
    request = httpx2.Request("POST", "http://gateway/v1/messages")
    response = httpx2.Response(200, content=wire, request=request)
    with Anthropic(api_key="k", base_url="http://gateway") as client:
        kind: Any = RawMessageStreamEvent
        return list(Stream[Any](cast_to=kind, response=response, client=client))


def test_the_official_client_knows_every_event() -> None:
    wire = write([BEGAN, TextStart(), TextDelta("a"), PartEnd(), DONE])
    assert [event.type for event in official(wire)] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_the_official_client_raises_on_an_error_event() -> None:
    wire = write([BEGAN, TextStart(), TextDelta("a")])
    with pytest.raises(APIStatusError, match="hung up"):
        official(wire + MESSAGES.write_error_event(Cut("hung up"), "req_1"))
