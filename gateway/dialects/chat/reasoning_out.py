"""How hard a Chat model shall think, in the words of its server."""

from gateway.dialect import Block, Crossing
from gateway.dialects.common.effort import effort_of, openrouter
from gateway.neutral.events import Reasoning


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
