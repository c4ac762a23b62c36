"""The neutral prompt as a Responses upstream's request."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.dialect import Conversion
from gateway.dialects.responses import RESPONSES
from gateway.errors import InvalidRequest
from gateway.neutral.events import Format, Prompt, Text, Turn
from tests.dialects.chat.conversions import conversion, plain

OPENAI = Capability(
    developer_role=True, obfuscation_off=True, user_field="safety_identifier",
    prompt_cache_key=True, service_tier=True, verbosity=True, min_output=16, max_output=128,
    cache="breakpoints",
)  # fmt: skip
ASK = Turn("user", [Text("hi")])
CLOSED = Raw(
    b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],'
    b'"additionalProperties":false}'
)
OPEN = Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')


def write(way: Conversion) -> dict[str, Any]:
    return plain(RESPONSES.write_prompt(way))


def top(capability: Capability | None = None, **members: Any) -> dict[str, Any]:
    """The members beside the model, the input, and what every request says."""
    found = write(conversion(Prompt("m", [ASK], **members), capability))
    assert found.pop("model") == "real"
    assert found.pop("store") is False
    assert found.pop("include") == ["reasoning.encrypted_content"]
    del found["input"]
    return found


def test_bytes_of_a_small_request() -> None:
    turn = Turn("user", [Text("hé")])
    way = conversion(Prompt("m", [turn], [Text("A"), Text("B")], max_tokens=5))
    assert msgspec.json.encode(RESPONSES.write_prompt(way)).decode() == (
        '{"model":"real","input":[{"type":"message","role":"system","content":"A\\n\\nB"},'
        '{"type":"message","role":"user","content":"hé"}],"max_output_tokens":5,"store":false,'
        '"include":["reasoning.encrypted_content"]}'
    )
    assert way.input_estimate == 26


def test_nothing_is_stored_and_a_model_without_reasoning_is_not_asked_for_it() -> None:
    found = write(conversion(None, Capability(encrypted_reasoning=False)))
    assert found["store"] is False
    assert "include" not in found


@pytest.mark.parametrize(
    ("wanted", "sent", "notes"),
    [
        (100, 100, []), (16, 16, []), (128, 128, []),
        (1, 16, ["max_tokens:clamped"]), (1000, 128, ["max_tokens:clamped"]),
    ],
)  # fmt: skip
def test_the_limit_is_one_that_the_model_takes(wanted: int, sent: int, notes: list[str]) -> None:
    way = conversion(Prompt("m", [ASK], max_tokens=wanted), OPENAI)
    assert write(way)["max_output_tokens"] == sent
    assert way.notes.entries == notes


def test_a_cache_cannot_be_warmed() -> None:
    with pytest.raises(InvalidRequest, match="cannot warm a cache"):
        write(conversion(Prompt("m", [ASK], max_tokens=0)))


def test_members_that_the_server_takes() -> None:
    assert top(
        OPENAI, temperature=0.5, top_p=0.9, verbosity="low", service_tier="fast", user="u1",
        session="s1", parallel_tools=False, cache_explicit=True, stream=True,
    ) == {
        "temperature": 0.5, "top_p": 0.9, "text": {"verbosity": "low"}, "service_tier": "fast",
        "safety_identifier": "u1", "prompt_cache_key": "s1", "stream": True,
        "stream_options": {"include_obfuscation": False},
        "prompt_cache_options": {"mode": "explicit"},
    }  # fmt: skip


def test_members_that_it_does_not_take_are_told() -> None:
    way = conversion(
        Prompt("m", [ASK], top_k=3, verbosity="low", service_tier="fast", temperature=0.5),
        Capability(sampling="none"),
    )
    found = write(way)
    assert found.keys() == {"model", "input", "store", "include"}
    assert way.notes.entries == [
        "verbosity:unsupported_by_target", "top_k:unsupported_by_target",
        "temperature:unsupported_by_model", "service_tier:unsupported_by_target",
    ]  # fmt: skip


def test_members_that_the_api_does_not_know_are_told() -> None:
    wanted: dict[str, Any] = {"seed": 7, "frequency_penalty": 0.5, "presence_penalty": -0.5}
    way = conversion(Prompt("m", [ASK], **wanted), Capability())
    assert write(way).keys() == {"model", "input", "store", "include"}
    assert way.notes.entries == [f"{name}:unsupported_by_target" for name in wanted]
    nothing = conversion(Prompt("m", [ASK], seed=0, frequency_penalty=0.0), Capability())
    assert write(nothing).keys() == {"model", "input", "store", "include"}
    assert nothing.notes.entries == []


def test_what_changes_nothing_is_left_out() -> None:
    way = conversion(Prompt("m", [ASK], service_tier="auto", stream=True))
    assert write(way).keys() == {"model", "input", "store", "include", "stream"}
    assert way.notes.entries == []


def test_who_places_the_cache_marks() -> None:
    assert top(OPENAI, cache_implicit=True) == {"prompt_cache_options": {"mode": "implicit"}}
    way = conversion(Prompt("m", [ASK], cache_implicit=True))
    assert "prompt_cache_options" not in write(way)
    assert way.notes.entries == ["cache_control:left_to_the_target"]


def test_stop_sequences_are_all_enforced_here() -> None:
    way = conversion(Prompt("m", [ASK], stop=["A", "", "B", "A"]))
    assert "stop" not in write(way)
    assert way.local_stops == ("A", "B")


@pytest.mark.parametrize(
    ("shape", "format"),
    [
        (Format("json_schema", CLOSED, "n", "d"),
         {"type": "json_schema", "name": "n", "description": "d", "strict": True}),
        (Format("json_schema", OPEN), {"type": "json_schema", "name": "output", "strict": False}),
    ],
)  # fmt: skip
def test_the_answers_schema(shape: Format, format: dict[str, Any]) -> None:
    assert shape.schema is not None
    schema = msgspec.json.decode(shape.schema)
    assert top(OPENAI, format=shape, verbosity="high") == {
        "text": {"format": format | {"schema": schema}, "verbosity": "high"}
    }


def test_any_object_is_asked_for_in_words_too() -> None:
    found = write(conversion(Prompt("m", [ASK], format=Format("json_object")), OPENAI))
    assert found["text"] == {"format": {"type": "json_object"}}
    assert found["input"][0] == {
        "type": "message", "role": "developer",
        "content": "Respond with one JSON object and nothing else.",
    }  # fmt: skip
