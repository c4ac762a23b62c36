"""Reading the conversation of a Messages request."""

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.neutral.events import CacheMark, Text, Tool, ToolCall, ToolResult, Turn
from gateway.neutral.notes import LossReport
from tests.dialects.messages.wires import prompt_of

USER = {"role": "user", "content": "hi"}
ASSISTANT = {"role": "assistant", "content": "yo"}


@pytest.mark.parametrize(
    ("system", "texts"),
    [
        ("S", [Text("S")]),
        ("", []),
        (
            [{"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}],
            [Text("A", CacheMark())],
        ),
        (
            [
                {"type": "text", "text": "x-anthropic-billing-header: cc_version=1"},
                {"type": "text", "text": "B"},
            ],
            [Text("B")],
        ),
        (
            [
                {"type": "text", "text": "A"},
                {"type": "text", "text": "x-anthropic-billing-header:"},
            ],
            [Text("A"), Text("x-anthropic-billing-header:")],
        ),
    ],
)
def test_system(system: object, texts: list[Text]) -> None:
    assert prompt_of(system=system).system == texts


def test_results_come_before_the_other_parts_of_their_turn() -> None:
    got = prompt_of(
        messages=[
            USER,
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {"type": "tool_result", "tool_use_id": "a", "content": "r"},
                ],
            },
        ]
    )
    assert got.turns == [
        Turn("user", [Text("hi")]),
        Turn("assistant", [ToolCall("a", "f", "{}")]),
        Turn("user", [ToolResult("a", [Text("r")]), Text("hi")]),
    ]


def test_a_system_message_keeps_its_place() -> None:
    got = prompt_of(
        system="A",
        messages=[
            {"role": "system", "content": "B"},
            USER,
            {"role": "system", "content": [{"type": "text", "text": "C"}]},
            ASSISTANT,
        ],
    )
    assert got.system == [Text("A"), Text("B")]
    assert got.turns == [
        Turn("user", [Text("hi")]),
        Turn("system", [Text("C")]),
        Turn("assistant", [Text("yo")]),
    ]


@pytest.mark.parametrize(("later", "kept"), [([], True), ([ASSISTANT], True), ([USER], False)])
def test_a_message_cleared_at_the_next_user_message(
    later: list[dict[str, Any]], *, kept: bool
) -> None:
    cleared = {"role": "system", "content": "C", "clear_at": "next_user_message"}
    turns = prompt_of(messages=[USER, cleared, *later]).turns
    assert (Turn("system", [Text("C")]) in turns) == kept


def test_the_last_effort_wins() -> None:
    got = prompt_of(
        output_config={"effort": "low"},
        messages=[
            USER,
            {"role": "system", "output_config": {"effort": "high"}},
            {"role": "system", "content": "x", "output_config": {"effort": "max"}},
        ],
    )
    assert got.reasoning is not None
    assert got.reasoning.effort == "max"
    assert len(got.turns) == 2


def test_tools_added_and_removed() -> None:
    notes = LossReport()
    got = prompt_of(
        notes,
        tools=[{"name": "f", "input_schema": {}}, {"name": "g"}],
        messages=[
            USER,
            {
                "role": "system",
                "content": [
                    {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "f"}},
                    {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "g"}},
                    {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "g"}},
                    {
                        "type": "tool_addition",
                        "tool": {
                            "type": "tool_definition",
                            "definition": {"name": "h", "description": "d"},
                        },
                    },
                ],
            },
        ],
    )
    assert got.tools == [Tool("g"), Tool("h", "d")]
    assert len(got.turns) == 1
    assert notes.entries[0] == ("messages.1.content.0:tools_changed_for_the_whole_conversation")


def test_a_summary_takes_the_place_of_what_it_sums_up() -> None:
    notes = LossReport()
    got = prompt_of(
        notes,
        messages=[
            USER,
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "old"},
                    {"type": "compaction", "content": "sum", "signature": "s"},
                    {"type": "text", "text": "new"},
                ],
            },
            USER,
        ],
    )
    assert got.turns == [
        Turn("user", [Text("Summary of the earlier conversation:\nsum")]),
        Turn("assistant", [Text("new")]),
        Turn("user", [Text("hi")]),
    ]
    assert notes.entries == ["messages.1.content.1:earlier_turns_replaced_by_their_summary"]


def test_a_failed_compaction_says_nothing() -> None:
    notes = LossReport()
    content = [{"type": "compaction", "content": None}, {"type": "text", "text": "yo"}]
    got = prompt_of(notes, messages=[USER, {"role": "assistant", "content": content}])
    assert got.turns == [Turn("user", [Text("hi")]), Turn("assistant", [Text("yo")])]
    assert notes.entries == []


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "tool", "content": "x"}, "messages.1.role"),
        ({"content": "x"}, "messages.1.role"),
        ({"role": "user"}, "messages.1.content"),
        ({"role": "user", "content": 3}, "messages.1.content"),
        ({"role": "system", "content": [{"type": "image"}]}, "messages.1.content.0.type"),
        (
            {"role": "system", "content": [{"type": "tool_addition"}]},
            "messages.1.content.0.tool",
        ),
        (7, "messages.1"),
    ],
)
def test_a_wrong_message_is_named_by_its_path(message: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        prompt_of(messages=[USER, message])
    assert caught.value.param == param
