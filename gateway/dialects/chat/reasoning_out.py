"""How hard a Chat model shall think, in the words of its server."""

from gateway.dialect import Block, Crossing
from gateway.events import Reasoning

LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_BUDGETS = ((2048, "low"), (8192, "medium"), (24576, "high"))


def write_reasoning(crossing: Crossing) -> Block:
    """The members that control reasoning; none where the client leaves it to the model."""
    reasoning = crossing.prompt.reasoning
    if reasoning is None:
        return {}
    off = reasoning.mode in ("disabled", "between_tools") or (
        reasoning.mode is None and reasoning.effort == "none"
    )
    if crossing.capability.effort_form == "openrouter":
        return openrouter(reasoning, off)
    switched = _switch(reasoning, off, crossing)
    effort = None if off and switched else effort_of(reasoning, off, crossing)
    if effort is not None:
        switched["reasoning_effort"] = effort
    wanted = reasoning.mode is not None or reasoning.effort not in (None, "none")
    if not switched and wanted and not crossing.capability.effort:
        if off:
            crossing.notes.note("thinking", "unsupported_by_target")
        else:
            crossing.notes.drop("thinking" if reasoning.mode else "reasoning_effort")
    return switched


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


def _switch(reasoning: Reasoning, off: bool, crossing: Crossing) -> Block:
    """The member that turns thinking on or off, on servers that have one."""
    form = crossing.capability.thinking_switch
    if form == "none" or (reasoning.mode is None and not off):
        return {}
    if form == "thinking":
        return {"thinking": {"type": "disabled" if off else "enabled"}}
    if form == "enable_thinking":
        template: Block = {"enable_thinking": not off}
        if reasoning.budget is not None and not off:
            template["thinking_budget"] = reasoning.budget
        return {"chat_template_kwargs": template}
    return {"reasoning": {"enabled": not off}}


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
