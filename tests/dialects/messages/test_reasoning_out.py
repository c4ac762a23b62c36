"""Writing how hard a Messages model shall think."""

from typing import Any

import pytest
from msgspec import Raw

from gateway.neutral.events import (
    Prompt,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
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


SHOWN = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("reasoning", "capability", "thinking", "effort", "notes"),
    [
        (None, ADAPTIVE, None, None, []),
        (Reasoning(effort="low"), ADAPTIVE, SHOWN, "low", []),
        (Reasoning(effort="minimal"), ADAPTIVE, SHOWN, "low", []),
        (Reasoning(effort="xhigh"), ADAPTIVE, SHOWN, "high", ["reasoning_effort:sent_as_high"]),
        (Reasoning(effort="none"), ADAPTIVE, {"type": "disabled"}, None, []),
        (
            Reasoning(effort="none"),
            {"thinking": ("adaptive",), "effort": ("low", "high")},
            None,
            "low",
            ["reasoning_effort:sent_as_low"],
        ),
        (
            Reasoning("disabled"),
            {"thinking": ("adaptive",), "effort": ("low", "high")},
            None,
            "low",
            ["reasoning_effort:sent_as_low"],
        ),
        (Reasoning(effort="low"), BUDGET, {"type": "enabled", "budget_tokens": 1024}, None, []),
        (Reasoning(effort="medium"), BUDGET, {"type": "enabled", "budget_tokens": 4096}, None, []),
        (Reasoning(effort="high"), BUDGET, {"type": "enabled", "budget_tokens": 16384}, None, []),
        (Reasoning(effort="xhigh"), BUDGET, {"type": "enabled", "budget_tokens": 31999}, None, []),
        (Reasoning(effort="max"), BUDGET, {"type": "enabled", "budget_tokens": 31999}, None, []),
        (Reasoning("enabled", 3000), BUDGET, {"type": "enabled", "budget_tokens": 3000}, None, []),
        (
            Reasoning("enabled", 3000),
            ADAPTIVE,
            SHOWN,
            "medium",
            ["thinking.budget_tokens:approximated_by_effort"],
        ),
        (
            Reasoning("adaptive", None, "high", "omitted"),
            ADAPTIVE,
            {"type": "adaptive", "display": "omitted"},
            "high",
            [],
        ),
        (
            Reasoning("between_tools"),
            {"thinking": ("between_tools", "adaptive")},
            {"type": "between_tools"},
            None,
            [],
        ),
        (Reasoning("between_tools"), BUDGET, {"type": "disabled"}, None, []),
        (
            Reasoning("adaptive", display="summarized"),
            BUDGET,
            {"type": "enabled", "budget_tokens": 4096, "display": "summarized"},
            None,
            [],
        ),
        (
            Reasoning("enabled", 1500),
            ADAPTIVE,
            SHOWN,
            "low",
            ["thinking.budget_tokens:approximated_by_effort"],
        ),
        (
            Reasoning("enabled", 30000),
            {**ADAPTIVE, "effort": ("low", "xhigh")},
            SHOWN,
            "xhigh",
            ["thinking.budget_tokens:approximated_by_effort"],
        ),
        (
            Reasoning("disabled"),
            {"thinking": ("adaptive",)},
            None,
            None,
            ["thinking:unsupported_by_model"],
        ),
        (
            Reasoning("enabled", 9000, "high"),
            {"effort": ("low", "high")},
            None,
            "high",
            ["thinking:unsupported_by_model"],
        ),
        (Reasoning(effort="odd"), ADAPTIVE, SHOWN, "low", ["reasoning_effort:sent_as_low"]),
        (Reasoning(display="omitted"), ADAPTIVE, None, None, []),
        (Reasoning(effort="low"), {}, None, None, ["reasoning_effort:unsupported_by_model"]),
        (Reasoning(effort="none"), {}, None, None, []),
        (Reasoning(effort="high"), {"effort": ("low", "high")}, None, "high", []),
    ],
)
def test_reasoning(
    reasoning: Reasoning | None,
    capability: dict[str, Any],
    thinking: dict[str, Any] | None,
    effort: str | None,
    notes: list[str],
) -> None:
    crossed = conversion(prompt(reasoning=reasoning), capability=capability)
    got = written(crossed)
    assert got.get("thinking") == thinking
    assert got.get("output_config") == ({"effort": effort} if effort else None)
    assert crossed.notes.entries == notes


def test_the_budget_stays_below_max_tokens() -> None:
    crossed = conversion(
        prompt(max_tokens=2000, reasoning=Reasoning("enabled", 9000)), capability=BUDGET
    )
    assert written(crossed)["thinking"]["budget_tokens"] == 1999
    assert crossed.notes.entries == ["thinking.budget_tokens:clamped"]
    small = conversion(
        prompt(max_tokens=1024, reasoning=Reasoning(effort="low")), capability=BUDGET
    )
    assert "thinking" not in written(small)
    assert small.notes.entries == ["reasoning_effort:max_tokens_too_small_for_thinking"]


def test_a_forced_tool_turns_thinking_off() -> None:
    members = {
        "tools": [Tool("f")],
        "tool_choice": ToolChoice("any"),
        "reasoning": Reasoning(effort="high"),
    }
    crossed = conversion(prompt(**members), capability=BUDGET)
    got = written(crossed)
    assert (got["thinking"], got["tool_choice"]) == ({"type": "disabled"}, {"type": "any"})
    always = conversion(prompt(**members), capability={**ADAPTIVE, "thinking": ("adaptive",)})
    got = written(always)
    assert (got["thinking"], got["tool_choice"]) == (SHOWN, {"type": "auto"})
    assert always.notes.entries == ["tool_choice:forced_tool_use_downgraded"]
    unforced = conversion(prompt(**members), capability={**ADAPTIVE, "forced_tool": False})
    got = written(unforced)
    assert (got["thinking"], got["tool_choice"]) == (SHOWN, {"type": "auto"})


@pytest.mark.parametrize("kept", [True, False])
def test_no_budget_after_a_tool_turn_without_thinking(*, kept: bool) -> None:
    thought = [Thinking("t", "s", "messages" if kept else "chat")]
    turns = [
        U,
        Turn("assistant", [*thought, ToolCall("a", "f")]),
        Turn("user", [ToolResult("a", [Text("r")])]),
    ]
    crossed = conversion(Prompt("m", turns, reasoning=Reasoning(effort="low")), capability=BUDGET)
    assert ("thinking" in written(crossed)) == kept
    noted = "reasoning:omitted_after_a_turn_without_thinking" in crossed.notes.entries
    assert noted != kept
