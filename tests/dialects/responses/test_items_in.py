"""Input items as turns."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.neutral.events import (
    CacheMark,
    Document,
    Image,
    Redacted,
    Refusal,
    ServerTool,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Sealed
from tests.dialects.responses.wires import SEAL, prompt_of, turns_of

USER = {"role": "user", "content": "hi"}
BLOB = SEAL.seal(Sealed("p", "m", "redacted", "d"))
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"


def reasoning(text: str = "hmm", blob: str | None = None) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": blob}


def function(id: str, name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    return {
        "type": "function_call", "id": f"fc_{id}", "call_id": id, "name": name,
        "arguments": arguments, "status": "completed",
    }  # fmt: skip


def output(id: str, text: Any = "ok", kind: str = "function_call_output") -> dict[str, Any]:
    return {"type": kind, "call_id": id, "output": text}


def said(*texts: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "phase": "final_answer", "content": content,
    }  # fmt: skip


def test_what_the_model_said_in_one_go_is_one_turn() -> None:
    """Separate turns for reasoning and calls are a 400 at several providers (case 24)."""
    turns = turns_of(
        USER, reasoning("hmm", BLOB), said("I look"), function("a"), function("b"), output("a"),
        output("b"), said("done"),
    )  # fmt: skip
    assert turns == [
        Turn("user", [Text("hi")]),
        Turn("assistant", [
            Thinking("hmm", BLOB, "responses"), Text("I look"), ToolCall("a", "f", "{}"),
            ToolCall("b", "f", "{}"),
        ]),
        Turn("user", [ToolResult("a", [Text("ok")]), ToolResult("b", [Text("ok")])]),
        Turn("assistant", [Text("done")]),
    ]  # fmt: skip


def test_a_user_message_joins_the_results_before_it() -> None:
    turns = turns_of(USER, function("a"), output("a"), USER)
    assert turns[2].parts == [ToolResult("a", [Text("ok")]), Text("hi")]
    assert len(turns) == 3


def test_steps_of_an_agent_stay_apart() -> None:
    turns = turns_of(USER, function("a"), output("a"), function("b"), output("b"))
    assert [turn.role for turn in turns] == ["user", "assistant", "user", "assistant", "user"]


def test_reasoning_without_words_needs_a_seal_of_ours() -> None:
    notes = LossReport()
    turns = turns_of(USER, reasoning("", BLOB), reasoning("", "gAAAA"), said("x"), notes=notes)
    assert turns[1].parts == [Redacted(BLOB, "responses"), Text("x")]
    assert notes.entries == ["input.2:foreign_reasoning_dropped"]


def test_raw_reasoning_is_preferred_to_its_summary() -> None:
    item = reasoning("short") | {"content": [{"type": "reasoning_text", "text": "long"}]}
    assert turns_of(USER, item, said("x"))[1].parts[0] == Thinking("long", None, "responses")


def test_reasoning_that_led_to_nothing_is_dropped() -> None:
    notes = LossReport()
    turns = turns_of(USER, reasoning(), USER, notes=notes)
    assert [turn.role for turn in turns] == ["user", "user"]
    assert notes.entries == ["input:reasoning_without_answer_dropped"]


def test_reasoning_after_an_answer_stays_with_it() -> None:
    """Gemini signs a text after it is said."""
    notes = LossReport()
    turns = turns_of(USER, said("x"), reasoning("", BLOB), USER, notes=notes)
    assert turns[1].parts == [Text("x"), Redacted(BLOB, "responses")]
    assert notes.entries == []


def test_a_refusal_is_what_the_model_said() -> None:
    item = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    assert turns_of(USER, item)[1].parts == [Refusal("no")]


def test_images_and_files() -> None:
    content = [
        {"type": "input_text", "text": "look", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
        {"type": "input_image", "image_url": "https://e.org/a.png"},
        {"type": "input_image", "file_id": "file_1"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0xLg==",
         "filename": "a.pdf"},
        {"type": "input_file", "file_url": "https://e.org/a.pdf"},
        {"type": "input_file", "file_id": "file_2"},
    ]  # fmt: skip
    assert turns_of({"role": "user", "content": content})[0].parts == [
        Text("look", CacheMark()),
        Image("image/png", PNG),
        Image(url="https://e.org/a.png"),
        Image(file_id="file_1"),
        Document("application/pdf", "JVBERi0xLg==", title="a.pdf"),
        Document(url="https://e.org/a.pdf"),
        Document(file_id="file_2"),
    ]


def test_an_output_may_hold_pictures() -> None:
    content = [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]
    result = turns_of(USER, function("a"), output("a", content))[2].parts[0]
    assert result.parts == [Image("image/png", PNG)]


def test_an_output_without_a_name_answers_the_oldest_open_call() -> None:
    items = [USER, function("a"), function("b"), {"type": "function_call_output", "output": "1"}]
    results = turns_of(*items, output("b", "2"))[2].parts
    assert [(result.call_id, result.parts[0].text) for result in results] == [
        ("a", "1"), ("b", "2"),
    ]  # fmt: skip


def test_arguments_that_are_no_object_are_kept_as_text() -> None:
    notes = LossReport()
    call = turns_of(USER, function("a", arguments='{"a":'), notes=notes)[1].parts[0]
    assert call.arguments == '{"_raw_arguments":"{\\"a\\":"}'
    assert notes.entries == ["input.1.arguments:invalid_json_kept_as_text"]


def test_custom_calls() -> None:
    call = {"type": "custom_tool_call", "call_id": "c", "name": "exec", "input": "ls\n"}
    turns = turns_of(USER, call, output("c", "a\nb", "custom_tool_call_output"))
    assert turns[1].parts == [ToolCall("c", "exec", "ls\n", custom=True)]
    assert turns[2].parts == [ToolResult("c", [Text("a\nb")])]


def test_a_local_shells_call_is_found_by_its_items_id() -> None:
    action = {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": 5}
    call = {"type": "local_shell_call", "id": "lsh_1", "call_id": "c", "action": action}
    result = {"type": "local_shell_call_output", "id": "lsh_1", "output": "a"}
    turns = turns_of(USER, call, result)
    arguments = '{"command":["ls"],"env":{},"timeout_ms":5}'
    assert turns[1].parts == [ToolCall("c", "local_shell", arguments)]
    assert turns[2].parts == [ToolResult("c", [Text("a")])]


def test_a_shells_call_and_its_streams() -> None:
    call = {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls", "no"]}}
    outputs = [
        {"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
        {"stdout": "", "stderr": "no: not found", "outcome": {"type": "exit", "exit_code": 127}},
        {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
    ]
    turns = turns_of(USER, call, output("c", outputs, "shell_call_output"))
    assert turns[1].parts == [ToolCall("c", "shell", '{"commands":["ls","no"]}')]
    text = "a\nno: not found\n[exit code 127]\n[timed out]"
    assert turns[2].parts == [ToolResult("c", [Text(text)])]


def test_a_patch_that_failed_is_an_error() -> None:
    operation = {"type": "update_file", "path": "a", "diff": "@@"}
    call = {"type": "apply_patch_call", "call_id": "c", "status": "completed",
            "operation": operation}  # fmt: skip
    result = {"type": "apply_patch_call_output", "call_id": "c", "status": "failed",
              "output": "no such line"}  # fmt: skip
    turns = turns_of(USER, call, result)
    arguments = '{"type":"update_file","path":"a","diff":"@@"}'
    assert turns[1].parts == [ToolCall("c", "apply_patch", arguments)]
    assert turns[2].parts == [ToolResult("c", [Text("no such line")], is_error=True)]


def test_tools_may_come_with_an_item() -> None:
    tools = [{"type": "namespace", "name": "ns", "description": "d",
              "tools": [{"type": "custom", "name": "exec"}]}]  # fmt: skip
    prompt = prompt_of(
        tools=[{"type": "function", "name": "f"}],
        input=[{"type": "additional_tools", "role": "developer", "tools": tools}, USER],
    )
    assert [tool.name for tool in prompt.tools] == ["f", "ns__exec"]
    assert [turn.role for turn in prompt.turns] == ["user"]


def test_a_search_for_tools_brings_them() -> None:
    found = [{"type": "function", "name": "g", "defer_loading": True}]
    prompt = prompt_of(
        tools=[{"type": "tool_search", "execution": "client", "description": "Find tools."}],
        input=[
            USER,
            {"type": "tool_search_call", "call_id": "s", "execution": "client",
             "arguments": {"query": "g"}},
            {"type": "tool_search_output", "call_id": "s", "execution": "client",
             "status": "completed", "tools": found},
        ],
    )  # fmt: skip
    assert [tool.name for tool in prompt.tools] == ["tool_search", "g"]
    assert prompt.turns[1].parts == [ToolCall("s", "tool_search", '{"query":"g"}')]
    assert prompt.turns[2].parts == [ToolResult("s", [Text("Tools found: g")])]


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"type": "web_search_call", "action": {"type": "search", "query": "cats"}},
         "[web_search: cats]"),
        ({"type": "web_search_call"}, "[web_search]"),
        ({"type": "file_search_call", "queries": ["q"],
          "results": [{"filename": "a.txt", "text": "hit"}]},
         "[file_search: q]\na.txt: hit"),
        ({"type": "code_interpreter_call", "code": "1+1",
          "outputs": [{"type": "logs", "logs": "2"}]},
         "[code_interpreter: 1+1]\n2"),
        ({"type": "image_generation_call", "result": "AAAA", "revised_prompt": "a cat"},
         "[image_generation: a cat]"),
        ({"type": "mcp_call", "server_label": "s", "name": "n", "arguments": "{}",
          "output": "o"}, "[mcp s.n({})]\no"),
        ({"type": "computer_call", "action": {"type": "click"}}, "[computer: click]"),
    ],
)  # fmt: skip
def test_what_openai_ran_itself_is_told_in_words(item: dict[str, Any], text: str) -> None:
    part = turns_of(USER, item)[1].parts[0]
    assert isinstance(part, ServerTool)
    assert (part.text, part.type) == (text, item["type"])


def test_lists_of_mcp_tools_say_nothing() -> None:
    assert len(turns_of(USER, {"type": "mcp_list_tools", "tools": []})) == 1


@pytest.mark.parametrize("type", ["brand_new", "computer_call_output", "mcp_approval_request"])
def test_unknown_items_are_dropped_with_a_word(type: str) -> None:
    notes = LossReport()
    assert len(turns_of(USER, {"type": type}, notes=notes)) == 1
    assert notes.entries == [f"input.1:{type}_unsupported_by_target"]


def test_an_unknown_part_is_kept_for_the_target_to_judge() -> None:
    part = turns_of({"role": "user", "content": [{"type": "new", "x": 1.0}]})[0].parts[0]
    assert (part.type, part.raw) == ("new", Raw(b'{"type":"new","x":1.0}'))
