"""Writing a Messages request: limits, sampling, tools, reasoning, formats."""

import hashlib
from typing import Any

import pytest
from msgspec import Raw

from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest
from gateway.neutral.events import (
    CacheMark,
    Format,
    Prompt,
    Reasoning,
    Text,
    Tool,
    Turn,
)
from tests.dialects.messages.wires import conversion, written

U = Turn("user", [Text("u")])
BUDGET: dict[str, Any] = {"thinking": ("enabled", "disabled")}
ADAPTIVE: dict[str, Any] = {
    "thinking": ("adaptive", "disabled"),
    "effort": ("low", "medium", "high"),
}
SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}')
OPEN = Raw(b'{"type":"object","additionalProperties":{"type":"string"}}')


def prompt(**members: Any) -> Prompt:
    return Prompt("m", [U], **members)


def test_the_smallest_request() -> None:
    crossed = conversion(prompt())
    assert MESSAGES.write_prompt(crossed) == {
        "model": Raw(b'"upstream-model"'),
        "max_tokens": Raw(b"32000"),
        "messages": Raw(b'[{"role":"user","content":"u"}]'),
    }
    assert crossed.notes.entries == []


def test_a_large_request() -> None:
    crossed = conversion(
        prompt(
            system=[Text("A", CacheMark()), Text(" "), Text("B")],
            max_tokens=5,
            temperature=0.5,
            stop=["x", "", " \n"],
            user="u",
            stream=True,
            service_tier="default",
            parallel_tools=False,
            tools=[Tool("f")],
        )
    )
    assert written(crossed) == {
        "model": "upstream-model",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "u"}],
        "system": [
            {"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "B"},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "stop_sequences": ["x"],
        "temperature": 0.5,
        "metadata": {"user_id": "u"},
        "service_tier": "standard_only",
        "stream": True,
    }
    assert crossed.notes.entries == ["stop:whitespace_refused_by_target"]


@pytest.mark.parametrize(
    ("wanted", "most", "sent", "notes"),
    [
        (None, None, 32000, []),
        (None, 8192, 8192, []),
        (None, 64000, 32000, []),
        (9, 8192, 9, []),
        (9000, 8192, 8192, ["max_tokens:clamped_to_8192"]),
    ],
)
def test_max_tokens(wanted: int | None, most: int | None, sent: int, notes: list[str]) -> None:
    crossed = conversion(prompt(max_tokens=wanted), capability={"max_output": most})
    assert written(crossed)["max_tokens"] == sent
    assert crossed.notes.entries == notes


def test_no_tokens_at_all_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(conversion(prompt(max_tokens=0)))
    assert caught.value.param == "max_tokens"


@pytest.mark.parametrize(
    ("rule", "members", "sent", "notes"),
    [
        ("all", {"temperature": 0.2, "top_p": 0.9}, {"temperature": 0.2, "top_p": 0.9}, []),
        ("all", {"temperature": 1.5}, {"temperature": 1.0}, ["temperature:clamped_to_1"]),
        ("all", {"top_k": 5}, {}, ["top_k:unsupported_by_model"]),
        (
            "none",
            {"temperature": 1.0, "top_p": 0.9},
            {},
            ["temperature:unsupported_by_model", "top_p:unsupported_by_model"],
        ),
        ("temp1", {"temperature": 1.0}, {"temperature": 1.0}, []),
        ("temp1", {"temperature": 0.5}, {}, ["temperature:unsupported_by_model"]),
        (
            "temp_xor_top_p",
            {"temperature": 0.5, "top_p": 0.9},
            {"temperature": 0.5},
            ["top_p:unsupported_by_model"],
        ),
        ("temp_xor_top_p", {"top_p": 0.9}, {"top_p": 0.9}, []),
    ],
)
def test_sampling(
    rule: str, members: dict[str, Any], sent: dict[str, Any], notes: list[str]
) -> None:
    crossed = conversion(prompt(**members), capability={"sampling": rule})
    got = written(crossed)
    assert {name: got[name] for name in ("temperature", "top_p", "top_k") if name in got} == sent
    assert crossed.notes.entries == notes


def test_what_the_api_has_no_word_for_is_told() -> None:
    crossed = conversion(
        prompt(seed=7, frequency_penalty=0.5, presence_penalty=-1.0, verbosity="low")
    )
    assert written(crossed).keys() == {"model", "max_tokens", "messages"}
    assert crossed.notes.entries == [
        "seed:unsupported_by_target",
        "frequency_penalty:unsupported_by_target",
        "presence_penalty:unsupported_by_target",
        "verbosity:unsupported_by_target",
    ]
    crossed = conversion(prompt(seed=0, frequency_penalty=0.0, verbosity="medium"))
    written(crossed)
    assert crossed.notes.entries == []


def test_top_k_where_the_model_takes_it() -> None:
    assert written(conversion(prompt(top_k=5), capability={"top_k": True}))["top_k"] == 5


def test_no_sampling_with_thinking() -> None:
    crossed = conversion(
        prompt(temperature=0.5, reasoning=Reasoning(effort="low")), capability=BUDGET
    )
    assert "temperature" not in written(crossed)
    assert crossed.notes.entries == ["temperature:not_with_thinking"]


@pytest.mark.parametrize("user", ["a@b.org", "+47 123 45 678", "x" * 257])
def test_personal_and_long_user_ids_are_hashed(user: str) -> None:
    got = written(conversion(prompt(user=user)))["metadata"]
    assert got == {"user_id": hashlib.sha256(user.encode()).hexdigest()}


@pytest.mark.parametrize(
    ("tier", "fast", "sent", "notes"),
    [
        ("auto", False, {"service_tier": "auto"}, []),
        ("fast", True, {"speed": "fast"}, []),
        ("fast", False, {}, ["service_tier:unsupported_by_target"]),
    ],
)
def test_tiers(tier: str, fast: bool, sent: dict[str, str], notes: list[str]) -> None:
    crossed = conversion(prompt(service_tier=tier), capability={"service_tier": fast})
    got = written(crossed)
    assert {name: got[name] for name in ("service_tier", "speed") if name in got} == sent
    assert crossed.notes.entries == notes


def test_verbosity_is_noted() -> None:
    crossed = conversion(prompt(verbosity="low"))
    written(crossed)
    assert crossed.notes.entries == ["verbosity:unsupported_by_target"]


def test_a_schema_that_can_be_closed_is_enforced() -> None:
    crossed = conversion(prompt(format=Format("json_schema", SCHEMA, "n")))
    got = written(crossed)["output_config"]["format"]
    assert got["type"] == "json_schema"
    assert got["schema"]["additionalProperties"] is False
    assert crossed.answer_tool is None


def test_an_open_schema_is_answered_through_a_tool() -> None:
    crossed = conversion(prompt(format=Format("json_schema", OPEN)))
    got = written(crossed)
    assert crossed.answer_tool == "json_output"
    assert got["tool_choice"] == {"type": "tool", "name": "json_output"}
    assert [tool["name"] for tool in got["tools"]] == ["json_output"]
    assert "response_format:answered_through_a_tool" in crossed.notes.entries


@pytest.mark.parametrize(
    ("members", "capability"),
    [
        ({"tools": [Tool("f")]}, {}),
        ({}, {"forced_tool": False}),
        ({"reasoning": Reasoning(effort="low")}, BUDGET),
    ],
)
def test_an_open_schema_is_asked_for_where_no_tool_may_be_forced(
    members: dict[str, Any], capability: dict[str, Any]
) -> None:
    crossed = conversion(
        prompt(format=Format("json_schema", OPEN), **members), capability=capability
    )
    got = written(crossed)
    assert crossed.answer_tool is None
    assert got["system"][-1]["text"].endswith(bytes(OPEN).decode())
    assert "response_format:schema_asked_for_in_the_system_prompt" in crossed.notes.entries


def test_a_json_object_is_asked_for() -> None:
    got = written(conversion(prompt(format=Format("json_object"), system=[Text("A")])))
    assert got["system"] == [
        {"type": "text", "text": "A"},
        {"type": "text", "text": "Respond with one JSON object and nothing else."},
    ]
