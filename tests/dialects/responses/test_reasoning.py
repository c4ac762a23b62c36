"""How hard to think, and what travels of reasoning."""

from typing import Any

import msgspec
import pytest

from gateway.capability.record import Capability
from gateway.dialects.responses import RESPONSES
from gateway.dialects.responses.reasoning import pack_reasoning, unpack_reasoning
from gateway.neutral.events import (
    Ending,
    Message,
    Part,
    Prompt,
    Reasoning,
    Redacted,
    Text,
    Thinking,
    Turn,
)
from tests.dialects.chat.conversions import conversion, plain

LEVELS = Capability(effort=("none", "low", "medium", "high"))
ALWAYS = Capability(effort=("low", "high"))
ROUTER = Capability(effort_form="openrouter", effort=("low", "high"))
QUIET = Capability(effort=("low", "high"), reasoning_summary=False)
PLAIN = Capability()


@pytest.mark.parametrize(
    ("reasoning", "capability", "said", "notes"),
    [
        (None, LEVELS, None, []),
        (Reasoning(effort="high"), LEVELS, {"effort": "high"}, []),
        (Reasoning(effort="max"), LEVELS, {"effort": "high"}, ["reasoning_effort:clamped_to_high"]),
        (Reasoning(effort="none"), LEVELS, {"effort": "none"}, []),
        (Reasoning("disabled"), LEVELS, {"effort": "none"}, []),
        (Reasoning("disabled"), ALWAYS, {"effort": "low"}, ["reasoning_effort:clamped_to_low"]),
        (Reasoning("adaptive"), LEVELS, {"summary": "auto"}, []),
        (Reasoning("adaptive", effort="low"), LEVELS, {"effort": "low", "summary": "auto"}, []),
        (Reasoning("enabled", 4096), LEVELS, {"effort": "medium", "summary": "auto"}, []),
        (Reasoning("enabled", 4096, display="omitted"), LEVELS, {"effort": "medium"}, []),
        (Reasoning(effort="low", display="summarized"), LEVELS,
         {"effort": "low", "summary": "auto"}, []),
        (Reasoning("adaptive", effort="low"), QUIET, {"effort": "low"},
         ["reasoning.summary:unsupported_by_target"]),
        (Reasoning(display="summarized"), PLAIN, None, []),
        (Reasoning(effort="low"), PLAIN, None, ["reasoning_effort:unsupported_by_target"]),
        (Reasoning("adaptive"), PLAIN, None, ["thinking:unsupported_by_target"]),
        (Reasoning("disabled"), PLAIN, None, ["thinking:unsupported_by_target"]),
        (Reasoning("enabled", 2000), ROUTER, {"max_tokens": 2000, "summary": "auto"}, []),
        (Reasoning(effort="high", display="omitted"), ROUTER, {"effort": "high"}, []),
        (Reasoning("disabled"), ROUTER, {"enabled": False}, []),
    ],
)  # fmt: skip
def test_controls(
    reasoning: Reasoning | None, capability: Capability, said: Any, notes: list[str]
) -> None:
    way = conversion(Prompt("m", [Turn("user", [Text("hi")])], reasoning=reasoning), capability)
    assert plain(RESPONSES.write_prompt(way)).get("reasoning") == said
    assert way.notes.entries == notes


@pytest.mark.parametrize(("id", "blob"), [("rs_1", "rs_1 gAAA=="), ("", "gAAA==")])
def test_the_id_travels_with_what_is_bound_to_it(id: str, blob: str) -> None:
    assert pack_reasoning(id, "gAAA==") == blob
    assert unpack_reasoning(blob) == (id, "gAAA==")


@pytest.mark.parametrize(("blob", "sealed"), [("rs_1 gAAA", True), ("gAAA", False)])
def test_what_is_bound_to_an_id_goes_to_a_client_sealed(blob: str, sealed: bool) -> None:
    parts: list[Part] = [Thinking("why", blob, "responses"), Redacted(blob, "responses")]
    way = conversion()
    whole = RESPONSES.write_message(Message("x", "m", parts, Ending("end_turn")), way)
    for item in msgspec.json.decode(whole)["output"]:
        told = item["encrypted_content"]
        assert told.startswith("~gw01.") is sealed
        found = way.unsealed(told)
        assert (found.data if found is not None else told) == blob
