"""A neutral prompt as a Messages request (`MessageCreateParamsBase`)."""

import hashlib
import re

from gateway.capability.record import Capability
from gateway.dialect import Block, Conversion, Fields
from gateway.dialects.common.instructions import JSON_INSTRUCTION, render_schema_instruction
from gateway.dialects.common.names import assign_tool_names
from gateway.dialects.common.schema import close_schema
from gateway.dialects.messages.blocks_out import write_cache_control, write_text
from gateway.dialects.messages.reasoning_out import write_reasoning
from gateway.dialects.messages.tools_out import (
    ANSWER_TOOL,
    drop_extra_marks,
    make_answer_tool,
    write_tool_choice,
    write_tools,
)
from gateway.dialects.messages.turns_out import write_turns
from gateway.neutral.events import CacheMark
from gateway.wire.raw_json import encoded

_DEFAULT_MAX_TOKENS = 32000
"""Sent where the client sets no limit: the API requires one."""
_MAX_CACHE_MARKS = 4
_USER_ID_LIMIT = 256
_PERSONAL_DATA = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|\+?[\d\s().-]{7,}")
"""E-mail addresses and phone numbers, which the API refuses as a user id."""


def write_prompt(conversion: Conversion) -> Fields:
    """The upstream's request; sets tool names and the answer tool of the conversion."""
    prompt, notes = conversion.prompt, conversion.notes
    assign_tool_names(conversion)
    most = _write_max_tokens(conversion)
    thinking, effort = write_reasoning(most, conversion)
    is_thinking = thinking is not None and thinking["type"] != "disabled"
    tools = write_tools(conversion)
    choice = write_tool_choice(conversion) if tools else None
    if is_thinking and choice is not None and choice["type"] in ("any", "tool"):
        notes.drop("tool_choice", "forced_tool_use_downgraded")
        choice = {**choice, "type": "auto"}
        choice.pop("name", None)
    system = _write_system(conversion)
    config: Block = {"effort": effort} if effort else {}
    if answer := _write_format(config, system, conversion, may_force=not (is_thinking or tools)):
        tools, choice = [answer], {"type": "tool", "name": ANSWER_TOOL}
    messages = write_turns(conversion)
    _limit_cache_marks(tools, system, messages, conversion)
    members: Block = {
        "model": conversion.model,
        "max_tokens": most,
        "messages": messages,
        "system": system,
        "tools": tools,
        "tool_choice": choice,
        "thinking": thinking,
        "output_config": config,
        "stop_sequences": _write_stop_sequences(conversion),
    }
    fields: Block = {name: value for name, value in members.items() if value}
    fields |= _write_sampling(conversion, is_thinking=is_thinking)
    fields |= _write_user_and_tier(conversion)
    if prompt.cache_implicit:
        fields["cache_control"] = write_cache_control(CacheMark())
    if prompt.stream:
        fields["stream"] = True
    _report_unsupported(conversion)
    return encoded(fields)


def _write_max_tokens(conversion: Conversion) -> int:
    wanted, most = conversion.prompt.max_tokens, conversion.capability.max_output
    if wanted is None:
        return min(most or _DEFAULT_MAX_TOKENS, _DEFAULT_MAX_TOKENS)
    if wanted < 1:
        conversion.notes.refuse("max_tokens", "must be at least 1")
    if most is not None and wanted > most:
        conversion.notes.note("max_tokens", f"clamped_to_{most}")
        return most
    return wanted


def _write_system(conversion: Conversion) -> list[Block]:
    return [
        block
        for part in conversion.prompt.system
        if (block := write_text(part.text, part.cache)) is not None
    ]


