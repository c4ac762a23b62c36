"""A Chat client's request in neutral form (`CompletionCreateParams`).

Each top-level member has one reader here. What no other dialect can say gets its verdict at once:
silently dropped where it cannot change the answer, noted where it can, refused where it must not.
"""

import math
from collections.abc import Callable

from msgspec import Raw

from gateway.dialect import Fields
from gateway.dialects.chat.tools_in import read_choice, read_tools, web_search
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
from gateway.neutral.notes import Notes
from gateway.wire.raw_json import LIST, RAWS, filled_list, member, opens, present

_TYPES: dict[str, type[object]] = {
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

Take = Callable[[Prompt, Raw, Notes], None]


def check(fields: Fields) -> None:
    """InvalidRequest where a top-level member is missing or mistyped. Looks no deeper."""
    if not member(_needed(fields, "model"), str, "model"):
        raise InvalidRequest("model: must not be empty", param="model")
    messages = _needed(fields, "messages")
    if not filled_list(messages) and not member(messages, RAWS, "messages"):
        raise InvalidRequest("messages: must not be empty", param="messages")
    for name, raw in fields.items():
        type = _TYPES.get(name)  # msgspec's word
        if type is None or (type is list and opens(raw) == LIST):
            continue
        if present(raw):
            member(raw, type, name)


def _needed(fields: Fields, name: str) -> Raw:
    if name not in fields:
        raise InvalidRequest(f"{name}: Field required", param=name)
    return fields[name]


def read_prompt(fields: Fields, notes: Notes) -> Prompt:
    """The request, once checked; InvalidRequest names the path of a member that is wrong."""
    system, turns = read_turns(fields["messages"], notes)
    prompt = Prompt(member(fields["model"], str, "model"), turns, system)
    if not fields.keys().isdisjoint(_OF_TOOLS):
        read_tools(fields, prompt, notes)
        read_choice(fields, prompt)
    for name, raw in fields.items():
        if name in _ELSEWHERE or not present(raw):
            continue
        take = _TAKES.get(name)
        if take is not None:
            take(prompt, raw, notes)
        elif name in _NOTED:
            if bytes(raw) not in (b"0", b"0.0", b"{}", b"[]", b"false"):
                notes.drop(name)
        else:
            notes.drop(name, "unknown")
    return prompt


def integral(value: Number, path: str, least: int = 1) -> int:
    """A count that JSON may write as 100.0; InvalidRequest where it is none."""
    if not math.isfinite(value) or int(value) != value:
        raise InvalidRequest(f"{path}: must be an integer", param=path)
    if value < least:
        raise InvalidRequest(f"{path}: must be at least {least}", param=path)
    return int(value)


def _max_tokens(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    if prompt.max_tokens is None:  # max_completion_tokens wins, wherever it stands
        prompt.max_tokens = integral(member(raw, float, "max_tokens"), "max_tokens")


def _max_completion_tokens(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    path = "max_completion_tokens"
    prompt.max_tokens = integral(member(raw, float, path), path)


def _temperature(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.temperature = float(member(raw, float, "temperature"))


def _top_p(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.top_p = float(member(raw, float, "top_p"))


def _top_k(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.top_k = integral(member(raw, float, "top_k"), "top_k", 0)


def _seed(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.seed = integral(member(raw, Number, "seed"), "seed", -(2**63))


def _frequency_penalty(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.frequency_penalty = float(member(raw, float, "frequency_penalty"))


def _presence_penalty(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.presence_penalty = float(member(raw, float, "presence_penalty"))


def _n(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    if integral(member(raw, float, "n"), "n") > 1:
        notes.refuse("n", "this provider gives one answer a call")


def _stop(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    one = bytes(raw)[:1] == b'"'
    stops = [member(raw, str, "stop")] if one else member(raw, list[str], "stop")
    prompt.stop = [stop for stop in stops if stop.strip()]
    if len(prompt.stop) < len(stops):
        notes.drop("stop", "blank_entry")


def _stream(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.stream = member(raw, bool, "stream")


def _stream_options(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.include_usage = bool(member(raw, StreamOptions, "stream_options").include_usage)


def _response_format(prompt: Prompt, raw: Raw, notes: Notes) -> None:
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


def _reasoning(prompt: Prompt) -> Reasoning:
    if prompt.reasoning is None:
        prompt.reasoning = Reasoning()
    return prompt.reasoning


def _reasoning_effort(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    _reasoning(prompt).effort = member(raw, str, "reasoning_effort")


def _openrouter_reasoning(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    found = member(raw, ReasoningConfig, "reasoning")
    reasoning = _reasoning(prompt)
    reasoning.effort = found.effort or reasoning.effort
    if found.max_tokens is not None:
        reasoning.mode = "enabled"
        reasoning.budget = integral(found.max_tokens, "reasoning.max_tokens")
    elif found.enabled is not None:
        reasoning.mode = "adaptive" if found.enabled else "disabled"
    if found.exclude:
        reasoning.display = "omitted"


def _thinking(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    found = member(raw, ThinkingConfig, "thinking")
    reasoning = _reasoning(prompt)
    if found.type not in _MODES:
        raise InvalidRequest(f"thinking.type: unknown value {found.type!r}", param="thinking.type")
    reasoning.mode = found.type  # type: ignore[assignment]
    reasoning.display = found.display
    if found.budget_tokens is not None:
        reasoning.budget = integral(found.budget_tokens, "thinking.budget_tokens")
    elif reasoning.mode == "enabled":
        reasoning.mode = "adaptive"  # the switch of DeepSeek and GLM, which has no budget


def _verbosity(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.verbosity = member(raw, str, "verbosity")


def _user(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    if prompt.user is None:  # safety_identifier wins, wherever it stands
        prompt.user = member(raw, str, "user")


def _safety_identifier(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.user = member(raw, str, "safety_identifier")


def _store(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    if member(raw, bool, "store"):
        notes.drop("store")


def _metadata(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    if bytes(raw) != b"{}":
        notes.note("metadata", "not_stored")  # the answer is none the poorer: strict allows it


def _modalities(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    if "audio" in member(raw, list[str], "modalities"):
        notes.refuse("modalities", "this provider answers in text only")


def _audio(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    notes.refuse("audio", "this provider answers in text only")


def _service_tier(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    tier = member(raw, str, "service_tier")
    if tier in ("auto", "default", "fast"):
        prompt.service_tier = tier  # type: ignore[assignment]
    else:
        notes.drop("service_tier")


def _speed(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    if member(raw, str, "speed") == "fast":
        prompt.service_tier = "fast"


def _web_search_options(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.web_search = web_search(member(raw, WebSearchOptions, "web_search_options"))


def _prompt_cache_key(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    prompt.session = member(raw, str, "prompt_cache_key")


def _prompt_cache_options(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    mode = member(raw, CacheOptions, "prompt_cache_options").mode
    prompt.cache_implicit = prompt.cache_implicit or mode == "implicit"
    prompt.cache_explicit = mode == "explicit"


def _cache_control(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    member(raw, CacheControl, "cache_control")
    prompt.cache_implicit = True


def _moderation(prompt: Prompt, raw: Raw, notes: Notes) -> None:
    policy = member(raw, Moderation, "moderation").policy
    for way in ("input", "output"):
        found = getattr(policy, way, None)
        if found is not None and found.mode == "block":
            notes.refuse(f"moderation.policy.{way}.mode", "this provider cannot block by policy")
    notes.drop("moderation")


_MODES = ("enabled", "disabled", "adaptive", "between_tools")

_TAKES: dict[str, Take] = {
    "audio": _audio,
    "cache_control": _cache_control,
    "frequency_penalty": _frequency_penalty,
    "max_completion_tokens": _max_completion_tokens,
    "max_tokens": _max_tokens,
    "metadata": _metadata,
    "modalities": _modalities,
    "moderation": _moderation,
    "n": _n,
    "presence_penalty": _presence_penalty,
    "prompt_cache_key": _prompt_cache_key,
    "prompt_cache_options": _prompt_cache_options,
    "reasoning": _openrouter_reasoning,
    "reasoning_effort": _reasoning_effort,
    "response_format": _response_format,
    "safety_identifier": _safety_identifier,
    "seed": _seed,
    "service_tier": _service_tier,
    "speed": _speed,
    "stop": _stop,
    "store": _store,
    "stream": _stream,
    "stream_options": _stream_options,
    "temperature": _temperature,
    "thinking": _thinking,
    "top_k": _top_k,
    "top_p": _top_p,
    "user": _user,
    "verbosity": _verbosity,
    "web_search_options": _web_search_options,
}
_OF_TOOLS = frozenset(
    {"tools", "functions", "tool_choice", "function_call", "parallel_tool_calls"}
)  # fmt: skip
_ELSEWHERE = _OF_TOOLS | {"model", "messages", "prompt_cache_retention"}
"""Members that others read, and one without effect on the answer."""
_NOTED = frozenset(
    {"logit_bias", "prediction", "logprobs", "top_logprobs", "context_management"}
)  # fmt: skip
"""Members that other dialects have no word for; empty ones ask for nothing."""
