"""A Messages request as a neutral prompt (`MessageCreateParamsBase` and its beta superset).

A request is read only for an upstream of another dialect. A member that only a Messages upstream
supports is refused if its loss would change the answer, noted if it would not, and ignored if
nothing is lost.
"""

import hashlib
from typing import Any

import msgspec
from msgspec import Raw

from gateway.dialect import Fields
from gateway.dialects.common.members import MemberReader, assign, drop, ignore, refuse
from gateway.dialects.messages.tools_in import read_tool_choice, read_tools
from gateway.dialects.messages.turns_in import read_system, read_turns
from gateway.dialects.messages.wire import (
    CacheControl,
    Metadata,
    OutputConfig,
    OutputFormat,
    ThinkingConfig,
)
from gateway.errors import InvalidRequest
from gateway.neutral.events import Format, Prompt, Reasoning
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import (
    LIST,
    NULL,
    NUMBER,
    RAWS,
    Shape,
    filled_list,
    member,
    opens,
    present,
)


def check_fields(fields: Fields) -> None:
    """Raises InvalidRequest where a top-level member is missing or of a wrong type."""
    for name in ("model", "messages", "max_tokens"):
        if name not in fields:
            raise InvalidRequest(f"{name}: Field required", param=name)
    if not member(fields["model"], str, "model"):
        raise InvalidRequest("model: String should have at least 1 character", param="model")
    messages = fields["messages"]
    if not filled_list(messages) and not member(messages, RAWS, "messages"):
        raise InvalidRequest("messages: at least one message is required", param="messages")
    if _read_integer(fields["max_tokens"], "max_tokens") < 0:
        raise InvalidRequest(
            "max_tokens: Input should be greater than or equal to 0", param="max_tokens"
        )
    for name, raw in fields.items():
        shape = _MEMBER_TYPES.get(name)
        if shape is not None and not (name in _LIST_MEMBERS and opens(raw) == LIST):
            member(raw, shape, name)


_LIST_MEMBERS = ("system", "tools")
_STRING_LIST: Shape[list[str]] = Shape(list[str])
_OBJECT_SHAPE: Shape[object] = Shape(dict[str, Raw] | None)
_NUMBER_SHAPE: Shape[object] = Shape(int | float | None)
_MEMBER_TYPES: dict[str, Shape[Any]] = {
    "stream": Shape(bool | None),
    "system": Shape(str | list[Raw] | None),
    "tools": Shape(list[Raw] | None),
    "tool_choice": _OBJECT_SHAPE,
    "stop_sequences": Shape(list[str] | None),
    "temperature": _NUMBER_SHAPE,
    "top_p": _NUMBER_SHAPE,
    "top_k": _NUMBER_SHAPE,
    "metadata": _OBJECT_SHAPE,
    "thinking": _OBJECT_SHAPE,
    "output_config": _OBJECT_SHAPE,
}


def read_prompt(fields: Fields, notes: LossReport) -> Prompt:
    """The neutral prompt of a checked request; notes what no other dialect supports."""
    prompt = Prompt(model=member(fields["model"], str, "model"), turns=[])
    for name, reader in _MEMBER_READERS.items():  # in this order: messages may change the tools
        if (raw := fields.get(name)) is not None and raw != NULL:
            reader(raw, prompt, notes)
    for name, raw in fields.items():
        if name in _MEMBER_READERS or raw in _EMPTY:
            continue
        if (reading := _LOST_MEMBERS.get(name)) is not None:
            reading(raw, prompt, notes)
        else:
            notes.drop(name, "unknown")
    return prompt


def _read_integer(raw: Raw, path: str) -> int:
    value = member(raw, NUMBER, path)
    if isinstance(value, int):
        return value
    if value != int(value):
        raise InvalidRequest(f"{path}: Input should be a valid integer", param=path)
    return int(value)


