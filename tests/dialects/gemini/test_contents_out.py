"""The conversation as Gemini takes it: order, names and ids of calls, and signatures."""

import pytest
from msgspec import Raw

from gateway.dialects.common.extra_content import SKIP_SIGNATURE
from gateway.dialects.common.signatures import CALL_SIGNATURE, LONE_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.gemini import GEMINI
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    Citation,
    Part,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from tests.dialects.gemini.conversions import (
    NEW,
    NEWEST,
    OLD,
    Json,
    Memory,
    asked,
    contents,
    conversion,
    said,
    tools,
    written,
)

CALLS = Turn("assistant", [ToolCall("a", "f", '{"x": 1.0}'), ToolCall("b", "g", "")])
RESULTS = Turn(
    "user", [ToolResult("a", [Text("ok")]), ToolResult("b", [Text("no")], is_error=True)]
)


def user(*texts: str) -> Json:
    return {"role": "user", "parts": [{"text": text} for text in texts]}


def model(*texts: str) -> Json:
    return {"role": "model", "parts": [{"text": text} for text in texts]}


def test_roles_alternate_and_neighbours_are_merged() -> None:
    turns = [said("a"), said("b", ""), said("c", role="assistant"), said("d", role="assistant")]
    assert contents(*turns, said("e")) == [user("a", "b"), model("c", "d"), user("e")]


def test_the_system_prompt_stands_apart_and_a_later_one_is_a_reminder() -> None:
    system = [Text("x-anthropic-billing-header: 1"), Text("A"), Text("")]
    way = conversion(asked(said("hi"), said("B", role="system"), system=system))
    got = written(way)
    assert got["systemInstruction"] == {"parts": [{"text": "A"}]}
    assert got["contents"] == [user("hi", "<system-reminder>\nB\n</system-reminder>")]
    assert contents(said("", role="system"), system=[Text("A")]) == [user(" ")]


def test_a_conversation_begins_with_the_user_and_ends_where_the_model_can_go_on() -> None:
    way = conversion(asked(said("a", role="assistant"), said("b")))
    assert written(way)["contents"] == [user("."), model("a"), user("b")]
    assert way.notes.entries == ["messages:first_turn_is_not_the_user's"]
    assert contents(said("a"), said("b", role="assistant")) == [user("a"), model("b")]
    way = conversion(asked(said("a"), said("b", role="assistant")), NEWEST)
    last = written(way)["contents"][-1]
    assert last["role"] == "user"
    assert last["parts"][0]["text"].startswith("Continue")
    assert way.notes.entries == ["messages:prefill_not_supported"]
    with pytest.raises(InvalidRequest):
        written(conversion(asked(said("a"), said("b", role="assistant")), NEWEST, strict=True))


def test_several_users_are_told_apart() -> None:
    turns = [said("a", name="ann"), said("b", name="bob")]
    assert contents(*turns) == [user("ann: ", "a", "bob: ", "b")]
    assert contents(said("a", name="ann")) == [user("a")]


@pytest.mark.parametrize("name", [NEW, OLD])
def test_calls_and_results_go_by_name_and_newer_ones_by_id(name: str) -> None:
    ids = [{"id": "a"}, {"id": "b"}] if name == NEW else [{}, {}]
    got = contents(said("hi"), CALLS, RESULTS, model=name)
    first: Json = {"functionCall": {"name": "f", "args": {"x": 1.0}} | ids[0]}
    if name == NEW:
        first["thoughtSignature"] = SKIP_SIGNATURE
    assert got[1] == {
        "role": "model",
        "parts": [first, {"functionCall": {"name": "g", "args": {}} | ids[1]}],
    }
    assert got[2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"name": "f", "response": {"output": "ok"}} | ids[0]},
            {"functionResponse": {"name": "g", "response": {"error": "no"}} | ids[1]},
        ],
    }


def test_arguments_keep_their_spelling_and_what_is_none_is_kept_as_text() -> None:
    turn = Turn("assistant", [ToolCall("a", "f", '{"b":1.0,"a":1e3}'), ToolCall("b", "g", "{x")])
    way = conversion(asked(said("hi"), turn))
    raw = bytes(GEMINI.write_prompt(way)["contents"])
    assert b'"args":{"b":1.0,"a":1e3}' in raw
    assert b'"args":{"_raw_arguments":"{x"}' in raw
    assert way.notes.entries == ["messages.tool_calls.arguments:invalid_json_kept_as_text"]


def test_names_that_gemini_refuses_are_rewritten_everywhere() -> None:
    turn = Turn("assistant", [ToolCall("a", "my tool", "{}")])
    result = Turn("user", [ToolResult("a", [Text("ok")])])
    way = conversion(asked(said("hi"), turn, result, tools=tools("my tool")))
    got = written(way)
    assert got["tools"][0]["functionDeclarations"][0]["name"] == "my_tool"
    assert got["contents"][1]["parts"][0]["functionCall"]["name"] == "my_tool"
    assert got["contents"][2]["parts"][0]["functionResponse"]["name"] == "my_tool"
    assert way.names.to_client("my_tool") == "my tool"


