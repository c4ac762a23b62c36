"""Writing the conversation of a Messages request."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from msgspec import Raw

from gateway.dialects.messages.turns_out import write_turns
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    Opaque,
    Part,
    Prompt,
    Redacted,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from gateway.neutral.seal import Sealed
from tests.dialects.messages.wires import SEAL, conversion, messages_of, written

U, A = Turn("user", [Text("u")]), Turn("assistant", [Text("a")])
USER, ASSISTANT = {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}
TALK = [U, A, Turn("system", [Text("B")]), Turn("user", [Text("v")])]


def called(*ids: str) -> Turn:
    return Turn("assistant", [ToolCall(id_, "f", "{}") for id_ in ids])


def answered(id_: str, *parts: Part) -> Turn:
    return Turn("user", [ToolResult(id_, list(parts) or [Text("r")])])


def use(id_: str) -> dict[str, object]:
    return {"type": "tool_use", "id": id_, "name": "f", "input": {}}


def result(id_: str, content: object = "r", **more: object) -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": id_, "content": content, **more}


def test_a_later_system_turn_without_support_is_a_reminder() -> None:
    assert messages_of(TALK, capability={"mid_system": False}) == [
        USER,
        ASSISTANT,
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>\nB\n</system-reminder>"},
                {"type": "text", "text": "v"},
            ],
        },
    ]


def test_a_later_system_turn_slides_behind_the_next_user_turn() -> None:
    system = {"role": "system", "content": "B"}
    first = [USER, ASSISTANT, {"role": "user", "content": "v"}, system]
    assert messages_of(TALK) == first
    assert messages_of([*TALK, A, U]) == [*first, ASSISTANT, USER]


def test_a_run_of_system_turns_is_one() -> None:
    run = [Turn("system", [Text("B")]), Turn("system", [Text("C")])]
    assert messages_of([U, *run, A, U]) == [
        USER,
        {"role": "system", "content": [{"type": "text", "text": c} for c in "BC"]},
        ASSISTANT,
        USER,
    ]


def test_a_system_turn_between_assistant_turns_is_the_users() -> None:
    system = Turn("system", [Text("B")])
    reminder = {"role": "user", "content": "<system-reminder>\nB\n</system-reminder>"}
    assert messages_of([U, A, system, A, U]) == [USER, ASSISTANT, reminder, ASSISTANT, USER]
    assert messages_of([U, A, system]) == [USER, ASSISTANT, reminder]


def test_a_system_turn_never_stands_between_a_call_and_its_result() -> None:
    turns = [U, called("x"), Turn("system", [Text("B")]), answered("x")]
    assert messages_of(turns) == [
        USER,
        {"role": "assistant", "content": [use("x")]},
        {"role": "user", "content": [result("x")]},
        {"role": "system", "content": "B"},
    ]
    assert messages_of(turns, capability={"mid_system": False})[2]["content"] == [
        result("x"),
        {"type": "text", "text": "<system-reminder>\nB\n</system-reminder>"},
    ]


def test_results_of_parallel_calls_share_the_next_user_turn_in_call_order() -> None:
    turns = [U, called("x", "y"), answered("y"), answered("x"), U]
    assert messages_of(turns) == [
        USER,
        {"role": "assistant", "content": [use("x"), use("y")]},
        {"role": "user", "content": [result("x"), result("y"), {"type": "text", "text": "u"}]},
    ]


def test_a_missing_result_is_an_error_and_an_orphan_is_text() -> None:
    turns = [U, called("x", "y"), answered("x"), A, answered("z")]
    got = messages_of(turns)
    assert got[2]["content"] == [
        result("x"),
        result("y", "No result was provided for this call.", is_error=True),
    ]
    assert got[4] == {"role": "user", "content": "[result of an earlier tool call z]\nr"}


def test_ids_with_foreign_characters_are_respelled_alike_in_call_and_result() -> None:
    got = messages_of([U, called("functions.Bash:0"), answered("functions.Bash:0")])
    (call,), (answer,) = got[1]["content"], got[2]["content"]
    assert call["id"] == answer["tool_use_id"]
    assert call["id"].startswith("functions_Bash_0_")
    assert len(call["id"]) == len("functions_Bash_0_") + 6


def test_an_error_key_in_a_result_is_no_error() -> None:
    got = messages_of([U, called("x"), answered("x", Text('{"error":null,"data":1}'))])
    assert got[2]["content"] == [result("x", '{"error":null,"data":1}')]


def test_empty_turns() -> None:
    crossed = conversion(Prompt("m", [U, Turn("assistant", [Text(" ")]), U, A, Turn("user", [])]))
    two = [{"type": "text", "text": "u"}] * 2
    assert written(crossed)["messages"] == [
        {"role": "user", "content": two},
        ASSISTANT,
        {"role": "user", "content": "."},
    ]
    assert crossed.notes.entries == ["messages.2:empty_turn_filled"]


def test_neighbours_of_a_turn_that_was_left_out_are_one() -> None:
    odd = Turn("assistant", [Opaque("odd", Raw(b"{}"), "responses")])
    two = [{"type": "text", "text": "u"}] * 2
    assert messages_of([U, odd, U]) == [{"role": "user", "content": two}]


def test_an_assistant_may_not_speak_first() -> None:
    crossed = conversion(Prompt("m", [A, U]))
    assert written(crossed)["messages"] == [{"role": "user", "content": "."}, ASSISTANT, USER]
    assert crossed.notes.entries == ["messages:first_turn_is_not_the_user's"]
    with pytest.raises(InvalidRequest):
        written(conversion(Prompt("m", [A, U]), strict=True))


def test_a_prefill_is_kept_without_its_last_spaces() -> None:
    turns = [U, Turn("assistant", [Text("a \n")])]
    assert messages_of(turns, capability={"prefill": "native"}) == [USER, ASSISTANT]


def test_a_prefill_that_the_model_refuses_becomes_a_request_to_go_on() -> None:
    crossed = conversion(Prompt("m", [U, A]))
    assert written(crossed)["messages"] == [
        USER,
        ASSISTANT,
        {
            "role": "user",
            "content": "Continue exactly from where your last message stopped.",
        },
    ]
    assert crossed.notes.entries == ["messages:prefill_not_supported"]
    with pytest.raises(InvalidRequest):
        written(conversion(Prompt("m", [U, A]), strict=True))


def test_names_are_told_only_where_several_users_speak() -> None:
    one = Turn("user", [Text("u")], "ann")
    assert messages_of([one, A, one]) == [USER, ASSISTANT, USER]
    two = Turn("user", [Text("v")], "bob")
    assert [turn["content"] for turn in messages_of([one, A, two])] == ["ann: u", "a", "bob: v"]


def blob(kind: str, provider: str = "p", model: str = "upstream-model") -> str:
    return SEAL.seal(Sealed(provider, model, kind, "own"))


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            Thinking("t", "native", "messages"),
            {"type": "thinking", "thinking": "t", "signature": "native"},
        ),
        (
            Thinking("t", blob("signature"), "chat"),
            {"type": "thinking", "thinking": "t", "signature": "own"},
        ),
        (Thinking("t", blob("signature", "other"), "chat"), None),
        (Thinking("t", blob("signature", model="other"), "messages"), None),
        (Thinking("t", blob("text"), "messages"), None),
        (Thinking("t", "~gw01.broken", "messages"), None),
        (Thinking("t", "foreign", "chat"), None),
        (Thinking("t", None, "messages"), None),
        (Redacted("native", "messages"), {"type": "redacted_thinking", "data": "native"}),
        (Redacted(blob("redacted"), "chat"), {"type": "redacted_thinking", "data": "own"}),
        (
            Redacted(blob("signature"), "responses"),
            {"type": "thinking", "thinking": "", "signature": "own"},
        ),
        (Redacted("foreign", "chat"), None),
    ],
)
def test_only_reasoning_that_the_upstream_minted_is_replayed(
    part: Part, block: dict[str, str] | None
) -> None:
    crossed = conversion(
        Prompt("m", [U, Turn("assistant", [part, ToolCall("x", "f")]), answered("x")])
    )
    assert written(crossed)["messages"][1]["content"] == [*([block] if block else []), use("x")]
    noted = ["messages.1.content.0:foreign_reasoning_dropped"]
    assert crossed.notes.entries == ([] if block else noted)


def test_a_turn_of_foreign_reasoning_alone_vanishes() -> None:
    turns = [U, Turn("assistant", [Thinking("t", "x", "chat")]), U]
    assert messages_of(turns) == [{"role": "user", "content": [{"type": "text", "text": "u"}] * 2}]


PARTS = st.sampled_from(
    [
        Turn("user", [Text("u")]),
        Turn("user", [ToolResult("x", [Text("r")])]),
        Turn("assistant", [Text("a")]),
        Turn("assistant", [ToolCall("x", "f")]),
        Turn("assistant", [Text(" ")]),
        Turn("assistant", [Thinking("t", "foreign", "chat"), Text("a")]),
        Turn("system", [Text("s")]),
    ]
)


@given(
    talk=st.lists(PARTS, max_size=8), mid_system=st.booleans(), answer=st.sampled_from(["", "call"])
)
@settings(max_examples=300, deadline=None)
def test_what_was_written_once_is_written_again(
    talk: list[Turn], answer: str, *, mid_system: bool
) -> None:
    before = [*talk, U]
    after: list[Turn] = [called("y"), answered("y")] if answer else [A, U]
    capability = {"mid_system": mid_system}
    first = messages_of(before, capability=capability)
    assert messages_of([*before, *after], capability=capability)[: len(first)] == first


LEGAL = {"user assistant", "assistant user", "user system", "system assistant"}


@given(talk=st.lists(PARTS, max_size=8), mid_system=st.booleans())
@settings(max_examples=300, deadline=None)
def test_turns_obey_the_api(talk: list[Turn], *, mid_system: bool) -> None:
    got = messages_of(talk, capability={"mid_system": mid_system})
    roles = [turn["role"] for turn in got]
    assert roles[0] == "user"
    for at, (role, following) in enumerate(itertools.pairwise(roles)):
        assert f"{role} {following}" in LEGAL
        calls = [block["id"] for block in blocks_of(got[at]) if block["type"] == "tool_use"]
        results = [
            block["tool_use_id"]
            for block in blocks_of(got[at + 1])
            if block["type"] == "tool_result"
        ]
        assert list(dict.fromkeys(calls)) == results


def blocks_of(turn: dict[str, Any]) -> list[dict[str, Any]]:
    return turn["content"] if isinstance(turn["content"], list) else []


@pytest.mark.parametrize(
    "texts", [["a"], ["a", "b", "c "], ["a", "b"], [" "], ["a", " ", "c"], ["a", "b", "\n"]]
)
def test_turns_of_bare_texts_are_written_as_any_others(texts: list[str]) -> None:
    bare = [Turn("assistant" if at % 2 else "user", [Text(one)]) for at, one in enumerate(texts)]
    # one user's name says nothing, but such turns take the long way
    named = [Turn(turn.role, turn.parts, "ann") for turn in bare]
    ways = conversion(Prompt("m", bare)), conversion(Prompt("m", named))
    assert write_turns(ways[0]) == write_turns(ways[1])
    assert ways[0].notes.entries == ways[1].notes.entries