def _read_max_tokens(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    prompt.max_tokens = _read_integer(raw, "max_tokens")
    if prompt.max_tokens == 0:
        notes.refuse("max_tokens", "0 warms the prompt cache, which this provider cannot do")


def _read_top_k(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    prompt.top_k = _read_integer(raw, "top_k")


def _read_reasoning(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    config = member(raw, ThinkingConfig, "thinking")
    match config.type:
        case "enabled" | "disabled" | "adaptive" | "between_tools":
            budget = config.budget_tokens
            prompt.reasoning = Reasoning(
                config.type, None if budget is None else int(budget), None, config.display
            )
        case other:
            where = "thinking.type"
            raise InvalidRequest(f"{where}: Input tag '{other}' is not known", param=where)
    if config.type == "enabled" and config.budget_tokens is None:
        where = "thinking.budget_tokens"
        raise InvalidRequest(f"{where}: Field required", param=where)


def _read_output_config(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    config = member(raw, OutputConfig, "output_config")
    if config.effort:
        prompt.reasoning = prompt.reasoning or Reasoning()
        prompt.reasoning.effort = config.effort
    if config.format is not None:
        _read_format(config.format, prompt, "output_config.format")
    if present(config.task_budget):
        notes.drop("output_config.task_budget")


def _read_output_format(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    _read_format(member(raw, OutputFormat, "output_format"), prompt, "output_format")


def _read_format(format: OutputFormat, prompt: Prompt, path: str) -> None:
    if format.type != "json_schema":
        raise InvalidRequest(f"{path}.type: Input should be 'json_schema'", param=f"{path}.type")
    if not present(format.schema):
        raise InvalidRequest(f"{path}.schema: Field required", param=f"{path}.schema")
    prompt.format = Format("json_schema", format.schema)


def _read_cache_control(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    member(raw, CacheControl, "cache_control")
    prompt.cache_implicit = True


def _read_service_tier(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    match member(raw, str, "service_tier"):
        case "auto":
            prompt.service_tier = "auto"
        case "standard_only":
            prompt.service_tier = "default"
        case _:
            notes.drop("service_tier")


def _read_speed(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    if member(raw, str, "speed") == "fast":
        prompt.service_tier = "fast"


def _read_metadata(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    user = member(raw, Metadata, "metadata").user_id
    if not user:
        return
    prompt.user = user
    if part := _parse_session_id(user):
        prompt.session = hashlib.sha256(part.encode("utf-8", "replace")).hexdigest()[:32]


class _AgentUser(msgspec.Struct):
    session_id: str = ""


def _parse_session_id(user: str) -> str:
    """The part of a coding agent's user id that names its session: JSON, or `..._session_X`."""
    if user.startswith("{"):
        try:
            return msgspec.json.decode(user, type=_AgentUser).session_id
        except (msgspec.MsgspecError, UnicodeEncodeError):
            return ""
    return user.rpartition("_session_")[2] if "_session_" in user else ""


def _refuse_thread(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    # the official tool runner sends the whole history again when it meets this code
    raise InvalidRequest(
        "thread: this provider keeps no threads",
        param="thread",
        details={"error_code": "thread_unsupported_request"},
    )


_EMPTY = (NULL, Raw(b"[]"))
_MEMBER_READERS: dict[str, MemberReader] = {
    "system": read_system,
    "tools": read_tools,
    "tool_choice": read_tool_choice,
    "thinking": _read_reasoning,
    "output_config": _read_output_config,
    "output_format": _read_output_format,
    "messages": read_turns,
    "max_tokens": _read_max_tokens,
    "stop_sequences": assign("stop_sequences", _STRING_LIST, "stop"),
    "stream": assign("stream", bool),
    "temperature": assign("temperature", float),
    "top_p": assign("top_p", float),
    "top_k": _read_top_k,
    "cache_control": _read_cache_control,
    "service_tier": _read_service_tier,
    "speed": _read_speed,
    "metadata": _read_metadata,
}
_LOST_MEMBERS: dict[str, MemberReader] = {
    **dict.fromkeys(("model", "diagnostics", "anthropic_version", "anthropic_beta"), ignore),
    **{
        name: drop(name)
        for name in (
            "context_management", "fallbacks", "fallback_credit_token", "billing_policy",
            "user_profile_id", "workspace_id",
        )
    },
    "container": refuse("container", "containers and skills are not available from this provider"),
    "mcp_servers": refuse("mcp_servers", "MCP servers are not available from this provider"),
    "inference_geo": refuse("inference_geo", "this provider cannot promise where inference runs"),
    "compaction": refuse("compaction", "this provider cannot mint compaction blocks"),
    "thread": _refuse_thread,
}  # fmt: skip
"""Members without a neutral form: ignored where nothing is lost, else noted or refused."""
