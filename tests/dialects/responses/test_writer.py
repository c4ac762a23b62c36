"""Writing a Responses stream, and what the official client makes of it."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.responses import RESPONSES
from gateway.dialects.responses.writer import ResponsesWriter
from gateway.errors import Cut, Refused as UpstreamRefused
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    CitationAdded,
    ClientToolKind,
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
    Tool,
    ToolStart,
    Usage,
)
from gateway.neutral.seal import Sealed
from tests.dialects.responses.wires import (
    SEAL,
    accumulated,
    conversion,
    frames_of,
    names_of,
    prompt_of,
    response_of,
    written,
)

BEGAN = MessageStart("up_1", "up", Usage(3))
DONE = MessageEnd(Ending("end_turn", usage=Usage(3, 2, 10, 5, 1)))


def text(*pieces: str) -> list[Event]:
    return [TextStart(), *(TextDelta(piece) for piece in pieces), PartEnd()]


def called(id: str, name: str, *pieces: str, custom: bool = False) -> list[Event]:
    deltas = [ArgumentsDelta(piece) for piece in pieces]
    return [ToolStart(id, name, custom), *deltas, PartEnd()]


class TestText:
    def test_events_come_in_the_order_of_the_api(self) -> None:
        assert names_of(written([BEGAN, *text("Hel", "lo"), DONE])) == [
            "created", "in_progress", "output_item.added", "content_part.added",
            "output_text.delta", "output_text.delta", "output_text.done", "content_part.done",
            "output_item.done", "completed",
        ]  # fmt: skip

    def test_the_end_holds_the_whole_response(self) -> None:
        response = response_of(written([BEGAN, *text("Hel", "lo"), DONE]))
        item = response["output"][0]
        assert item["content"] == [
            {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
        ]
        assert (item["type"], item["role"], item["status"]) == ("message", "assistant", "completed")
        assert item["id"].startswith("msg_")
        assert response["status"] == "completed"
        assert response["id"].startswith("resp_")
        assert response["model"] == "alias"
        assert response["usage"] == {
            "input_tokens": 18,
            "input_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 5},
            "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 20,
        }

    def test_the_official_client_adds_the_pieces_up(self) -> None:
        found = accumulated(written([BEGAN, *text('a"', "\u2028é"), DONE]))
        assert found.output_text == 'a"\u2028é'

    def test_an_empty_answer_has_no_output(self) -> None:
        wire = written([BEGAN, TextStart(), PartEnd(), DONE])
        assert names_of(wire) == ["created", "in_progress", "completed"]
        assert response_of(wire)["output"] == []

    def test_texts_that_follow_one_another_are_parts_of_one_message(self) -> None:
        response = response_of(written([BEGAN, *text("a"), *text("b"), DONE]))
        assert [part["text"] for part in response["output"][0]["content"]] == ["a", "b"]
        assert len(response["output"]) == 1

    def test_a_sign_of_life_is_a_comment(self) -> None:
        assert written([KeepAlive()]) == b": keep-alive\n\n"

    def test_a_citation_becomes_an_annotation_of_its_span(self) -> None:
        cite = CitationAdded(Citation(Raw(b"{}"), "https://e.org", "E"))
        events: list[Event] = [BEGAN, TextStart(), TextDelta("four"), cite, PartEnd(), DONE]
        wire = written(events)
        note = {
            "type": "url_citation", "url": "https://e.org", "title": "E",
            "start_index": 0, "end_index": 4,
        }  # fmt: skip
        assert response_of(wire)["output"][0]["content"][0]["annotations"] == [note]
        added = [f for f in frames_of(wire) if f["type"].endswith("annotation.added")]
        assert added[0]["annotation"] == note

    def test_a_citation_may_have_a_span_of_its_own(self) -> None:
        cite = CitationAdded(Citation(Raw(b"{}"), "https://e.org", span=(1, 3)))
        wire = written([BEGAN, TextStart(), TextDelta("four"), cite, PartEnd(), DONE])
        (note,) = response_of(wire)["output"][0]["content"][0]["annotations"]
        assert (note["start_index"], note["end_index"]) == (1, 3)

    def test_a_citation_without_a_url_is_noted(self) -> None:
        crossed = conversion()
        cite = CitationAdded(Citation(Raw(b"{}")))
        written([BEGAN, TextStart(), TextDelta("x"), cite, PartEnd(), DONE], crossed)
        assert crossed.notes.entries == ["citations:without_url_dropped"]

    def test_usage_is_estimated_where_the_upstream_tells_none(self) -> None:
        crossed = conversion(input_estimate=7)
        wire = written([BEGAN, *text("12345"), MessageEnd(Ending("end_turn"))], crossed)
        assert response_of(wire)["usage"]["input_tokens"] == 7
        assert response_of(wire)["usage"]["output_tokens"] == 2
        assert "usage:estimated" in crossed.notes.entries


class TestReasoning:
    def test_a_summary_is_streamed_and_its_signature_sealed(self) -> None:
        thought: list[Event] = [ThinkingStart(), ThinkingDelta("hm"), ThinkingDelta("m")]
        thought += [Signature("sig", "messages"), PartEnd()]
        wire = written([BEGAN, *thought, *text("x"), DONE])
        assert names_of(wire)[2:9] == [
            "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
            "reasoning_summary_text.delta", "reasoning_summary_text.done",
            "reasoning_summary_part.done", "output_item.done",
        ]  # fmt: skip
        item = response_of(wire)["output"][0]
        assert item["summary"] == [{"type": "summary_text", "text": "hmm"}]
        assert item["id"].startswith("rs_")
        blob = SEAL.unseal(item["encrypted_content"])
        assert blob == Sealed("p", "upstream-model", "signature", "sig")

    def test_unsigned_reasoning_gets_a_seal_over_its_text(self) -> None:
        wire = written([BEGAN, ThinkingStart(), ThinkingDelta("hm"), PartEnd(), DONE])
        blob = SEAL.unseal(response_of(wire)["output"][0]["encrypted_content"])
        assert blob is not None
        assert blob.kind == "text"

    def test_native_reasoning_stays_as_it_is(self) -> None:
        thought: list[Event] = [ThinkingStart(), Signature("gAAA", "responses"), PartEnd()]
        item = response_of(written([BEGAN, *thought, DONE]))["output"][0]
        assert (item["summary"], item["encrypted_content"]) == ([], "gAAA")

    def test_hidden_reasoning_is_an_item_without_words(self) -> None:
        wire = written(
            [BEGAN, *text("x"), RedactedThinking("secret", "messages"), *text("y"), DONE]
        )
        output = response_of(wire)["output"]
        assert [item["type"] for item in output] == ["message", "reasoning", "message"]
        assert output[0]["content"][0]["text"] == "x"
        blob = SEAL.unseal(output[1]["encrypted_content"])
        assert blob == Sealed("p", "upstream-model", "redacted", "secret")

    @pytest.mark.parametrize(("origin", "kind"), [("call", "call"), ("gemini-call", "call")])
    def test_signatures_of_gemini_are_sealed_under_their_kind(self, origin: str, kind: str) -> None:
        wire = written([BEGAN, RedactedThinking("sig", origin), *called("c", "f", "{}"), DONE])
        blob = SEAL.unseal(response_of(wire)["output"][0]["encrypted_content"])
        assert blob == Sealed("p", "upstream-model", kind, "sig")

    def test_thinking_without_words_or_signature_is_nothing(self) -> None:
        wire = written([BEGAN, ThinkingStart(), ThinkingDelta(""), PartEnd(), DONE])
        assert response_of(wire)["output"] == []


class TestCalls:
    def test_a_function_call(self) -> None:
        wire = written([BEGAN, *called("c1", "f", '{"x"', ":1}"), DONE])
        assert names_of(wire)[2:-1] == [
            "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
            "function_call_arguments.done", "output_item.done",
        ]  # fmt: skip
        item = response_of(wire)["output"][0]
        assert item.pop("id").startswith("fc_")
        assert item == {
            "type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"x":1}',
            "status": "completed",
        }  # fmt: skip

    def test_no_arguments_are_an_empty_object(self) -> None:
        item = response_of(written([BEGAN, *called("c1", "f"), DONE]))["output"][0]
        assert item["arguments"] == "{}"

    def test_text_and_calls_share_the_output_index(self) -> None:
        events = [BEGAN, *text("x"), *called("a", "f", "{}"), *called("b", "g", "{}"), DONE]
        wire = written(events)
        added = [f for f in frames_of(wire) if f["type"].endswith("item.added")]
        assert [frame["output_index"] for frame in added] == [0, 1, 2]
        assert [item.type for item in accumulated(wire).output] == [
            "message", "function_call", "function_call",
        ]  # fmt: skip

    def test_a_second_call_of_the_same_id_gets_its_own(self) -> None:
        wire = written([BEGAN, *called("a", "f", "{}"), *called("a", "f", "{}"), DONE])
        first, second = response_of(wire)["output"]
        assert first["call_id"] == "a"
        assert second["call_id"].startswith("call_")

    def test_a_custom_tools_call(self) -> None:
        tools = [Tool("exec", custom=True, form=ClientToolKind("custom", "exec"))]
        crossed = conversion(Prompt("m", [], tools=tools))
        wire = written([BEGAN, *called("c", "exec", "ls ", "-l", custom=True), DONE], crossed)
        assert "custom_tool_call_input.done" in names_of(wire)
        item = response_of(wire)["output"][0]
        assert item.pop("id").startswith("ctc_")
        assert (item["type"], item["input"], item["name"]) == ("custom_tool_call", "ls -l", "exec")

    def test_a_namespace_is_given_back(self) -> None:
        namespace = {
            "type": "namespace", "name": "mcp", "description": "d",
            "tools": [
                {"type": "function", "name": "go"},
                {"type": "custom", "name": "exec"},
            ],
        }  # fmt: skip
        crossed = conversion(prompt_of(tools=[namespace]))
        calls = [*called("a", "mcp__go", "{}"), *called("b", "mcp__exec", "ls", custom=True)]
        output = response_of(written([BEGAN, *calls, DONE], crossed))["output"]
        assert [(item["namespace"], item["name"]) for item in output] == [
            ("mcp", "go"), ("mcp", "exec"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("kind", "arguments", "expected"),
        [
            (
                "local_shell",
                {"command": ["ls"]},
                {"type": "local_shell_call",
                 "action": {"type": "exec", "env": {}, "command": ["ls"]}},
            ),
            (
                "shell",
                {"commands": ["ls"], "timeout_ms": 5},
                {"type": "shell_call",
                 "action": {"commands": ["ls"], "timeout_ms": 5, "max_output_length": None}},
            ),
            (
                "apply_patch",
                {"type": "delete_file", "path": "a"},
                {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}},
            ),
        ],
    )  # fmt: skip
    def test_tools_without_a_schema_get_their_own_items(
        self, kind: str, arguments: Any, expected: Any
    ) -> None:
        crossed = conversion(prompt_of(tools=[{"type": kind}]))
        given = msgspec.json.encode(arguments).decode()
        wire = written([BEGAN, *called("c", kind, given[:5], given[5:]), DONE], crossed)
        item = response_of(wire)["output"][0]
        assert expected.items() <= item.items()
        assert (item["call_id"], item["status"]) == ("c", "completed")

    def test_a_client_side_search_for_tools(self) -> None:
        crossed = conversion(prompt_of(tools=[{"type": "tool_search", "execution": "client"}]))
        given = called("c", "tool_search", '{"query":"x"}')
        item = response_of(written([BEGAN, *given, DONE], crossed))["output"][0]
        assert (item["type"], item["arguments"]) == ("tool_search_call", {"query": "x"})

    def test_arguments_that_make_no_such_item_are_a_functions(self) -> None:
        crossed = conversion(prompt_of(tools=[{"type": "shell"}]))
        item = response_of(written([BEGAN, *called("c", "shell", "{no"), DONE], crossed))["output"]
        assert (item[0]["type"], item[0]["arguments"]) == ("function_call", "{no")
        assert crossed.notes.entries == ["output:shell_call_as_function_call"]

    def test_the_answer_tools_arguments_are_the_text(self) -> None:
        crossed = conversion(answer_tool="json_output")
        wire = written([BEGAN, *called("c", "json_output", "{", "}"), DONE], crossed)
        assert response_of(wire)["output"][0]["content"][0]["text"] == "{}"


class TestEnds:
    @pytest.mark.parametrize("stop", ["max_tokens", "pause_turn", "model_context_window_exceeded"])
    def test_a_cut_answer_is_incomplete(self, stop: Any) -> None:
        wire = written([BEGAN, *text("Hel"), MessageEnd(Ending(stop, usage=Usage(1, 1)))])
        assert names_of(wire)[-1] == "incomplete"
        response = response_of(wire)
        assert response["status"] == "incomplete"
        assert response["incomplete_details"] == {"reason": "max_output_tokens"}
        assert response["output"][0]["status"] == "incomplete"

    def test_a_refusal_in_the_models_words(self) -> None:
        events: list[Event] = [
            BEGAN,
            RefusalDelta("I "),
            RefusalDelta("won't"),
            MessageEnd(Ending("refusal")),
        ]
        wire = written(events)
        assert [name for name in names_of(wire) if name.startswith("refusal")] == [
            "refusal.delta", "refusal.delta", "refusal.done",
        ]  # fmt: skip
        response = response_of(wire)
        assert response["output"][0]["content"] == [{"type": "refusal", "refusal": "I won't"}]
        assert response["incomplete_details"] == {"reason": "content_filter"}

    def test_a_refusal_without_words_gets_the_explanation(self) -> None:
        wire = written([BEGAN, *text("I"), MessageEnd(Ending("refusal", explanation="bio"))])
        content = response_of(wire)["output"][0]["content"]
        assert content[1] == {"type": "refusal", "refusal": "bio"}

    def test_a_failure_keeps_what_came_before_it(self) -> None:
        writer = RESPONSES.writer(conversion())
        assert isinstance(writer, ResponsesWriter)
        events: list[Event] = [BEGAN, *text("x"), ToolStart("c", "f"), ArgumentsDelta("{")]
        wire = b"".join(writer.write(event) for event in events) + writer.write_failure(Cut("gone"))
        assert names_of(wire)[-1] == "failed"
        response = response_of(wire)
        assert response["status"] == "failed"
        assert response["error"] == {"code": "server_error", "message": "gone"}
        assert [item["type"] for item in response["output"]] == ["message"]

    def test_a_failure_before_the_answer_is_a_whole_stream(self) -> None:
        writer = RESPONSES.writer(conversion())
        assert isinstance(writer, ResponsesWriter)
        error = UpstreamRefused("too long", status=400, code="context_length_exceeded")
        wire = writer.write_failure(error)
        assert names_of(wire) == ["created", "in_progress", "failed"]
        assert response_of(wire)["error"]["code"] == "context_length_exceeded"


def test_the_request_is_repeated() -> None:
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}]
    prompt = prompt_of(
        instructions="Be brief.", metadata={"a": "b"}, tools=tools, temperature=0.5,
        tool_choice="required", parallel_tool_calls=False, reasoning={"effort": "low"},
        max_output_tokens=99, text={"verbosity": "low"}, truncation=None,
    )  # fmt: skip
    crossed = conversion(prompt, stored=True, previous="resp_0")
    response = response_of(written([BEGAN, *text("x"), DONE], crossed))
    expected = {
        "instructions": "Be brief.", "metadata": {"a": "b"}, "tools": tools, "temperature": 0.5,
        "tool_choice": "required", "parallel_tool_calls": False, "reasoning": {"effort": "low"},
        "max_output_tokens": 99, "truncation": "disabled", "store": True,
        "previous_response_id": "resp_0",
        "text": {"format": {"type": "text"}, "verbosity": "low"},
    }  # fmt: skip
    assert expected.items() <= response.items()
