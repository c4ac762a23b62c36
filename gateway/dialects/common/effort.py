"""Reasoning efforts: their order, the budgets they stand for, and the nearest that a model has."""

from gateway.dialect import Block, Conversion
from gateway.neutral.events import Reasoning

EFFORT_LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

_EFFORT_OF_BUDGET = ((2048, "low"), (8192, "medium"), (24576, "high"))


def write_openrouter_reasoning(reasoning: Reasoning, off: bool) -> Block:
    """OpenRouter's `reasoning` member, which takes an effort or a budget, not both."""
    if off:
        return {"reasoning": {"enabled": False}}
    said: Block = {}
    if reasoning.effort is not None:
        said["effort"] = reasoning.effort
    elif reasoning.budget is not None:
        said["max_tokens"] = reasoning.budget
    elif reasoning.mode is not None:
        said["enabled"] = True
    if reasoning.display == "omitted":
        said["exclude"] = True
    return {"reasoning": said} if said else {}


def choose_effort(reasoning: Reasoning, off: bool, conversion: Conversion) -> str | None:
    """The level of the model nearest to the wanted one, with a note if it differs."""
    levels = conversion.capability.effort
    wanted = "none" if off else reasoning.effort
    if wanted is None and reasoning.budget is not None:
        wanted = effort_of_budget(reasoning.budget)
    if wanted is None or not levels:
        return None
    found = nearest_effort(wanted, levels)
    if found != wanted:
        conversion.notes.note("reasoning_effort", f"clamped_to_{found}")
    return found


def effort_of_budget(budget: int) -> str:
    """The effort that a budget of thinking tokens stands for."""
    return next((effort for limit, effort in _EFFORT_OF_BUDGET if budget < limit), "xhigh")


def nearest_effort(wanted: str, levels: tuple[str, ...]) -> str:
    """The wanted level if the model has it, else the next below, else its lowest."""
    if wanted in levels or wanted not in EFFORT_LEVELS:
        return wanted if wanted in levels else levels[-1]
    known = [level for level in EFFORT_LEVELS if level in levels]
    below = [level for level in known if EFFORT_LEVELS.index(level) < EFFORT_LEVELS.index(wanted)]
    # "none" means the lowest level of thinking where thinking cannot be turned off
    return (
        below[-1]
        if below and below[-1] != "none"
        else next((level for level in known if level != "none"), levels[0])
    )
