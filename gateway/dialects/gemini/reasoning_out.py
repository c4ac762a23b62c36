"""How hard a Gemini model shall think (`ThinkingConfig`): a level or a budget, never both."""

from gateway.dialect import Block, Crossing
from gateway.neutral.events import Reasoning

_LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24576}
_SIZES = ((2048, "low"), (8192, "medium"), (24576, "high"))


def is_thinking(reasoning: Reasoning | None) -> bool:
    """Whether the client asks the model to think."""
    if reasoning is None or reasoning.mode in ("disabled", "between_tools"):
        return False
    return reasoning.mode is not None or reasoning.effort not in (None, "none")


def write_reasoning(crossing: Crossing) -> Block | None:
    """`thinkingConfig`; None where the client leaves it to the model."""
    reasoning, capability = crossing.prompt.reasoning, crossing.capability
    if reasoning is None or (reasoning.mode is None and reasoning.effort is None):
        return None
    thinks = is_thinking(reasoning)
    field = "thinking" if reasoning.mode is not None else "reasoning_effort"
    if capability.effort:
        config = _level(reasoning, crossing, field, thinks=thinks)
    elif capability.thinking_budget[1]:
        config = {"thinkingBudget": _budget(reasoning, crossing, field, thinks=thinks)}
    else:
        if thinks:
            crossing.notes.drop(field, "unsupported_by_model")
        return None
    config["includeThoughts"] = thinks and reasoning.display != "omitted"
    return config


def _level(reasoning: Reasoning, crossing: Crossing, field: str, *, thinks: bool) -> Block:
    levels = crossing.capability.effort
    if not thinks:
        crossing.notes.note(field, f"sent_as_{levels[0]}")
        return {"thinkingLevel": levels[0]}
    wanted = reasoning.effort
    if wanted is None and reasoning.budget is not None:
        size = reasoning.budget
        wanted = next((word for most, word in _SIZES if size < most), "xhigh")
        crossing.notes.note("thinking.budget_tokens", "approximated_by_level")
    if wanted is None:
        return {}
    taken = _nearest(wanted, levels)
    if taken != wanted:
        crossing.notes.note("reasoning_effort", f"sent_as_{taken}")
    return {"thinkingLevel": taken}


def _nearest(wanted: str, levels: tuple[str, ...]) -> str:
    """The level if the model has it, else the next below, else its lowest."""
    if wanted in levels or wanted not in _LEVELS:
        return wanted if wanted in levels else levels[-1]
    below = [level for level in levels if _LEVELS.index(level) < _LEVELS.index(wanted)]
    return below[-1] if below else levels[0]


def _budget(reasoning: Reasoning, crossing: Crossing, field: str, *, thinks: bool) -> int:
    least, most = crossing.capability.thinking_budget
    if not thinks:
        if "disabled" in crossing.capability.thinking:
            return 0
        crossing.notes.note(field, f"sent_as_{least}_tokens")
        return least
    wanted = reasoning.budget
    if wanted is None and reasoning.effort is None:
        return -1  # as the model likes
    if wanted is None:
        wanted = _BUDGETS.get(reasoning.effort or "", most)
        return max(least, min(wanted, most))
    taken = max(least, min(wanted, most))
    if taken != wanted:
        crossing.notes.note("thinking.budget_tokens", "clamped")
    return taken
