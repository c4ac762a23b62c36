"""A neutral prompt as a Messages request (`MessageCreateParamsBase`)."""

import hashlib
import re

from msgspec import Raw

from gateway.dialect import Block, Crossing, Fields
from gateway.dialects.common.names import settle_names
from gateway.dialects.common.schema import closed
from gateway.dialects.messages.blocks_out import control, text_block
from gateway.dialects.messages.reasoning_out import write_reasoning
from gateway.dialects.messages.tools_out import (
    ANSWER_TOOL,
    answer_tool,
    limit_marks,
    write_tool_choice,
    write_tools,
)
from gateway.dialects.messages.turns_out import write_turns
from gateway.neutral.events import CacheMark
from gateway.wire.raw_json import encoded

_MOST_TOKENS = 32000
"""Asked for where the client names no limit: 0 would warm the cache and answer nothing."""
_MOST_MARKS = 4
_LONGEST_USER = 256
_PERSONAL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|\+?[\d\s().-]{7,}")
"""E-mail addresses and phone numbers, which the API refuses as a user id."""
_JSON_LINE = "Respond with one JSON object and nothing else."


def write_prompt(crossing: Crossing) -> Fields:
    """The upstream's request; settles tool names and the answer tool of the crossing."""
    prompt, notes = crossing.prompt, crossing.notes
    settle_names(crossing)
    most = _max_tokens(crossing)
    thinking, effort = write_reasoning(crossing, most)
    is_thinking = thinking is not None and thinking["type"] != "disabled"
    tools = write_tools(crossing)
    choice = write_tool_choice(crossing) if tools else None
    if is_thinking and choice is not None and choice["type"] in ("any", "tool"):
        notes.drop("tool_choice", "forced_tool_use_downgraded")
        choice = {**choice, "type": "auto"}
        choice.pop("name", None)
    system = _system(crossing)
    config: Block = {"effort": effort} if effort else {}
    if answer := _format(crossing, config, system, may_force=not (is_thinking or tools)):
        tools, choice = [answer], {"type": "tool", "name": ANSWER_TOOL}
    messages = write_turns(crossing)
    _limit_marks(crossing, tools, system, messages)
    members: Block = {
        "model": crossing.model,
        "max_tokens": most,
        "messages": messages,
        "system": system,
        "tools": tools,
        "tool_choice": choice,
        "thinking": thinking,
        "output_config": config,
        "stop_sequences": _stop(crossing),
    }
    fields: Block = {name: value for name, value in members.items() if value}
    fields |= _sampling(crossing, is_thinking=is_thinking)
    fields |= _account(crossing)
    if prompt.cache_implicit:
        fields["cache_control"] = control(CacheMark())
    if prompt.stream:
        fields["stream"] = True
    _drop_unsaid(crossing)
    return encoded(fields)


def _max_tokens(crossing: Crossing) -> int:
    wanted, most = crossing.prompt.max_tokens, crossing.capability.max_output
    if wanted is None:
        return min(most or _MOST_TOKENS, _MOST_TOKENS)
    if wanted < 1:
        crossing.notes.refuse("max_tokens", "must be at least 1")
    if most is not None and wanted > most:
        crossing.notes.note("max_tokens", f"clamped_to_{most}")
        return most
    return wanted


def _system(crossing: Crossing) -> list[Block]:
    return [
        block
        for part in crossing.prompt.system
        if (block := text_block(part.text, part.cache)) is not None
    ]


def _format(
    crossing: Crossing, config: Block, system: list[Block], *, may_force: bool
) -> Block | None:
    """Holds the model to the client's answer format; returns the tool that does it, if one must."""
    wanted, notes = crossing.prompt.format, crossing.notes
    if wanted is None:
        return None
    if wanted.kind == "json_object" or wanted.schema is None:
        notes.note("response_format", "json_object_asked_for_in_the_system_prompt")
        system.append({"type": "text", "text": _JSON_LINE})
        return None
    if crossing.capability.schema == "native":
        schema = closed(wanted.schema, notes, "response_format.schema")
        if schema is not None:
            config["format"] = {"type": "json_schema", "schema": schema}
            return None
    if may_force and crossing.capability.forced_tool:
        crossing.answer_tool = ANSWER_TOOL
        notes.note("response_format", "answered_through_a_tool")
        return answer_tool(wanted.schema, wanted.description, crossing)
    notes.drop("response_format", "schema_asked_for_in_the_system_prompt")
    system.append({"type": "text", "text": _schema_line(wanted.schema)})
    return None