def _write_format(
    config: Block, system: list[Block], conversion: Conversion, *, may_force: bool
) -> Block | None:
    """Puts the client's answer format into `config` or `system`, or returns a tool for it."""
    wanted, notes = conversion.prompt.format, conversion.notes
    if wanted is None:
        return None
    if wanted.kind == "json_object" or wanted.schema is None:
        notes.note("response_format", "json_object_asked_for_in_the_system_prompt")
        system.append({"type": "text", "text": JSON_INSTRUCTION})
        return None
    if conversion.capability.schema == "native":
        schema = close_schema(wanted.schema, "response_format.schema", notes)
        if schema is not None:
            config["format"] = {"type": "json_schema", "schema": schema}
            return None
    if may_force and conversion.capability.forced_tool:
        conversion.answer_tool = ANSWER_TOOL
        notes.note("response_format", "answered_through_a_tool")
        return make_answer_tool(wanted.schema, wanted.description, conversion)
    notes.drop("response_format", "schema_asked_for_in_the_system_prompt")
    system.append({"type": "text", "text": render_schema_instruction(wanted.schema)})
    return None


def _limit_cache_marks(
    tools: list[Block], system: list[Block], messages: list[Block], conversion: Conversion
) -> None:
    most = _MAX_CACHE_MARKS - (1 if conversion.prompt.cache_implicit else 0)
    contents = [_collect_blocks(one) for one in messages if not isinstance(one["content"], str)]
    if not contents and len(tools) + len(system) <= most:
        return
    if drop_extra_marks([tools, system, *contents], most):
        conversion.notes.note("cache_control", f"only_the_last_{most}_kept")


def _collect_blocks(message: Block) -> list[Block]:
    """Every block of a message that may have a cache mark, including those in tool results."""
    found: list[Block] = []
    for block in message["content"]:
        inner = block.get("content")
        found += inner if isinstance(inner, list) else []
        found.append(block)
    return found


def _write_stop_sequences(conversion: Conversion) -> list[str]:
    if not conversion.prompt.stop:
        return []
    kept = [stop for stop in conversion.prompt.stop if stop.strip()]
    if len(kept) < len(conversion.prompt.stop):
        conversion.notes.drop("stop", "whitespace_refused_by_target")
    return kept


def _write_sampling(conversion: Conversion, *, is_thinking: bool) -> Block:
    """Temperature, top_p and top_k as far as the model takes them."""
    prompt, notes = conversion.prompt, conversion.notes
    sent: Block = {}
    for name in ("temperature", "top_p", "top_k"):
        value = getattr(prompt, name)
        if value is None:
            continue
        if is_thinking:
            notes.drop(name, "not_with_thinking")
        elif not _is_sampling_allowed(name, value, sent, conversion.capability):
            notes.drop(name, "unsupported_by_model")
        elif name == "temperature" and value > 1:
            notes.note(name, "clamped_to_1")
            sent[name] = 1.0
        else:
            sent[name] = value
    return sent


def _is_sampling_allowed(name: str, value: float, sent: Block, model: Capability) -> bool:
    if model.sampling == "none":
        return False
    if name == "top_k":
        return model.top_k and model.sampling != "temp1"
    if model.sampling == "temp1":
        return name == "temperature" and value == 1
    return not (model.sampling == "temp_xor_top_p" and name == "top_p" and "temperature" in sent)


def _report_unsupported(conversion: Conversion) -> None:
    """Notes what this API has no member for; a zero asks for nothing."""
    prompt = conversion.prompt
    for name in ("seed", "frequency_penalty", "presence_penalty", "verbosity"):
        value = getattr(prompt, name)
        if value and value != "medium":  # the default of `verbosity`
            conversion.notes.drop(name)


_MEMBER_OF_TIER = {
    "auto": ("service_tier", "auto"),
    "default": ("service_tier", "standard_only"),
    "fast": ("speed", "fast"),
}


def _write_user_and_tier(conversion: Conversion) -> Block:
    """`metadata`, and `service_tier` or `speed`."""
    prompt = conversion.prompt
    members: Block = {}
    if prompt.user:
        members["metadata"] = {"user_id": _write_user_id(prompt.user)}
    if prompt.service_tier == "fast" and not conversion.capability.service_tier:
        conversion.notes.drop("service_tier")
    elif prompt.service_tier is not None:
        name, word = _MEMBER_OF_TIER[prompt.service_tier]
        members[name] = word
    return members


def _write_user_id(user: str) -> str:
    if len(user) > _USER_ID_LIMIT or _PERSONAL_DATA.fullmatch(user.strip()):
        return hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()
    return user
