"""Reasoning effort and budget as the members that a Chat server takes."""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.effort import choose_effort, write_openrouter_reasoning
from gateway.neutral.events import Reasoning


def write_reasoning(conversion: Conversion) -> Block:
    """The members that control reasoning; none where the client leaves it to the model."""
    reasoning = conversion.prompt.reasoning
    if reasoning is None:
        return {}
    off = reasoning.mode in ("disabled", "between_tools") or (
        reasoning.mode is None and reasoning.effort == "none"
    )
    if conversion.capability.effort_form == "openrouter":
        return write_openrouter_reasoning(reasoning, off)
    switched = _write_thinking_switch(reasoning, off, conversion)
    effort = None if off and switched else choose_effort(reasoning, off, conversion)
    if effort is not None:
        switched["reasoning_effort"] = effort
    wanted = reasoning.mode is not None or reasoning.effort not in (None, "none")
    if not switched and wanted and not conversion.capability.effort:
        if off:
            conversion.notes.note("thinking", "unsupported_by_target")
        else:
            conversion.notes.drop("thinking" if reasoning.mode else "reasoning_effort")
    return switched


def _write_thinking_switch(reasoning: Reasoning, off: bool, conversion: Conversion) -> Block:
    """The member that turns thinking on or off, on servers that have one."""
    form = conversion.capability.thinking_switch
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
