"""The reasoning effort of a Gemini model (`ThinkingConfig`): a level or a budget, never both."""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.effort import effort_of_budget, nearest_effort
from gateway.neutral.events import Reasoning

_EFFORT_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24576}


def is_thinking(reasoning: Reasoning | None) -> bool:
    """Whether the client asks the model to think."""
    if reasoning is None or reasoning.mode in ("disabled", "between_tools"):
        return False
    return reasoning.mode is not None or reasoning.effort not in (None, "none")


def write_reasoning(conversion: Conversion) -> Block | None:
    """`thinkingConfig`; None where the client leaves it to the model."""
    reasoning, capability = conversion.prompt.reasoning, conversion.capability
    if reasoning is None or (reasoning.mode is None and reasoning.effort is None):
        return None
    thinks = is_thinking(reasoning)
    field = "thinking" if reasoning.mode is not None else "reasoning_effort"
    if capability.effort:
        config = _write_level(reasoning, conversion, field, thinks=thinks)
    elif capability.thinking_budget[1]:
        config = {"thinkingBudget": _write_budget(reasoning, conversion, field, thinks=thinks)}
    else:
        if thinks:
            conversion.notes.drop(field, "unsupported_by_model")
        return None
    config["includeThoughts"] = thinks and reasoning.display != "omitted"
    return config


def _write_level(
    reasoning: Reasoning, conversion: Conversion, field: str, *, thinks: bool
) -> Block:
    levels = conversion.capability.effort
    if not thinks:
        conversion.notes.note(field, f"sent_as_{levels[0]}")
        return {"thinkingLevel": levels[0]}
    wanted = reasoning.effort
    if wanted is None and reasoning.budget is not None:
        wanted = effort_of_budget(reasoning.budget)
        conversion.notes.note("thinking.budget_tokens", "approximated_by_level")
    if wanted is None:
        return {}
    taken = nearest_effort(wanted, levels)
    if taken != wanted:
        conversion.notes.note("reasoning_effort", f"sent_as_{taken}")
    return {"thinkingLevel": taken}


def _write_budget(reasoning: Reasoning, conversion: Conversion, field: str, *, thinks: bool) -> int:
    least, most = conversion.capability.thinking_budget
    if not thinks:
        if "disabled" in conversion.capability.thinking:
            return 0
        conversion.notes.note(field, f"sent_as_{least}_tokens")
        return least
    wanted = reasoning.budget
    if wanted is None and reasoning.effort is None:
        return -1  # the model chooses
    if wanted is None:
        wanted = _EFFORT_BUDGETS.get(reasoning.effort or "", most)
        return max(least, min(wanted, most))
    taken = max(least, min(wanted, most))
    if taken != wanted:
        conversion.notes.note("thinking.budget_tokens", "clamped")
    return taken