def _schema_line(schema: Raw) -> str:
    words = "Respond with one JSON object that meets this JSON Schema, and nothing else:"
    return f"{words}\n{bytes(schema).decode()}"


def _limit_marks(
    crossing: Crossing, tools: list[Block], system: list[Block], messages: list[Block]
) -> None:
    most = _MOST_MARKS - (1 if crossing.prompt.cache_implicit else 0)
    contents = [_blocks(one) for one in messages if not isinstance(one["content"], str)]
    if not contents and len(tools) + len(system) <= most:
        return
    if limit_marks([tools, system, *contents], most):
        crossing.notes.note("cache_control", f"only_the_last_{most}_kept")


def _blocks(message: Block) -> list[Block]:
    """Every block of a message that may carry a mark, those within tool results included."""
    found: list[Block] = []
    for block in message["content"]:
        inner = block.get("content")
        found += inner if isinstance(inner, list) else []
        found.append(block)
    return found


def _stop(crossing: Crossing) -> list[str]:
    if not crossing.prompt.stop:
        return []
    kept = [stop for stop in crossing.prompt.stop if stop.strip()]
    if len(kept) < len(crossing.prompt.stop):
        crossing.notes.drop("stop", "whitespace_refused_by_target")
    return kept


def _sampling(crossing: Crossing, *, is_thinking: bool) -> Block:
    """Temperature, top_p and top_k as far as the model takes them."""
    prompt, notes, rule = crossing.prompt, crossing.notes, crossing.capability.sampling
    wanted = (
        ("temperature", prompt.temperature), ("top_p", prompt.top_p), ("top_k", prompt.top_k)
    )  # fmt: skip
    sent: Block = {}
    for name, value in wanted:
        if value is None:
            continue
        if is_thinking:
            notes.drop(name, "not_with_thinking")
        elif not _taken(name, value, rule, sent, top_k=crossing.capability.top_k):
            notes.drop(name, "unsupported_by_model")
        elif name == "temperature" and value > 1:
            notes.note(name, "clamped_to_1")
            sent[name] = 1.0
        else:
            sent[name] = value
    return sent


def _drop_unsaid(crossing: Crossing) -> None:
    """Notes what this API has no word for; a zero asks for nothing."""
    prompt = crossing.prompt
    if not (prompt.seed or prompt.frequency_penalty or prompt.presence_penalty or prompt.verbosity):
        return
    unsaid = {
        "seed": prompt.seed,
        "frequency_penalty": prompt.frequency_penalty,
        "presence_penalty": prompt.presence_penalty,
        "verbosity": prompt.verbosity if prompt.verbosity != "medium" else None,
    }
    for name, value in unsaid.items():
        if value:
            crossing.notes.drop(name)


def _taken(name: str, value: float, rule: str, sent: Block, *, top_k: bool) -> bool:
    if rule == "none":
        return False
    if name == "top_k":
        return top_k and rule != "temp1"
    if rule == "temp1":
        return name == "temperature" and value == 1
    return not (rule == "temp_xor_top_p" and name == "top_p" and "temperature" in sent)


def _account(crossing: Crossing) -> Block:
    """Who asks, and how fast the answer shall come."""
    prompt = crossing.prompt
    members: Block = {}
    if prompt.user:
        members["metadata"] = {"user_id": _user_id(prompt.user)}
    match prompt.service_tier:
        case "auto":
            members["service_tier"] = "auto"
        case "default":
            members["service_tier"] = "standard_only"
        case "fast" if crossing.capability.service_tier:
            members["speed"] = "fast"
        case "fast":
            crossing.notes.drop("service_tier")
    return members


def _user_id(user: str) -> str:
    if len(user) > _LONGEST_USER or _PERSONAL.fullmatch(user.strip()):
        return hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()
    return user
