"""A Chat client's request in neutral form (`CompletionCreateParams`).

Each top-level member has one reader here. What no other dialect can say gets its verdict at once:
silently dropped where it cannot change the answer, noted where it can, refused where it must not.
"""

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
from gateway.dialects.common.members import (
    MemberReader,
    assign,
    assign_integer,
    check_types,
    drop,
    ignore,
    refuse,
    require_integer,
    require_member,
)
from gateway.dialects.common.shapes import Moderation
from gateway.errors import InvalidRequest
from gateway.neutral.events import Format, Prompt, Reasoning
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import RAWS, filled_list, member, present

_MEMBER_TYPES: dict[str, type[object]] = {
    "stream": bool, "tools": list, "functions": list, "max_tokens": float,
    "max_completion_tokens": float, "temperature": float, "top_p": float, "top_k": float,
    "n": float, "seed": float, "frequency_penalty": float, "presence_penalty": float,
    "top_logprobs": float, "reasoning_effort": str, "user": str, "safety_identifier": str,
    "verbosity": str, "service_tier": str,
}  # fmt: skip


def check(fields: Fields) -> None:
    """InvalidRequest where a top-level member is missing or mistyped. Looks no deeper."""
    if not member(require_member(fields, "model"), str, "model"):
        raise InvalidRequest("model: must not be empty", param="model")
    messages = require_member(fields, "messages")
    if not filled_list(messages) and not member(messages, RAWS, "messages"):
        raise InvalidRequest("messages: must not be empty", param="messages")
    check_types(fields, _MEMBER_TYPES)


def read_prompt(fields: Fields, notes: LossReport) -> Prompt:
    """The request, once checked; InvalidRequest names the path of a member that is wrong."""
    system, turns = read_turns(fields["messages"], notes)
    prompt = Prompt(member(fields["model"], str, "model"), turns, system)
    if not fields.keys().isdisjoint(_TOOL_MEMBERS):
        read_tools(fields, prompt, notes)
        read_choice(fields, prompt)
    for name, raw in fields.items():
        if present(raw):
            reader = _MEMBER_READERS.get(name)
            if reader is not None:
                reader(raw, prompt, notes)
            else:
                notes.drop(name, "unknown")
    return prompt


def _read_n(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    if require_integer(member(raw, float, "n"), "n") > 1:
        notes.refuse("n", "this provider gives one answer a call")


def _read_stop(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    one = bytes(raw)[:1] == b'"'
    stops = [member(raw, str, "stop")] if one else member(raw, list[str], "stop")
    prompt.stop = [stop for stop in stops if stop.strip()]
    if len(prompt.stop) < len(stops):
        notes.drop("stop", "blank_entry")


def _read_stream_options(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    prompt.include_usage = bool(member(raw, StreamOptions, "stream_options").include_usage)


def _read_response_format(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
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


def _read_reasoning_effort(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    _ensure_reasoning(prompt).effort = member(raw, str, "reasoning_effort")


def _read_openrouter_reasoning(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
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


def _read_thinking(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
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


def _read_store(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    if member(raw, bool, "store"):
        notes.drop("store")


def _read_metadata(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    if bytes(raw) != b"{}":
        notes.note("metadata", "not_stored")  # the answer is none the poorer: strict allows it


def _read_modalities(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    if "audio" in member(raw, list[str], "modalities"):
        notes.refuse("modalities", "this provider answers in text only")


def _read_service_tier(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    tier = member(raw, str, "service_tier")
    if tier in ("auto", "default", "fast"):
        prompt.service_tier = tier  # type: ignore[assignment]
    else:
        notes.drop("service_tier")


def _read_speed(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    if member(raw, str, "speed") == "fast":
        prompt.service_tier = "fast"


def _read_web_search_options(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    prompt.web_search = read_web_search(member(raw, WebSearchOptions, "web_search_options"))


def _read_prompt_cache_options(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    mode = member(raw, CacheOptions, "prompt_cache_options").mode
    prompt.cache_implicit = prompt.cache_implicit or mode == "implicit"
    prompt.cache_explicit = mode == "explicit"


def _read_cache_control(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    member(raw, CacheControl, "cache_control")
    prompt.cache_implicit = True


def _read_moderation(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    policy = member(raw, Moderation, "moderation").policy
    for way in ("input", "output"):
        found = getattr(policy, way, None)
        if found is not None and found.mode == "block":
            notes.refuse(f"moderation.policy.{way}.mode", "this provider cannot block by policy")
    notes.drop("moderation")


_TOOL_MEMBERS = ("tools", "functions", "tool_choice", "function_call", "parallel_tool_calls")
_THINKING_MODES = ("enabled", "disabled", "adaptive", "between_tools")

_MEMBER_READERS: dict[str, MemberReader] = {
    "audio": refuse("audio", "this provider answers in text only"),
    "cache_control": _read_cache_control,
    "context_management": drop("context_management"),
    "frequency_penalty": assign("frequency_penalty", float),
    "logit_bias": drop("logit_bias"),
    "logprobs": drop("logprobs"),
    "max_completion_tokens": assign_integer("max_completion_tokens", "max_tokens"),
    "max_tokens": assign_integer("max_tokens", overrides=False),
    "metadata": _read_metadata,
    "modalities": _read_modalities,
    "moderation": _read_moderation,
    "n": _read_n,
    "prediction": drop("prediction"),
    "presence_penalty": assign("presence_penalty", float),
    "prompt_cache_key": assign("prompt_cache_key", str, "session"),
    "prompt_cache_options": _read_prompt_cache_options,
    "prompt_cache_retention": ignore,
    "reasoning": _read_openrouter_reasoning,
    "reasoning_effort": _read_reasoning_effort,
    "response_format": _read_response_format,
    "safety_identifier": assign("safety_identifier", str, "user"),
    "seed": assign_integer("seed", least=-(2**63)),
    "service_tier": _read_service_tier,
    "speed": _read_speed,
    "stop": _read_stop,
    "store": _read_store,
    "stream": assign("stream", bool),
    "stream_options": _read_stream_options,
    "temperature": assign("temperature", float),
    "thinking": _read_thinking,
    "top_k": assign_integer("top_k", least=0),
    "top_logprobs": drop("top_logprobs"),
    "top_p": assign("top_p", float),
    "user": assign("user", str, overrides=False),
    "verbosity": assign("verbosity", str),
    "web_search_options": _read_web_search_options,
} | dict.fromkeys(("model", "messages", *_TOOL_MEMBERS), ignore)
"""Readers by member. What is ignored is read elsewhere or cannot change the answer."""
