"""A Chat client's request in neutral form (`CompletionCreateParams`).

Each top-level member has one reader here. What no other dialect can say gets its verdict at once:
silently dropped where it cannot change the answer, noted where it can, refused where it must not.
"""

import math
from collections.abc import Callable

from msgspec import Raw

from gateway.dialect import Fields
from gateway.dialects.chat.tools_in import read_choice, read_tools, read_web_search
from gateway.dialects.chat.turns_in import read_turns
from gateway.dialects.chat.wire import (
    CacheControl,
    CacheOptions,
    ReasoningConfig,
    ResponseFormat,
    StreamOptions,
    ThinkingConfig,
    WebSearchOptions,
)
from gateway.dialects.common.shapes import Moderation, Number
from gateway.errors import InvalidRequest
from gateway.neutral.events import Format, Prompt, Reasoning
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import LIST, RAWS, filled_list, member, opens, present

_MEMBER_TYPES: dict[str, type[object]] = {
    "stream": bool,
    "tools": list,
    "functions": list,
    "max_tokens": float,
    "max_completion_tokens": float,
    "temperature": float,
    "top_p": float,
    "top_k": float,
    "n": float,
    "seed": float,
    "frequency_penalty": float,
    "presence_penalty": float,
    "top_logprobs": float,
    "reasoning_effort": str,
    "user": str,
    "safety_identifier": str,
    "verbosity": str,
    "service_tier": str,
}

MemberReader = Callable[[Prompt, Raw, LossReport], None]


def check(fields: Fields) -> None:
    """InvalidRequest where a top-level member is missing or mistyped. Looks no deeper."""
    if not member(_require_member(fields, "model"), str, "model"):
        raise InvalidRequest("model: must not be empty", param="model")
    messages = _require_member(fields, "messages")
    if not filled_list(messages) and not member(messages, RAWS, "messages"):
        raise InvalidRequest("messages: must not be empty", param="messages")
    for name, raw in fields.items():
        type = _MEMBER_TYPES.get(name)  # msgspec's word
        if type is None or (type is list and opens(raw) == LIST):
            continue
        if present(raw):
            member(raw, type, name)


def _require_member(fields: Fields, name: str) -> Raw:
    if name not in fields:
        raise InvalidRequest(f"{name}: Field required", param=name)
    return fields[name]


def read_prompt(fields: Fields, notes: LossReport) -> Prompt:
    """The request, once checked; InvalidRequest names the path of a member that is wrong."""
    system, turns = read_turns(fields["messages"], notes)
    prompt = Prompt(member(fields["model"], str, "model"), turns, system)
    if not fields.keys().isdisjoint(_TOOL_MEMBERS):
        read_tools(fields, prompt, notes)
        read_choice(fields, prompt)
    for name, raw in fields.items():
        if name in _READ_ELSEWHERE or not present(raw):
            continue
        take = _MEMBER_READERS.get(name)
        if take is not None:
            take(prompt, raw, notes)
        elif name in _UNSUPPORTED_MEMBERS:
            if bytes(raw) not in (b"0", b"0.0", b"{}", b"[]", b"false"):
                notes.drop(name)
        else:
            notes.drop(name, "unknown")
    return prompt


def require_integer(value: Number, path: str, least: int = 1) -> int:
    """A count that JSON may write as 100.0; InvalidRequest where it is none."""
    if not math.isfinite(value) or int(value) != value:
        raise InvalidRequest(f"{path}: must be an integer", param=path)
    if value < least:
        raise InvalidRequest(f"{path}: must be at least {least}", param=path)
    return int(value)


