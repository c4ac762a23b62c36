"""Turns as input items."""

from typing import Any, Literal

import pytest
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.dialect import Conversion
from gateway.dialects.common.signatures import CALL_SIGNATURE
from gateway.dialects.responses import RESPONSES
from gateway.neutral.events import (
    CacheMark,
    Citation,
    Image,
    Opaque,
    Part,
    Prompt,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from tests.dialects.chat.conversions import SEAL, conversion, plain

ASK = Turn("user", [Text("hi")])


def ask(text: str) -> Turn:
    return Turn("user", [Text(text)])


def said(role: str, content: object) -> dict[str, object]:
    return {"type": "message", "role": role, "content": content}


def spoke(*texts: str) -> dict[str, object]:
    return said("assistant", [{"type": "output_text", "text": text} for text in texts])


def items(
    *turns: Turn, capability: Capability | None = None, notes: list[str] | None = None, **more: Any
) -> list[Any]:
    way = conversion(Prompt("m", list(turns), **more), capability)
    found = plain(RESPONSES.write_prompt(way))["input"]
    assert isinstance(found, list)
    assert way.notes.entries == (notes or [])
    return found


def test_instructions_stand_in_the_input() -> None:
    system = [Text("x-anthropic-billing-header: cch=1"), Text("A"), Text(""), Text("B")]
    assert items(ASK, system=system) == [said("system", "A\n\nB"), said("user", "hi")]
    found = items(ASK, system=system, capability=Capability(developer_role=True))
    assert found[0] == said("developer", "A\n\nB")
    assert items(ASK, system=[Text("")]) == [said("user", "hi")]


@pytest.mark.parametrize(
    ("capability", "item"),
    [
        (Capability(), said("system", "S")),
        (Capability(developer_role=True), said("developer", "S")),
        (Capability(mid_system=False), said("user", "<system-reminder>\nS\n</system-reminder>")),
        (Capability(system_first_only=True),
         said("user", "<system-reminder>\nS\n</system-reminder>")),
    ],
)  # fmt: skip
def test_a_later_system_turn(capability: Capability, item: dict[str, object]) -> None:
    turns = ASK, Turn("system", [Text("S")]), Turn("system", []), ask("go")
    assert items(*turns, capability=capability) == [said("user", "hi"), item, said("user", "go")]


def test_texts_side_by_side_are_one_message() -> None:
    turn = Turn("assistant", [Text("a"), Text(""), Refusal("no"), ServerTool("s", "t", Raw(b"1"))])
    assert items(ASK, turn, ASK)[1] == said("assistant", [
        {"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "no"},
        {"type": "output_text", "text": "s"},
    ])  # fmt: skip


def test_calls_and_their_outputs() -> None:
    calls = Turn("assistant", [Text("t"), ToolCall("a", "f", '{"x":1.0}'), ToolCall("b", "g", " ")])
    results = Turn("user", [
        ToolResult("b", [Text("B")]), ToolResult("a", [Text("1"), Text("2")]), Text("then"),
    ])  # fmt: skip
    assert items(ASK, calls, results) == [
        said("user", "hi"),
        spoke("t"),
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":1.0}'},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1\n2"},
        {"type": "function_call_output", "call_id": "b", "output": "B"},
        said("user", "then"),
    ]


def test_text_after_a_call_stays_after_it() -> None:
    turn = Turn("assistant", [Text("a"), ToolCall("i", "f"), Text("b")])
    kinds = [item["type"] for item in items(ASK, turn, Turn("user", [ToolResult("i")]))]
    assert kinds == ["message", "message", "function_call", "message", "function_call_output"]


def test_long_ids_are_shortened_alike_in_call_and_output() -> None:
    long = "toolu_" + "x" * 60
    found = items(
        Turn("assistant", [ToolCall(long, "f")]), Turn("user", [ToolResult(long)]),
        capability=Capability(tool_id="openai"),
    )  # fmt: skip
    assert found[0]["call_id"] == found[1]["call_id"]
    assert len(found[0]["call_id"]) <= 40


@pytest.mark.parametrize(
    ("parts", "failed", "output"),
    [
        ([], False, ""),
        ([], True, "Error"),
        ([Text("ENOENT")], True, "Error: ENOENT"),
        ([Text("error: x")], True, "error: x"),
        ([Text("ok"), Image("image/png", "AA==")], False, [
            {"type": "input_text", "text": "ok"},
            {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"},
        ]),
        ([Image(url="https://a/b.png")], True, [
            {"type": "input_text", "text": "Error:"},
            {"type": "input_image", "image_url": "https://a/b.png", "detail": "auto"},
        ]),
    ],
)  # fmt: skip
def test_outputs(parts: list[Part], failed: bool, output: object) -> None:
    found = items(
        Turn("assistant", [ToolCall("a", "f")]), Turn("user", [ToolResult("a", parts, failed)])
    )
    assert found[1]["output"] == output


def test_an_empty_output_is_said_where_it_must_be() -> None:
    turns = Turn("assistant", [ToolCall("a", "f")]), Turn("user", [ToolResult("a")])
    found = items(*turns, capability=Capability(empty_tool_content=False))
    assert found[1]["output"] == "(no output)"


@pytest.mark.parametrize("native", [True, False])
def test_calls_of_free_text(native: bool) -> None:
    turns = (
        Turn("assistant", [ToolCall("a", "patch", "*** Begin", custom=True)]),
        Turn("user", [ToolResult("a", [Text("done")])]),
    )
    found = items(
        *turns, tools=[Tool("patch", custom=True)], capability=Capability(custom_tools=native)
    )
    if native:
        assert found == [
            {"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": "*** Begin"},
            {"type": "custom_tool_call_output", "call_id": "a", "output": "done"},
        ]
    else:
        assert found[0]["arguments"] == '{"input":"*** Begin"}'
        assert found[1]["type"] == "function_call_output"


def test_names_are_told_where_several_speak() -> None:
    turns = Turn("user", [Text("a")], "Ann"), Turn("user", [Text("b")], "Bob"), ASK
    assert items(*turns)[0] == said("user", [
        {"type": "input_text", "text": "Ann: "}, {"type": "input_text", "text": "a"},
    ])  # fmt: skip
    assert items(Turn("user", [Text("a")], "Ann"))[0] == said("user", "a")


def test_a_trailing_answer_is_gone_on_with_in_words() -> None:
    found = items(
        ASK, Turn("assistant", [Text("So")]), notes=["messages.prefill:asked_for_in_words"]
    )
    assert found[1:] == [
        spoke("So"), said("user", "Continue exactly from where your last message stopped.")
    ]  # fmt: skip


def test_what_has_no_item_is_told() -> None:
    cited = Text("c", citations=[Citation(Raw(b"{}"))])
    turn = Turn("assistant", [cited, Image("image/png", "AA=="), Opaque("odd", Raw(b"{}"), "x")])
    found = items(ASK, turn, ASK, notes=[
        "messages.citations:unsupported_by_target", "messages.image:unsupported_by_target",
        "messages.odd:unsupported_by_target",
    ])  # fmt: skip
    assert found[1] == spoke("c")


# --- reasoning ------------------------------------------------------------------------------------


def sealed(kind: str, data: str, model: str = "real") -> str:
    way: Conversion = conversion()
    way.model = model
    return way.sealed(kind, data)


def thought(part: Part, **more: Any) -> list[Any]:
    return items(ASK, Turn("assistant", [part, Text("so")]), ASK, **more)[1:-1]


@pytest.mark.parametrize(
    "part",
    [
        Thinking("why", sealed("signature", "rs_1 gAAA"), "messages"),
        Thinking("why", "rs_1 gAAA", "responses"),
    ],
)
def test_its_own_reasoning_comes_back_under_its_own_id(part: Part) -> None:
    assert thought(part) == [
        {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA",
         "summary": [{"type": "summary_text", "text": "why"}]},
        spoke("so"),
    ]  # fmt: skip


@pytest.mark.parametrize("blob", ["gAAA", sealed("redacted", "gAAA")])
def test_an_id_that_never_was_is_not_made_up(blob: str) -> None:
    assert thought(Redacted(blob, "responses"))[0] == {
        "type": "reasoning", "summary": [], "encrypted_content": "gAAA",
    }  # fmt: skip


@pytest.mark.parametrize(
    "part",
    [
        Thinking("why", sealed("signature", "rs_1 gAAA", "another"), "messages"),
        Thinking("why", sealed("text", "digest"), "messages"),
        Thinking("why", "EqQB", "messages"),
        Thinking("why", None, "chat"),
        Redacted("EqQB", "messages"),
    ],
)
def test_foreign_reasoning_is_dropped(part: Part) -> None:
    assert thought(part, notes=["messages.thinking:foreign_reasoning_dropped"]) == [spoke("so")]


def test_its_words_go_to_a_server_that_takes_them() -> None:
    found = thought(
        Thinking("why", sealed("text", "d"), "messages"),
        capability=Capability(reasoning_out="reasoning_content"),
    )
    assert found[0] == {
        "type": "reasoning", "id": "rs_" + found[0]["id"][3:], "summary": [],
        "content": [{"type": "reasoning_text", "text": "why"}],
    }  # fmt: skip
    assert len(found[0]["id"]) == 27


def test_reasoning_that_led_to_nothing_is_dropped() -> None:
    turn = Turn("assistant", [Text("so"), Thinking("why", "rs_1 gAAA", "responses")])
    found = items(ASK, turn, ASK, notes=["messages.thinking:without_answer_dropped"])
    assert found == [said("user", "hi"), spoke("so"), said("user", "hi")]


def test_signatures_of_calls_are_another_upstreams() -> None:
    parts: list[Part] = [
        Redacted("sig", CALL_SIGNATURE),
        Redacted(sealed(CALL_SIGNATURE, "sig"), "messages"),
        ToolCall("a", "f"),
    ]
    found = items(ASK, Turn("assistant", parts), Turn("user", [ToolResult("a")]))
    assert [item["type"] for item in found] == ["message", "function_call", "function_call_output"]
    assert SEAL.unseal(sealed(CALL_SIGNATURE, "sig")) is not None


# --- cache marks ----------------------------------------------------------------------------------


def test_the_last_marks_are_kept() -> None:
    mark = CacheMark()
    turns = [Turn("user", [Text(str(at), mark)]) for at in range(4)]
    found = items(
        *turns, system=[Text("S", mark)], capability=Capability(cache="breakpoints"),
        notes=["cache_control:last_3_kept"],
    )  # fmt: skip
    marked = [
        block["text"] for item in found for block in item["content"]
        if "prompt_cache_breakpoint" in block
    ]  # fmt: skip
    assert marked == ["1", "2", "3"]
    assert found[-1]["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit"}


@pytest.mark.parametrize("cache", ["none", "cache_control"])
def test_marks_that_the_dialect_has_no_word_for_are_told(
    cache: Literal["none", "cache_control"],
) -> None:
    turn, told = Turn("user", [Text("a", CacheMark())]), ["cache_control:target_takes_no_marks"]
    found = items(turn, capability=Capability(cache=cache), notes=told)
    assert found == [said("user", "a")]


def test_a_marked_output_is_a_list() -> None:
    turns = (
        Turn("assistant", [ToolCall("a", "f")]),
        Turn("user", [ToolResult("a", [Text("x")], cache=CacheMark())]),
    )
    found = items(*turns, capability=Capability(cache="breakpoints"))
    assert found[1]["output"] == [
        {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}
    ]
