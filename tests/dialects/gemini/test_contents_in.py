"""The conversation of a Gemini request: turns, calls and their responses, reasoning carried."""

from typing import Any

import pytest

from gateway.dialects.gemini.signature_bundle import (
    ReasoningBundle,
    encode_bundle,
    encode_signature,
)
from gateway.errors import InvalidRequest, UnusableMedia
from gateway.neutral.events import (
    Audio,
    Document,
    Image,
    Redacted,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from gateway.neutral.notes import LossReport
from tests.dialects.gemini.sent import parts_of, said, turns_of


def call(name: str, id: str | None = None, **args: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "args": args}
    return {"functionCall": found if id is None else found | {"id": id}}


def response(name: str, value: Any, id: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "response": value}
    return {"functionResponse": found if id is None else found | {"id": id}}


def test_roles_and_texts() -> None:
    got = turns_of(
        {"parts": [{"text": "a"}, {"text": ""}, {"text": "b"}]},
        said("c", role="model"),
        said("d", role="system"),
    )
    assert got == [
        Turn("user", [Text("a"), Text("b")]),
        Turn("assistant", [Text("c")]),
        Turn("system", [Text("d")]),
    ]


def test_the_pieces_of_a_streamed_answer_are_one_turn() -> None:
    got = turns_of(
        said("hi"),
        said({"text": "I ", "thought": True}, role="model"),
        said({"text": "think", "thought": True}, role="model"),
        said("Hel", role="model"),
        said("lo", role="model"),
        said(call("f", "1"), role="model"),
        said("", role="model"),
    )
    assert got[1:] == [
        Turn(
            "assistant",
            [Thinking("I think", None, "gemini"), Text("Hello"), ToolCall("1", "f", "{}")],
        )
    ]


def test_texts_of_one_content_stay_apart() -> None:
    assert parts_of("a", "b", role="model") == [Text("a"), Text("b")]


def test_responses_are_matched_by_id_before_name() -> None:
    got = turns_of(
        said(call("f", "1", x=1), call("f", "2", x=2), role="model"),
        said("and", response("f", {"output": "two"}, "2"), response("f", {"output": "one"}, "1")),
    )
    assert got[0].parts == [ToolCall("1", "f", '{"x":1}'), ToolCall("2", "f", '{"x":2}')]
    assert got[1].parts == [
        ToolResult("2", [Text("two")]),
        ToolResult("1", [Text("one")]),
        Text("and"),
    ]


def test_responses_without_ids_are_matched_by_name_and_order() -> None:
    got = turns_of(
        said("hi"),
        said(call("f", x=1), call("g"), call("f", x=2), role="model"),
        said(response("g", {"output": "g"})),
        said(response("f", {"output": "1"}), response("f", {"output": "2"}), role="function"),
    )
    first, g, second = (part.id for part in got[1].parts if isinstance(part, ToolCall))
    assert len({first, g, second}) == 3
    assert got[2].parts == [ToolResult(g, [Text("g")])]
    assert got[3].parts == [ToolResult(first, [Text("1")]), ToolResult(second, [Text("2")])]


def test_a_foreign_id_is_matched_by_name() -> None:
    got = turns_of(
        said(call("f", "1"), role="model"), said(response("f", {"output": "x"}, "other"))
    )
    assert got[1].parts == [ToolResult("1", [Text("x")])]


def test_made_ids_are_the_same_in_every_turn() -> None:
    contents = [said("hi"), said(call("f"), role="model"), said(response("f", {"output": "1"}))]
    longer = [*contents, said("so", role="model"), said("go on")]
    assert turns_of(*longer)[:3] == turns_of(*contents)


def test_a_response_to_nothing_keeps_an_id_of_its_own() -> None:
    got = turns_of(
        said(call("f", "1"), role="model"),
        said("later"),
        said("yes", role="model"),
        said(response("f", {"output": "x"})),
    )
    (result,) = got[3].parts
    assert isinstance(result, ToolResult)
    assert result.call_id not in ("1", "")


@pytest.mark.parametrize(
    ("value", "text", "is_error"),
    [
        ({"output": "x"}, "x", False),
        ({"result": {"a": 1}}, '{"a":1}', False),
        ({"output": None}, "", False),
        ({"error": "boom"}, "boom", True),
        ({"error": {"code": 1}}, '{"code":1}', True),
        ({"error": None, "data": 1}, '{"error":null,"data":1}', False),
        ({"file_path": "a"}, '{"file_path":"a"}', False),
        ({}, "", False),
    ],
)
def test_what_a_response_says(value: Any, text: str, is_error: bool) -> None:
    got = turns_of(said(call("f", "1"), role="model"), said(response("f", value, "1")))
    assert got[1].parts == [ToolResult("1", [Text(text)] if text else [], is_error)]


def test_arguments_keep_their_bytes_and_names() -> None:
    got = turns_of(said(call("f", "1", file_path=1.0), role="model"))
    assert got[0].parts == [ToolCall("1", "f", '{"file_path":1.0}')]


def test_a_response_may_bring_pictures() -> None:
    shown = response("f", {"output": "see"}, "1")
    shown["functionResponse"]["parts"] = [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]
    got = turns_of(said(call("f", "1"), role="model"), said(shown))
    assert got[1].parts == [ToolResult("1", [Text("see"), Image("image/png", "AAAA")])]


@pytest.mark.parametrize(
    ("part", "read"),
    [
        ({"inlineData": {"mimeType": "image/PNG", "data": "AA=="}}, Image("image/png", "AA==")),
        ({"inline_data": {"mime_type": "image/png", "data": "-_8"}}, Image("image/png", "+/8=")),
        (
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA", "displayName": "a"}},
            Document("application/pdf", "AAAA", title="a"),
        ),
        (
            {"inlineData": {"mimeType": "text/csv", "data": "AAAA"}},
            Document("text/csv", "AAAA"),
        ),
        ({"inlineData": {"mimeType": "audio/mpeg", "data": "AAAA"}}, Audio("AAAA", "mp3")),
        ({"inlineData": {"mimeType": "audio/wav;rate=9", "data": "AAAA"}}, Audio("AAAA", "wav")),
        (
            {"fileData": {"fileUri": "https://h/a.png?x=1"}},
            Image("image/png", url="https://h/a.png?x=1"),
        ),
        (
            {"file_data": {"file_uri": "http://h/a", "mime_type": "application/pdf"}},
            Document("application/pdf", url="http://h/a"),
        ),
    ],
)
def test_media(part: Any, read: Any) -> None:
    assert parts_of(part) == [read]


@pytest.mark.parametrize(
    "part",
    [
        {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}},
        {"fileData": {"fileUri": "gs://bucket/a.png", "mimeType": "image/png"}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}},
        {"fileData": {"fileUri": "https://youtu.be/x"}},
    ],
)
def test_media_that_only_google_has_is_refused(part: Any) -> None:
    with pytest.raises(UnusableMedia):
        parts_of(part)


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"inlineData": {"data": "AAAA"}}, "inlineData.mimeType"),
        ({"inlineData": {"mimeType": "image/png"}}, "inlineData.data"),
        ({"fileData": {}}, "fileData.fileUri"),
        ({"fileData": {"fileUri": "file:///etc/passwd"}}, "fileData.fileUri"),
        ({"functionResponse": {"response": {}}}, "functionResponse.name"),
        ({"functionResponse": {"name": "f", "response": []}}, "functionResponse.response"),
    ],
)
def test_a_part_that_lacks_something_names_it(part: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parts_of(part)
    assert refused.value.param == f"contents.0.parts.0.{param}"


@pytest.mark.parametrize(
    ("call", "param"),
    [({"args": {}}, "functionCall.name"), ({"name": "f", "args": "x"}, "functionCall.args")],
)
def test_a_call_that_is_none(call: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parts_of({"functionCall": call}, role="model")
    assert refused.value.param == f"contents.0.parts.0.{param}"


def test_what_is_not_portable_is_noted() -> None:
    notes = LossReport()
    got = parts_of(
        {"toolCall": {"id": "1"}},
        {"brandNew": 1},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "mediaResolution": {"level": 1}},
        {"executableCode": {"code": "1+1", "language": "PYTHON"}},
        {"codeExecutionResult": {"output": "2"}},
        role="model",
        notes=notes,
    )
    assert [part.text for part in got if isinstance(part, ServerTool)] == [
        "```python\n1+1\n```",
        "```\n2\n```",
    ]
    assert notes.entries == [
        "contents.0.parts.0:server_tools_are_not_portable",
        "contents.0.parts.1:unknown_part",
        "contents.0.parts.2.mediaResolution:unsupported_by_target",
    ]


# --- reasoning ------------------------------------------------------------------------------------


def signed(part: dict[str, Any], given: str) -> dict[str, Any]:
    return part | {"thoughtSignature": given}


def test_a_thought_takes_the_signature_that_follows_it() -> None:
    got = parts_of(
        {"text": "why", "thought": True},
        signed({"text": "", "thought": True}, encode_signature("~gw01.sig")),
        "so",
        role="model",
    )
    assert got == [Thinking("why", "~gw01.sig", "gemini"), Text("so")]


def test_a_call_brings_the_reasoning_that_the_client_dropped() -> None:
    """Where it was: upstreams want a turn to begin with what was thought first."""
    first = encode_bundle(
        ReasoningBundle(
            [Thinking("why", "~gw01.sig")],
            [Redacted("~gw01.hidden", "")],
        )
    )
    second = encode_bundle(ReasoningBundle([Thinking("and", "~gw01.s2")]))
    got = parts_of(
        "so", signed(call("f", "1"), first), "now", signed(call("f", "2"), second), role="model"
    )
    assert got == [
        Thinking("why", "~gw01.sig", "gemini"),
        Text("so"),
        Redacted("~gw01.hidden", "gemini"),
        ToolCall("1", "f", "{}"),
        Thinking("and", "~gw01.s2", "gemini"),
        Text("now"),
        ToolCall("2", "f", "{}"),
    ]


def test_a_call_does_not_bring_what_is_there() -> None:
    carried = encode_bundle(ReasoningBundle([Thinking("why", "~gw01.sig")]))
    got = parts_of({"text": "why", "thought": True}, signed(call("f", "1"), carried), role="model")
    assert got == [
        Thinking("why", "~gw01.sig", "gemini"),
        ToolCall("1", "f", "{}"),
    ]


def test_one_blob_on_a_call_signs_it() -> None:
    got = parts_of(signed(call("f", "1"), encode_signature("~gw01.call")), role="model")
    assert got == [
        Redacted("~gw01.call", "gemini"),
        ToolCall("1", "f", "{}"),
    ]


def test_a_signature_of_googles_stays_googles() -> None:
    got = parts_of(signed(call("f", "1"), "AbC="), signed({"text": ""}, "AbC="), role="model")
    assert got == [Redacted("AbC=", "gemini"), ToolCall("1", "f", "{}"), Redacted("AbC=", "gemini")]


@pytest.mark.parametrize(
    "word",
    ["skip_thought_signature_validator", "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="],
)
def test_the_word_that_skips_the_check_signs_nothing(word: str) -> None:
    assert parts_of(signed(call("f", "1"), word), role="model") == [ToolCall("1", "f", "{}")]


def test_the_url_safe_letters_are_read_too() -> None:
    blob = "~gw01." + "ÿþ>?" * 5
    given = encode_signature(blob).replace("+", "-").replace("/", "_").rstrip("=")
    assert parts_of(signed(call("f", "1"), given), role="model")[0] == Redacted(blob, "gemini")