def _read_max_tokens(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    if prompt.max_tokens is None:  # max_completion_tokens wins, wherever it stands
        prompt.max_tokens = require_integer(member(raw, float, "max_tokens"), "max_tokens")


def _read_max_completion_tokens(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    path = "max_completion_tokens"
    prompt.max_tokens = require_integer(member(raw, float, path), path)


def _read_temperature(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.temperature = float(member(raw, float, "temperature"))


def _read_top_p(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.top_p = float(member(raw, float, "top_p"))


def _read_top_k(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.top_k = require_integer(member(raw, float, "top_k"), "top_k", 0)


def _read_seed(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.seed = require_integer(member(raw, Number, "seed"), "seed", -(2**63))


def _read_frequency_penalty(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.frequency_penalty = float(member(raw, float, "frequency_penalty"))


def _read_presence_penalty(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.presence_penalty = float(member(raw, float, "presence_penalty"))


def _read_n(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    if require_integer(member(raw, float, "n"), "n") > 1:
        notes.refuse("n", "this provider gives one answer a call")


def _read_stop(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    one = bytes(raw)[:1] == b'"'
    stops = [member(raw, str, "stop")] if one else member(raw, list[str], "stop")
    prompt.stop = [stop for stop in stops if stop.strip()]
    if len(prompt.stop) < len(stops):
        notes.drop("stop", "blank_entry")


def _read_stream(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.stream = member(raw, bool, "stream")


def _read_stream_options(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.include_usage = bool(member(raw, StreamOptions, "stream_options").include_usage)


def _read_response_format(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    found = member(raw, ResponseFormat, "response_format")
    if found.type == "json_object":
        prompt.format = Format("json_object")
    elif found.type == "json_schema":
        shape = found.json_schema
        if shape is None or not present(shape.schema):
            path = "response_format.json_schema" + ("" if shape is None else ".schema")
            raise InvalidRequest(f"{path}: Field required", param=path)
        member(shape.schema, dict[str, Raw], "response_format.json_schema.schema")
        prompt.format = Format(
            "json_schema", Raw(bytes(shape.schema)), shape.name, shape.description, shape.strict
        )
    elif found.type != "text":
        path = "response_format.type"
        raise InvalidRequest(f"{path}: unknown value {found.type!r}", param=path)


def _ensure_reasoning(prompt: Prompt) -> Reasoning:
    if prompt.reasoning is None:
        prompt.reasoning = Reasoning()
    return prompt.reasoning


def _read_reasoning_effort(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    _ensure_reasoning(prompt).effort = member(raw, str, "reasoning_effort")


def _read_openrouter_reasoning(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    found = member(raw, ReasoningConfig, "reasoning")
    reasoning = _ensure_reasoning(prompt)
    reasoning.effort = found.effort or reasoning.effort
    if found.max_tokens is not None:
        reasoning.mode = "enabled"
        reasoning.budget = require_integer(found.max_tokens, "reasoning.max_tokens")
    elif found.enabled is not None:
        reasoning.mode = "adaptive" if found.enabled else "disabled"
    if found.exclude:
        reasoning.display = "omitted"


def _read_thinking(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    found = member(raw, ThinkingConfig, "thinking")
    reasoning = _ensure_reasoning(prompt)
    if found.type not in _THINKING_MODES:
        raise InvalidRequest(f"thinking.type: unknown value {found.type!r}", param="thinking.type")
    reasoning.mode = found.type  # type: ignore[assignment]
    reasoning.display = found.display
    if found.budget_tokens is not None:
        reasoning.budget = require_integer(found.budget_tokens, "thinking.budget_tokens")
    elif reasoning.mode == "enabled":
        reasoning.mode = "adaptive"  # the switch of DeepSeek and GLM, which has no budget


def _read_verbosity(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.verbosity = member(raw, str, "verbosity")


def _read_user(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    if prompt.user is None:  # safety_identifier wins, wherever it stands
        prompt.user = member(raw, str, "user")


def _read_safety_identifier(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.user = member(raw, str, "safety_identifier")


def _read_store(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    if member(raw, bool, "store"):
        notes.drop("store")


def _read_metadata(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    if bytes(raw) != b"{}":
        notes.note("metadata", "not_stored")  # the answer is none the poorer: strict allows it


def _read_modalities(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    if "audio" in member(raw, list[str], "modalities"):
        notes.refuse("modalities", "this provider answers in text only")


def _read_audio(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    notes.refuse("audio", "this provider answers in text only")


def _read_service_tier(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    tier = member(raw, str, "service_tier")
    if tier in ("auto", "default", "fast"):
        prompt.service_tier = tier  # type: ignore[assignment]
    else:
        notes.drop("service_tier")


def _read_speed(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    if member(raw, str, "speed") == "fast":
        prompt.service_tier = "fast"


def _read_web_search_options(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.web_search = read_web_search(member(raw, WebSearchOptions, "web_search_options"))


def _read_prompt_cache_key(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    prompt.session = member(raw, str, "prompt_cache_key")


def _read_prompt_cache_options(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    mode = member(raw, CacheOptions, "prompt_cache_options").mode
    prompt.cache_implicit = prompt.cache_implicit or mode == "implicit"
    prompt.cache_explicit = mode == "explicit"


def _read_cache_control(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    member(raw, CacheControl, "cache_control")
    prompt.cache_implicit = True


def _read_moderation(prompt: Prompt, raw: Raw, notes: LossReport) -> None:
    policy = member(raw, Moderation, "moderation").policy
    for way in ("input", "output"):
        found = getattr(policy, way, None)
        if found is not None and found.mode == "block":
            notes.refuse(f"moderation.policy.{way}.mode", "this provider cannot block by policy")
    notes.drop("moderation")


_THINKING_MODES = ("enabled", "disabled", "adaptive", "between_tools")

_MEMBER_READERS: dict[str, MemberReader] = {
    "audio": _read_audio,
    "cache_control": _read_cache_control,
    "frequency_penalty": _read_frequency_penalty,
    "max_completion_tokens": _read_max_completion_tokens,
    "max_tokens": _read_max_tokens,
    "metadata": _read_metadata,
    "modalities": _read_modalities,
    "moderation": _read_moderation,
    "n": _read_n,
    "presence_penalty": _read_presence_penalty,
    "prompt_cache_key": _read_prompt_cache_key,
    "prompt_cache_options": _read_prompt_cache_options,
    "reasoning": _read_openrouter_reasoning,
    "reasoning_effort": _read_reasoning_effort,
    "response_format": _read_response_format,
    "safety_identifier": _read_safety_identifier,
    "seed": _read_seed,
    "service_tier": _read_service_tier,
    "speed": _read_speed,
    "stop": _read_stop,
    "store": _read_store,
    "stream": _read_stream,
    "stream_options": _read_stream_options,
    "temperature": _read_temperature,
    "thinking": _read_thinking,
    "top_k": _read_top_k,
    "top_p": _read_top_p,
    "user": _read_user,
    "verbosity": _read_verbosity,
    "web_search_options": _read_web_search_options,
}
_TOOL_MEMBERS = frozenset(
    {"tools", "functions", "tool_choice", "function_call", "parallel_tool_calls"}
)  # fmt: skip
_READ_ELSEWHERE = _TOOL_MEMBERS | {"model", "messages", "prompt_cache_retention"}
"""Members that others read, and one without effect on the answer."""
_UNSUPPORTED_MEMBERS = frozenset(
    {"logit_bias", "prediction", "logprobs", "top_logprobs", "context_management"}
)  # fmt: skip
"""Members that other dialects have no word for; empty ones ask for nothing."""
