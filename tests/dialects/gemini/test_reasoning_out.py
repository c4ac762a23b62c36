"""How hard a Gemini model shall think."""

from typing import Any

import pytest

from gateway.dialects.gemini.reasoning_out import is_thinking
from gateway.neutral.events import Reasoning
from tests.dialects.gemini.conversions import NEWEST, config

PRO, FLASH, LITE = "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite"
MINIMAL = "gemini-3-flash-preview"
Config = dict[str, Any] | None


def on(**members: Any) -> dict[str, Any]:
    return members | {"includeThoughts": True}


def off(**members: Any) -> dict[str, Any]:
    return members | {"includeThoughts": False}


CASES: list[tuple[str, Reasoning | None, Config, list[str]]] = [
    (NEWEST, None, None, []),
    (NEWEST, Reasoning(), None, []),
    (NEWEST, Reasoning(effort="high"), on(thinkingLevel="high"), []),
    (NEWEST, Reasoning(effort="max"), on(thinkingLevel="high"), ["reasoning_effort:sent_as_high"]),
    (NEWEST, Reasoning(effort="minimal"), on(thinkingLevel="low"),
     ["reasoning_effort:sent_as_low"]),
    (MINIMAL, Reasoning(effort="minimal"), on(thinkingLevel="minimal"), []),
    (MINIMAL, Reasoning(effort="none"), off(thinkingLevel="minimal"),
     ["reasoning_effort:sent_as_minimal"]),
    (NEWEST, Reasoning("disabled"), off(thinkingLevel="low"), ["thinking:sent_as_low"]),
    (NEWEST, Reasoning("between_tools"), off(thinkingLevel="low"), ["thinking:sent_as_low"]),
    (NEWEST, Reasoning("adaptive"), on(), []),
    (NEWEST, Reasoning("adaptive", effort="low"), on(thinkingLevel="low"), []),
    (NEWEST, Reasoning("adaptive", display="omitted"), off(), []),
    (NEWEST, Reasoning("enabled", 3000), on(thinkingLevel="medium"),
     ["thinking.budget_tokens:approximated_by_level"]),
    ("gemini-3-pro-preview", Reasoning(effort="medium"), on(thinkingLevel="low"),
     ["reasoning_effort:sent_as_low"]),
    (FLASH, Reasoning("enabled", 3000), on(thinkingBudget=3000), []),
    (FLASH, Reasoning("enabled", 99999), on(thinkingBudget=24576),
     ["thinking.budget_tokens:clamped"]),
    (FLASH, Reasoning("adaptive"), on(thinkingBudget=-1), []),
    (FLASH, Reasoning(effort="none"), off(thinkingBudget=0), []),
    (FLASH, Reasoning("disabled"), off(thinkingBudget=0), []),
    (FLASH, Reasoning(effort="low"), on(thinkingBudget=1024), []),
    (FLASH, Reasoning(effort="medium"), on(thinkingBudget=8192), []),
    (FLASH, Reasoning(effort="high"), on(thinkingBudget=24576), []),
    (PRO, Reasoning(effort="max"), on(thinkingBudget=32768), []),
    (PRO, Reasoning(effort="none"), off(thinkingBudget=128),
     ["reasoning_effort:sent_as_128_tokens"]),
    (LITE, Reasoning("enabled", 100), on(thinkingBudget=512), ["thinking.budget_tokens:clamped"]),
    ("gemini-2.0-flash", Reasoning(effort="high"), None, ["reasoning_effort:unsupported_by_model"]),
    ("gemini-2.0-flash", Reasoning("disabled"), None, []),
]  # fmt: skip


@pytest.mark.parametrize(("model", "reasoning", "expected", "entries"), CASES)
def test_levels_and_budgets(
    model: str, reasoning: Reasoning | None, expected: Config, entries: list[str]
) -> None:
    found, noted = config(model, reasoning=reasoning)
    assert found.get("thinkingConfig") == expected
    assert noted == entries


def test_who_thinks() -> None:
    asked = [Reasoning("adaptive"), Reasoning(effort="low"), Reasoning("enabled", 9)]
    assert all(map(is_thinking, asked))
    left = [None, Reasoning(), Reasoning("disabled"), Reasoning(effort="none")]
    assert not any(map(is_thinking, left))
