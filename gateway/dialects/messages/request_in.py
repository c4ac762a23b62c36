"""A Messages request as a neutral prompt (`MessageCreateParamsBase` and its beta superset).

Reading happens only on the way to another dialect. So a member that only a Messages upstream can
honour is refused where its loss would change the answer, noted where it would merely be missed,
and ignored where nothing is lost.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from gateway.dialect import Fields
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
from gateway.neutral.notes import Notes
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

_SILENT = frozenset({"model", "diagnostics", "anthropic_version", "anthropic_beta"})
_DROPPED = frozenset({
    "context_management", "fallbacks", "fallback_credit_token", "billing_policy", "user_profile_id",
    "workspace_id",
})  # fmt: skip
_REFUSED = {
    "container": "containers and skills are not available from this provider",
    "mcp_servers": "MCP servers are not available from this provider",
    "inference_geo": "this provider cannot promise where inference runs",
    "compaction": "this provider cannot mint compaction blocks",
}


def check_fields(fields: Fields) -> None:
    """InvalidRequest where a top-level member is missing or mistyped."""
    for name in ("model", "messages", "max_tokens"):
        if name not in fields:
            raise InvalidRequest(f"{name}: Field required", param=name)
    if not member(fields["model"], str, "model"):
        raise InvalidRequest("model: String should have at least 1 character", param="model")
    messages = fields["messages"]
    if not filled_list(messages) and not member(messages, RAWS, "messages"):
        raise InvalidRequest("messages: at least one message is required", param="messages")
    if _integer(fields["max_tokens"], "max_tokens") < 0:
        raise InvalidRequest(
            "max_tokens: Input should be greater than or equal to 0", param="max_tokens"
        )
    for name, raw in fields.items():
        shape = _CHECKED.get(name)
        if shape is not None and not (name in _LISTS and opens(raw) == LIST):
            member(raw, shape, name)


_LISTS = ("system", "tools")
_TEXTS: Shape[list[str]] = Shape(list[str])
_OBJECT: Shape[object] = Shape(dict[str, Raw] | None)
_NUMBER: Shape[object] = Shape(int | float | None)
_CHECKED: dict[str, Shape[Any]] = {
    "stream": Shape(bool | None),
    "system": Shape(str | list[Raw] | None),
    "tools": Shape(list[Raw] | None),
    "tool_choice": _OBJECT,
    "stop_sequences": Shape(list[str] | None),
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "top_k": _NUMBER,
    "metadata": _OBJECT,
    "thinking": _OBJECT,
    "output_config": _OBJECT,
}


def read_prompt(fields: Fields, notes: Notes) -> Prompt:
    """The request in no dialect, once checked; notes what no other dialect can say."""
    prompt = Prompt(model=member(fields["model"], str, "model"), turns=[])
    for name, reader in _READERS.items():  # in this order: messages may change the tools
        if (raw := fields.get(name)) is not None and raw != NULL:
            reader(raw, prompt, notes)
    for name, raw in fields.items():
        if name not in _READERS and name not in _SILENT and bytes(raw) not in (b"null", b"[]"):
            _unread(name, notes)
    return prompt


def _unread(name: str, notes: Notes) -> None:
    if reason := _REFUSED.get(name):
        notes.refuse(name, reason)
    elif name == "thread":
        # the official tool runner sends the whole history again when it meets this code
        raise InvalidRequest(
            "thread: this provider keeps no threads",
            param=name,
            details={"error_code": "thread_unsupported_request"},
        )
    elif name in _DROPPED:
        notes.drop(name)
    else:
        notes.drop(name, "unknown")


def _integer(raw: Raw, path: str) -> int:
    value = member(raw, NUMBER, path)
    if isinstance(value, int):
        return value
    if value != int(value):
        raise InvalidRequest(f"{path}: Input should be a valid integer", param=path)
    return int(value)


def _read_system(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    read_system(raw, prompt)


def _read_tool_choice(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    read_tool_choice(raw, prompt)


def _max_tokens(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    prompt.max_tokens = _integer(raw, "max_tokens")
    if prompt.max_tokens == 0:
        notes.refuse("max_tokens", "0 warms the prompt cache, which this provider cannot do")


def _stop_sequences(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    prompt.stop = member(raw, _TEXTS, "stop_sequences")


def _stream(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    prompt.stream = member(raw, bool, "stream")


def _temperature(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    prompt.temperature = member(raw, float, "temperature")


def _top_p(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    prompt.top_p = member(raw, float, "top_p")


def _top_k(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    prompt.top_k = _integer(raw, "top_k")


def _thinking(raw: Raw, prompt: Prompt, notes: Notes) -> None:
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


def _output_config(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    config = member(raw, OutputConfig, "output_config")
    if config.effort:
        prompt.reasoning = prompt.reasoning or Reasoning()
        prompt.reasoning.effort = config.effort
    if config.format is not None:
        _answer_format(config.format, prompt, "output_config.format")
    if present(config.task_budget):
        notes.drop("output_config.task_budget")


def _output_format(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    _answer_format(member(raw, OutputFormat, "output_format"), prompt, "output_format")


def _answer_format(format: OutputFormat, prompt: Prompt, path: str) -> None:
    if format.type != "json_schema":
        raise InvalidRequest(f"{path}.type: Input should be 'json_schema'", param=f"{path}.type")
    if not present(format.schema):
        raise InvalidRequest(f"{path}.schema: Field required", param=f"{path}.schema")
    prompt.format = Format("json_schema", format.schema)


def _cache_control(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    member(raw, CacheControl, "cache_control")
    prompt.cache_implicit = True


def _service_tier(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    match member(raw, str, "service_tier"):
        case "auto":
            prompt.service_tier = "auto"
        case "standard_only":
            prompt.service_tier = "default"
        case _:
            notes.drop("service_tier")


def _speed(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    if member(raw, str, "speed") == "fast":
        prompt.service_tier = "fast"


def _metadata(raw: Raw, prompt: Prompt, notes: Notes) -> None:
    user = member(raw, Metadata, "metadata").user_id
    if not user:
        return
    prompt.user = user
    if part := _session_part(user):
        prompt.session = hashlib.sha256(part.encode("utf-8", "replace")).hexdigest()[:32]


class _AgentUser(msgspec.Struct):
    session_id: str = ""


def _session_part(user: str) -> str:
    """The part of a coding agent's user id that names its session: JSON, or `..._session_X`."""
    if user.startswith("{"):
        try:
            return msgspec.json.decode(user, type=_AgentUser).session_id
        except (msgspec.MsgspecError, UnicodeEncodeError):
            return ""
    return user.rpartition("_session_")[2] if "_session_" in user else ""


_READERS: dict[str, Callable[[Raw, Prompt, Notes], None]] = {
    "system": _read_system,
    "tools": read_tools,
    "tool_choice": _read_tool_choice,
    "thinking": _thinking,
    "output_config": _output_config,
    "output_format": _output_format,
    "messages": read_turns,
    "max_tokens": _max_tokens,
    "stop_sequences": _stop_sequences,
    "stream": _stream,
    "temperature": _temperature,
    "top_p": _top_p,
    "top_k": _top_k,
    "cache_control": _cache_control,
    "service_tier": _service_tier,
    "speed": _speed,
    "metadata": _metadata,
}
