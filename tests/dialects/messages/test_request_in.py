"""Reading the top level of a Messages request."""

import hashlib
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest
from gateway.neutral.events import Format, Prompt, Reasoning, Text, Turn
from gateway.neutral.notes import LossReport
from tests.dialects.messages.wires import fields, prompt_of


def test_a_plain_request_in_full() -> None:
    got = prompt_of(
        max_tokens=100.0,
        temperature=1,
        top_p=0.5,
        top_k=4,
        stop_sequences=["A", " "],
        stream=True,
        cache_control={"type": "ephemeral"},
        service_tier="standard_only",
        metadata={"user_id": "u"},
    )
    assert got == Prompt(
        "m",
        [Turn("user", [Text("hi")])],
        max_tokens=100,
        temperature=1.0,
        top_p=0.5,
        top_k=4,
        stop=["A", " "],
        stream=True,
        cache_implicit=True,
        service_tier="default",
        user="u",
    )


@pytest.mark.parametrize(
    ("members", "reasoning"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Reasoning("enabled", 2000)),
        ({"thinking": {"type": "disabled"}}, Reasoning("disabled")),
        (
            {
                "thinking": {"type": "adaptive", "display": "omitted"},
                "output_config": {"effort": "max"},
            },
            Reasoning("adaptive", None, "max", "omitted"),
        ),
        ({"output_config": {"effort": "low"}}, Reasoning(effort="low")),
        ({"thinking": None}, None),
    ],
)
def test_thinking_and_effort(members: dict[str, Any], reasoning: Reasoning | None) -> None:
    assert prompt_of(**members).reasoning == reasoning


@pytest.mark.parametrize("name", ["output_format", "output_config"])
def test_the_answer_format_keeps_its_schema_bytes(name: str) -> None:
    spelled = b'{"type":"json_schema","schema":{"b": 1.0, "a":1}}'
    raw = spelled if name == "output_format" else b'{"format":' + spelled + b"}"
    got = MESSAGES.read_prompt({**fields(), name: Raw(raw)}, LossReport())
    assert got.format == Format("json_schema", Raw(b'{"b": 1.0, "a":1}'))


@pytest.mark.parametrize(
    "user",
    ['{"device_id":"d","account_uuid":"","session_id":"s-1"}', "user_9_account_8_session_s-1"],
)
def test_a_coding_agents_session_is_a_hash(user: str) -> None:
    got = prompt_of(metadata={"user_id": user})
    assert got.user == user
    assert got.session == hashlib.sha256(b"s-1").hexdigest()[:32]


@pytest.mark.parametrize("user", ["plain", "{broken", '{"session_id":7}'])
def test_other_users_have_no_session(user: str) -> None:
    assert prompt_of(metadata={"user_id": user}).session is None


@pytest.mark.parametrize(
    ("members", "tier"),
    [
        ({"service_tier": "auto"}, "auto"),
        ({"speed": "fast"}, "fast"),
        ({"speed": "standard"}, None),
    ],
)
def test_tiers(members: dict[str, Any], tier: str | None) -> None:
    notes = LossReport()
    assert prompt_of(notes, **members).service_tier == tier
    assert notes.entries == []


def test_members_that_another_dialect_lacks_are_noted() -> None:
    notes = LossReport()
    prompt_of(
        notes,
        context_management={"edits": []},
        fallbacks=[{"model": "x"}],
        output_config={"task_budget": {"tokens": 1}},
        brand_new=1,
        diagnostics={},
        mcp_servers=[],
        container=None,
    )
    assert sorted(notes.entries) == [
        "brand_new:unknown",
        "context_management:unsupported_by_target",
        "fallbacks:unsupported_by_target",
        "output_config.task_budget:unsupported_by_target",
    ]


def test_strict_refuses_what_would_be_dropped() -> None:
    with pytest.raises(InvalidRequest) as caught:
        prompt_of(LossReport(strict=True), context_management={"edits": []})
    assert caught.value.param == "context_management"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("container", "c"),
        ("mcp_servers", [{"name": "x"}]),
        ("inference_geo", "eu"),
        ("compaction", {"type": "summarize"}),
        ("thread", {"type": "create"}),
        ("max_tokens", 0),
    ],
)
def test_members_whose_loss_would_change_the_answer_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        MESSAGES.read_prompt(fields(**{name: value}), LossReport())
    assert caught.value.param == name
    assert caught.value.status == 400


def test_a_refused_thread_has_the_code_that_makes_clients_send_it_all() -> None:
    with pytest.raises(InvalidRequest) as caught:
        prompt_of(thread={"type": "create"})
    assert caught.value.details == {"error_code": "thread_unsupported_request"}


@pytest.mark.parametrize(
    ("members", "param", "message"),
    [
        ({"max_tokens": ...}, "max_tokens", "max_tokens: Field required"),
        ({"model": ...}, "model", "model: Field required"),
        ({"messages": ...}, "messages", "messages: Field required"),
        ({"model": ""}, "model", "model: String should have at least 1 character"),
        ({"model": 3}, "model", "model: Expected `str`, got `int`"),
        ({"messages": []}, "messages", "messages: at least one message is required"),
        ({"messages": {}}, "messages", "messages: Expected `array`, got `object`"),
        ({"max_tokens": 1.5}, "max_tokens", "max_tokens: Input should be a valid integer"),
        (
            {"max_tokens": -1},
            "max_tokens",
            "max_tokens: Input should be greater than or equal to 0",
        ),
        ({"max_tokens": "9"}, "max_tokens", "max_tokens: Expected `int | float`, got `str`"),
        ({"stream": 1}, "stream", "stream: Expected `bool | null`, got `int`"),
        (
            {"stop_sequences": ["a", 1]},
            "stop_sequences.1",
            "stop_sequences.1: Expected `str`, got `int`",
        ),
    ],
)
def test_check_names_the_member(members: dict[str, Any], param: str, message: str) -> None:
    given = fields(**{name: value for name, value in members.items() if value is not ...})
    for name, value in members.items():
        if value is ...:
            del given[name]
    with pytest.raises(InvalidRequest) as caught:
        MESSAGES.check(given)
    assert (caught.value.param, caught.value.message) == (param, message)


def test_check_takes_integral_floats_and_nulls() -> None:
    MESSAGES.check(fields(max_tokens=5.0, stream=None, system=None, tools=None, temperature=None))


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"thinking": {"type": "hard"}}, "thinking.type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"output_config": {"effort": 3}}, "output_config.effort"),
        ({"metadata": {"user_id": 3}}, "metadata.user_id"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tools": [{"name": 1}]}, "tools.0.name"),
        ({"tools": [{"description": "x"}]}, "tools.0.name"),
        ({"system": [{"type": "image"}]}, "system.0.type"),
        ({"system": [{"type": "text", "text": 1}]}, "system.0.text"),
    ],
)
def test_a_mistyped_member_is_named_by_its_path(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        prompt_of(**members)
    assert caught.value.param == param
    assert caught.value.message.startswith(param + ": ")


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    raw = Raw(
        b'[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a",'
        b'"content":"x \\ud83d"}]}]'
    )
    got = MESSAGES.read_prompt({**fields(), "messages": raw}, LossReport())
    assert msgspec.to_builtins(got.turns[0].parts[0])["parts"][0]["text"] == "x \ufffd"


def test_deep_nesting_is_the_clients_fault() -> None:
    raw = Raw(b"[" * 100_000 + b"]" * 100_000)
    with pytest.raises(InvalidRequest):
        MESSAGES.read_prompt({**fields(), "messages": raw}, LossReport())