def test_other_parts_of_an_answer() -> None:
    cited = Text("x", citations=[Citation(Raw(b"{}"))])
    turn = Turn("assistant", [Refusal("no"), cited, Thinking("t"), Redacted("d", "messages")])
    way = conversion(asked(said("a"), turn, said("b")))
    assert written(way)["contents"][1] == model("no", "x")
    assert way.notes.entries == [
        "messages.citations:unsupported_by_target",
        "messages.thinking:foreign_reasoning_dropped",
    ]


def test_what_comes_later_changes_nothing_before() -> None:
    turns = [said("a"), CALLS, RESULTS, said("b", role="assistant"), said("c")]
    whole = contents(*turns)
    for length in range(1, len(turns)):
        shorter = contents(*turns[:length])
        assert shorter == whole[: len(shorter)]


# --- signatures -----------------------------------------------------------------------------------


def sealed(kind: str, data: str, model: str = NEW) -> Redacted:
    """Hidden reasoning as a client of another dialect carries it."""
    return Redacted(conversion(model=model).sealed(kind, data), "messages")


def signatures(parts: list[Json]) -> list[str | None]:
    return [part.get("thoughtSignature") for part in parts]


def replayed(*parts: Part, model: str = NEW, memory: Memory | None = None) -> list[Json]:
    """The parts of the model's turn."""
    way = conversion(model=model)
    way.signed = memory
    found: list[Json] = contents(said("hi"), Turn("assistant", list(parts)), way=way)[1]["parts"]
    return found


F, G = ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}")


def test_case_28_a_signature_stands_on_the_part_that_it_came_with() -> None:
    assert signatures(replayed(sealed(CALL_SIGNATURE, "S"), F, G)) == ["S", None]
    assert signatures(replayed(F, sealed(CALL_SIGNATURE, "S"), G)) == [None, "S"]
    assert signatures(replayed(sealed(CALL_SIGNATURE, "S"), F, sealed(CALL_SIGNATURE, "T"), G)) == [
        "S",
        "T",
    ]


def test_texts_and_thoughts_get_theirs_back_too() -> None:
    thought = Thinking("t", conversion().sealed("signature", "Z"), "messages")
    assert replayed(
        thought, Text("a"), sealed(TEXT_SIGNATURE, "S"), Text("b"), sealed(LONE_SIGNATURE, "T")
    ) == [
        {"text": "t", "thought": True, "thoughtSignature": "Z"},
        {"text": "a", "thoughtSignature": "S"},
        {"text": "b"},
        {"text": "", "thoughtSignature": "T"},
    ]
    assert replayed(Text("x"), sealed(TEXT_SIGNATURE, "S"), sealed(TEXT_SIGNATURE, "T")) == [
        {"text": "x", "thoughtSignature": "S"},
        {"text": "", "thoughtSignature": "T"},
    ]


def test_without_one_the_first_call_skips_the_check_where_there_is_one() -> None:
    assert signatures(replayed(F, G)) == [SKIP_SIGNATURE, None]
    assert signatures(replayed(F, G, model=OLD)) == [None, None]
    assert signatures(replayed(sealed(CALL_SIGNATURE, "S", "gemini-3-flash"), F, G)) == [
        SKIP_SIGNATURE,
        None,
    ]
    assert signatures(replayed(sealed(CALL_SIGNATURE, "S", OLD), F, model=OLD)) == ["S"]
    assert SKIP_SIGNATURE == "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="


def test_what_a_client_drops_was_kept_by_the_id_of_its_call() -> None:
    memory = Memory()
    memory.keep("a", "kept")
    assert signatures(replayed(F, G, memory=memory)) == ["kept", None]
    assert signatures(replayed(sealed(CALL_SIGNATURE, "S"), F, memory=memory)) == ["S"]


def test_signatures_of_other_upstreams_are_left_out_and_told() -> None:
    way = conversion()
    turn = Turn(
        "assistant",
        [Thinking("t", "foreign", "messages"), Text("a"), sealed(TEXT_SIGNATURE, "S", OLD)],
    )
    assert contents(said("hi"), turn, way=way)[1] == model("a")
    assert way.notes.entries == ["messages.thinking:foreign_reasoning_dropped"]
    own = Thinking("t", way.sealed("text", "hash"), "messages")
    fresh = conversion()
    assert contents(said("hi"), Turn("assistant", [own, Text("a")]), way=fresh)[1] == model("a")
    assert fresh.notes.entries == []  # it was never signed: nothing is lost
