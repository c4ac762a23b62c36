"""Whole answers for a Responses client, and what the official types make of them."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw
from openai.types.responses import Response

from gateway.dialect import Conversion
from gateway.dialects.responses import RESPONSES
from gateway.neutral.events import (
    Citation,
    Ending,
    Message,
    Part,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from tests.dialects.responses.wires import SEAL, conversion, prompt_of


def answer(*parts: Part, crossed: Conversion | None = None, **ending: Any) -> dict[str, Any]:
    settled = Ending(**{"stop": "end_turn", "usage": Usage(1, 2), **ending})
    body = RESPONSES.write_message(
        Message("id", "up", list(parts), settled), crossed or conversion()
    )
    found: dict[str, Any] = msgspec.json.decode(body)
    Response.model_validate(found)
    return found


def test_items_stand_in_the_order_of_the_answer() -> None:
    found = answer(
        Thinking("hm", "sig", "messages"), Redacted("r", "messages"), Text("a"), Text("b"),
        ToolCall("c1", "f", '{"x": 1.0}'), ToolCall("c2", "g"), stop="tool_use",
    )  # fmt: skip
    assert [item["type"] for item in found["output"]] == [
        "reasoning", "reasoning", "message", "function_call", "function_call",
    ]  # fmt: skip
    assert [part["text"] for part in found["output"][2]["content"]] == ["a", "b"]
    assert found["output"][3]["arguments"] == '{"x": 1.0}'
    assert found["output"][4]["arguments"] == "{}"
    assert found["status"] == "completed"
    assert found["usage"]["total_tokens"] == 3
    ids = [item["id"] for item in found["output"]]
    assert len(set(ids)) == len(ids)
    blobs = [SEAL.unseal(item["encrypted_content"]) for item in found["output"][:2]]
    assert [(blob.kind, blob.data) for blob in blobs if blob] == [
        ("signature", "sig"), ("redacted", "r"),
    ]  # fmt: skip


def test_two_answers_never_share_an_id() -> None:
    assert answer(Text("a"))["id"] != answer(Text("a"))["id"]


def test_empty_text_is_no_message() -> None:
    assert answer(Text(""))["output"] == []


def test_an_answer_cut_by_its_limit() -> None:
    found = answer(Text("a"), stop="max_tokens")
    assert found["status"] == "incomplete"
    assert found["incomplete_details"] == {"reason": "max_output_tokens"}
    assert found["output"][0]["status"] == "incomplete"


def test_a_refusal() -> None:
    found = answer(Refusal("no"), stop="refusal")
    assert found["output"][0]["content"] == [{"type": "refusal", "refusal": "no"}]
    assert found["incomplete_details"] == {"reason": "content_filter"}


def test_a_refusal_without_words() -> None:
    found = answer(Text("I"), stop="refusal")
    assert found["output"][0]["content"][1]["refusal"] == "The model declined to answer."


def test_citations_with_a_url() -> None:
    crossed = conversion()
    cited = [Citation(Raw(b"{}"), "https://e.org"), Citation(Raw(b"{}"))]
    found = answer(Text("four", citations=cited), crossed=crossed)
    notes = found["output"][0]["content"][0]["annotations"]
    assert [(note["url"], note["end_index"]) for note in notes] == [("https://e.org", 4)]
    assert crossed.notes.entries == ["citations:without_url_dropped"]


def test_kinds_and_namespaces_are_given_back() -> None:
    prompt = prompt_of(
        tools=[
            {"type": "shell"},
            {"type": "namespace", "name": "ns", "description": "d",
             "tools": [{"type": "custom", "name": "exec"}]},
        ],
    )  # fmt: skip
    found = answer(
        ToolCall("a", "shell", '{"commands":["ls"]}'),
        ToolCall("b", "ns__exec", "ls", custom=True),
        ToolCall("b", "shell", "[]"),
        crossed=conversion(prompt),
    )["output"]
    assert found[0]["action"]["commands"] == ["ls"]
    assert (found[1]["namespace"], found[1]["name"], found[1]["input"]) == ("ns", "exec", "ls")
    assert (found[2]["type"], found[2]["arguments"]) == ("function_call", "[]")
    assert found[2]["call_id"] not in ("a", "b")


def test_the_answer_tools_arguments_are_the_text() -> None:
    found = answer(ToolCall("a", "json", '{"x":1}'), crossed=conversion(answer_tool="json"))
    assert found["output"][0]["content"][0]["text"] == '{"x":1}'


@pytest.mark.parametrize("stored", [True, False])
def test_it_says_whether_it_is_kept(stored: bool) -> None:
    assert answer(crossed=conversion(stored=stored))["store"] is stored
