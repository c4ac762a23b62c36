"""Reasoning efforts: the levels, the budgets they stand for, and the nearest that a model takes."""

from gateway.dialect import Block, Crossing
from gateway.neutral.events import Reasoning

LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


_BUDGETS = ((2048, "low"), (8192, "medium"), (24576, "high"))


def openrouter(reasoning: Reasoning, off: bool) -> Block:
    """OpenRouter's `reasoning` member, which takes an effort or a budget, never both."""
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


def effort_of(reasoning: Reasoning, off: bool, crossing: Crossing) -> str | None:
    """The level of the model nearest to the wanted one, with a note where it is another."""
    levels = crossing.capability.effort
    wanted = "none" if off else reasoning.effort
    if wanted is None and reasoning.budget is not None:
        wanted = next((word for least, word in _BUDGETS if reasoning.budget < least), "xhigh")
    if wanted is None or not levels:
        return None
    found = nearest(wanted, levels)
    if found != wanted:
        crossing.notes.note("reasoning_effort", f"clamped_to_{found}")
    return found


def nearest(wanted: str, levels: tuple[str, ...]) -> str:
    """The level of the model next below the wanted one, else its lowest."""
    if wanted in levels or wanted not in LEVELS:
        return wanted if wanted in levels else levels[-1]
    known = [level for level in LEVELS if level in levels]
    below = [level for level in known if LEVELS.index(level) < LEVELS.index(wanted)]
    # the lowest level of thinking is the answer to "none", and to a level below all others
    return (
        below[-1]
        if below and below[-1] != "none"
        else next((level for level in known if level != "none"), levels[0])
    )
