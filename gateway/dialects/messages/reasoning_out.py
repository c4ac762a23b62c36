"""Reasoning settings of a Messages request (`ThinkingConfigParam`, `OutputConfigParam.effort`)."""

from gateway.dialect import Block, Conversion
from gateway.dialects.common.effort import EFFORT_LEVELS, effort_of_budget, nearest_effort
from gateway.dialects.messages.blocks_out import find_native_signature
from gateway.dialects.messages.tools_out import is_forced
from gateway.neutral.events import Prompt, Reasoning, Redacted, Thinking, ToolCall

_BUDGET_OF_EFFORT = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16384, "xhigh": 32768}
_MIN_BUDGET = 1024


def write_reasoning(max_tokens: int, conversion: Conversion) -> tuple[Block | None, str | None]:
    """The `thinking` member and the effort of `output_config`; None where nothing is sent."""
    reasoning = conversion.prompt.reasoning
    if reasoning is None:
        return None, None
    mode = _choose_mode(reasoning, conversion)
    thinking = _write_thinking(mode, reasoning, max_tokens, conversion) if mode else None
    if thinking is not None and thinking["type"] != "disabled":
        thinking = _adapt_thinking(thinking, conversion)
    return thinking, _write_effort(reasoning, mode, conversion)


def _choose_mode(reasoning: Reasoning, conversion: Conversion) -> str | None:
    """The mode of the model nearest to what the client asks; None to leave it to the model."""
    modes = conversion.capability.thinking
    wanted = reasoning.mode
    if wanted is None and reasoning.effort is None:
        return None
    if wanted is None:
        wanted = "disabled" if reasoning.effort == "none" else "adaptive"
    likely: tuple[str, ...] = {
        "enabled": ("enabled", "adaptive"),
        "adaptive": ("adaptive", "enabled"),
        "between_tools": ("between_tools", "disabled"),
        "disabled": ("disabled",),
    }[wanted]
    found = next((mode for mode in likely if mode in modes), None)
    if found is None:
        _note_unsupported(reasoning, wanted, conversion)
    return found


def _note_unsupported(reasoning: Reasoning, wanted: str, conversion: Conversion) -> None:
    has_levels = bool(conversion.capability.effort)
    if wanted in ("disabled", "between_tools"):
        # a model without thinking needs no switch; one with levels gets the lowest
        lost = bool(conversion.capability.thinking) and not has_levels
    else:
        lost = reasoning.mode is not None or not has_levels
    if lost:
        conversion.notes.drop(_note_path(reasoning), "unsupported_by_model")


def _note_path(reasoning: Reasoning) -> str:
    return "thinking" if reasoning.mode is not None else "reasoning_effort"


def _write_thinking(
    mode: str, reasoning: Reasoning, max_tokens: int, conversion: Conversion
) -> Block | None:
    if mode == "disabled":
        return {"type": "disabled"}
    if mode == "adaptive":
        # newer models leave thinking blank unless they are asked to show it
        return {"type": "adaptive", "display": reasoning.display or "summarized"}
    if mode == "between_tools":
        return {"type": "between_tools"}
    if max_tokens <= _MIN_BUDGET:
        conversion.notes.drop(_note_path(reasoning), "max_tokens_too_small_for_thinking")
        return None
    wanted = reasoning.budget or _BUDGET_OF_EFFORT.get(reasoning.effort or "medium", max_tokens - 1)
    budget = max(_MIN_BUDGET, min(wanted, max_tokens - 1))
    if reasoning.budget and budget != reasoning.budget:
        conversion.notes.note("thinking.budget_tokens", "clamped")
    config: Block = {"type": "enabled", "budget_tokens": budget}
    return config | ({"display": reasoning.display} if reasoning.display else {})


def _adapt_thinking(thinking: Block, conversion: Conversion) -> Block | None:
    """The config, unless the API refuses thinking for this conversation."""
    prompt, notes = conversion.prompt, conversion.notes
    can_force = conversion.capability.forced_tool
    if is_forced(prompt) and can_force and "disabled" in conversion.capability.thinking:
        notes.note("reasoning", "disabled_for_forced_tool")
        return {"type": "disabled"}
    if thinking["type"] == "enabled" and _has_calls_without_thinking(prompt, conversion):
        notes.note("reasoning", "omitted_after_a_turn_without_thinking")
        return None
    return thinking


def _has_calls_without_thinking(prompt: Prompt, conversion: Conversion) -> bool:
    """Whether the last assistant turn calls tools without thinking that this upstream minted."""
    last = next((turn for turn in reversed(prompt.turns) if turn.role == "assistant"), None)
    if last is None or not any(isinstance(part, ToolCall) for part in last.parts):
        return False
    return not any(
        isinstance(part, Thinking | Redacted) and find_native_signature(part, conversion)
        for part in last.parts
    )


def _write_effort(reasoning: Reasoning, mode: str | None, conversion: Conversion) -> str | None:
    levels = conversion.capability.effort
    effort = reasoning.effort
    if effort is None and reasoning.mode == "enabled" and mode == "adaptive":
        effort = effort_of_budget(reasoning.budget or 0)
        conversion.notes.note("thinking.budget_tokens", "approximated_by_effort")
    if effort is None and mode is None and reasoning.mode in ("disabled", "between_tools"):
        effort = "none" if conversion.capability.thinking else None
    if effort is None or not levels or (mode in ("disabled", "between_tools") and effort == "none"):
        return None
    known = effort in levels or effort in EFFORT_LEVELS
    taken = nearest_effort(effort, levels) if known else levels[0]
    if taken != effort and effort != "minimal":
        conversion.notes.note("reasoning_effort", f"sent_as_{taken}")
    return taken
