"""A Responses client's request in neutral form (`ResponseCreateParams`).

Each top-level member has one reader in a table. A member that no other dialect has is ignored where
it cannot change the answer, dropped with a note where it can, refused where it must not be lost.
"""

from typing import Any

from msgspec import Raw

from gateway.dialect import Fields
from gateway.dialects.common.members import (
    MemberReader,
    assign,
    assign_integer,
    drop,
    ignore,
    refuse,
)
from gateway.dialects.common.shapes import Moderation
from gateway.dialects.responses.calls_in import ToolCallReader
from gateway.dialects.responses.client_tools import ClientToolNames
from gateway.dialects.responses.items_in import TurnsReader
from gateway.dialects.responses.tools_in import ToolsReader, read_tool_choice
from gateway.dialects.responses.wire import CacheOptions, ReasoningConfig, TextConfig, TextFormat
from gateway.errors import InvalidRequest
from gateway.neutral.events import Format, Prompt, Reasoning, Text
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import ABSENT, LIST, TEXT, member, opens, present

_MEMBER_TYPES: dict[str, type[object]] = {
    "instructions": str,
    "stream": bool,
    "store": bool,
    "background": bool,
    "parallel_tool_calls": bool,
    "tools": list,
    "include": list[str],
    "max_output_tokens": float,
    "max_tool_calls": float,
    "temperature": float,
    "top_p": float,
    "top_logprobs": float,
    "metadata": dict[str, Raw],
    "reasoning": dict[str, Raw],
    "text": dict[str, Raw],
    "previous_response_id": str,
    "prompt_cache_key": str,
    "safety_identifier": str,
    "service_tier": str,
    "truncation": str,
    "user": str,
}
_INPUT_ALTERNATIVES = ("previous_response_id", "prompt", "conversation")
"""Members that make up for an input that is not there."""
ECHOED_MEMBERS = (
    "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
    "prompt_cache_key", "reasoning", "safety_identifier", "service_tier", "temperature", "text",
    "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
)  # fmt: skip
"""Members that the answer repeats."""


def check_fields(fields: Fields) -> None:
    """InvalidRequest where a top-level member is missing or mistyped. Looks no deeper."""
    if "model" not in fields:
        raise InvalidRequest("model: Field required", param="model")
    if not member(fields["model"], str, "model"):
        raise InvalidRequest("model: must not be empty", param="model")
    given = fields.get("input")
    if given is None or not present(given):
        if not any(name in fields and present(fields[name]) for name in _INPUT_ALTERNATIVES):
            raise InvalidRequest("input: Field required", param="input")
    elif opens(given) not in (LIST, TEXT):
        member(given, str | list[Raw], "input")
    for name, type in _MEMBER_TYPES.items():
        raw = fields.get(name)
        if raw is None or not present(raw) or (type is list and opens(raw) == LIST):
            continue
        member(raw, type, name)


def read_prompt(fields: Fields, notes: LossReport) -> Prompt:
    """The request, once checked; InvalidRequest names what is wrong. UnicodeDecodeError."""
    prompt = Prompt(member(fields["model"], str, "model"), [])
    prompt.echo = {name: fields[name] for name in ECHOED_MEMBERS if name in fields}
    for raw in prompt.echo.values():
        str(memoryview(raw), "utf-8")  # the answer has these bytes, read here or not
    forms = ClientToolNames()
    tools = ToolsReader(prompt, forms, notes)
    tools.read_tools(_read_member(fields, "tools", list[Raw]) or [], "tools")
    if text := _read_member(fields, "instructions", str):
        prompt.system.append(Text(text))
    reading = TurnsReader(tools, ToolCallReader(forms, notes), notes)
    _read_input(fields, reading)
    prompt.system += reading.system
    prompt.turns = reading.turns
    if not prompt.turns and not prompt.system:
        raise InvalidRequest("input: must not be empty", param="input")
    for name, raw in fields.items():
        if present(raw) and (reader := _MEMBER_READERS.get(name)) is not None:
            reader(raw, prompt, notes)
        elif present(raw):
            notes.drop(name, "unknown")
    for update in reading.updates:
        if present(update.reasoning):
            _read_reasoning(update.reasoning, prompt, notes)
        if present(update.text):
            _read_text_config(update.text, prompt, notes)
    if present(choice := fields.get("tool_choice", ABSENT)):
        read_tool_choice(choice, prompt, forms, notes)
    return prompt


def _read_member(fields: Fields, name: str, type: Any) -> Any:
    """The member's value, or None where it is absent or null."""
    raw = fields.get(name, ABSENT)
    return member(raw, type, name) if present(raw) else None


def _read_input(fields: Fields, reading: TurnsReader) -> None:
    raw = fields.get("input", ABSENT)
    if present(raw) and opens(raw) == TEXT:
        if text := member(raw, str, "input"):
            reading.add_user_text(text)
    elif present(raw):
        reading.read_turns(member(raw, list[Raw], "input"), "input")


def _read_reasoning(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    found = member(raw, ReasoningConfig, "reasoning")
    reasoning = prompt.reasoning or Reasoning()
    reasoning.effort = found.effort or reasoning.effort
    if found.mode == "pro":
        reasoning.effort = "max"
        notes.note("reasoning.mode", "approximated_by_effort")
    if found.summary or found.generate_summary:
        reasoning.display = "summarized"
    if found.context == "current_turn":  # what every turn thought goes to providers that take it
        notes.drop("reasoning.context")
    if reasoning.effort or reasoning.display:
        prompt.reasoning = reasoning


def _read_text_config(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    found = member(raw, TextConfig, "text")
    prompt.verbosity = found.verbosity or prompt.verbosity
    if found.format is not None:
        prompt.format = _read_format(found.format)


def _read_format(found: TextFormat) -> Format | None:
    if found.type == "text":
        return None
    if found.type == "json_object":
        return Format("json_object")
    if found.type != "json_schema":
        path = "text.format.type"
        raise InvalidRequest(f"{path}: unknown value {found.type!r}", param=path)
    if not present(found.schema):
        path = "text.format.schema"
        raise InvalidRequest(f"{path}: Field required", param=path)
    member(found.schema, dict[str, Raw], "text.format.schema")
    schema = Raw(bytes(found.schema))
    return Format("json_schema", schema, found.name, found.description, found.strict)


def _read_include(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    for name in member(raw, list[str], "include"):
        if name != "reasoning.encrypted_content":  # which every answer has
            notes.note("include", f"{name}_unavailable")


def _reject_previous(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    # The history middleware has put stored responses into the input by now.
    raise make_previous_not_found(member(raw, str, "previous_response_id"))


def make_previous_not_found(id: str) -> InvalidRequest:
    """The error of OpenAI for a response that it does not have."""
    return InvalidRequest(
        f"Previous response with id '{id}' not found.",
        code="previous_response_not_found",
        param="previous_response_id",
    )


def _read_background(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    if member(raw, bool, "background"):
        notes.refuse("background", "this provider answers while the client waits")


def _read_truncation(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    if member(raw, str, "truncation") != "disabled":
        notes.drop("truncation")


def _read_service_tier(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    tier = member(raw, str, "service_tier")
    if tier in ("auto", "default", "fast"):
        prompt.service_tier = tier  # type: ignore[assignment]
    else:
        notes.drop("service_tier")


def _read_prompt_cache_options(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    found = member(raw, CacheOptions, "prompt_cache_options")
    prompt.cache_implicit = found.mode == "implicit"
    prompt.cache_explicit = found.mode == "explicit"
    if found.prewarm:
        notes.refuse("prompt_cache_options.prewarm", "this provider cannot warm its cache")


def _read_moderation(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    policy = member(raw, Moderation, "moderation").policy
    for way in ("input", "output"):
        found = getattr(policy, way, None)
        if found is not None and found.mode == "block":
            notes.refuse(f"moderation.policy.{way}.mode", "this provider cannot block by policy")
    notes.drop("moderation")


_MEMBER_READERS: dict[str, MemberReader] = {
    "background": _read_background,
    "conversation": refuse("conversation", "this gateway keeps no conversations"),
    "include": _read_include,
    "max_output_tokens": assign_integer("max_output_tokens", "max_tokens"),
    "moderation": _read_moderation,
    "parallel_tool_calls": assign("parallel_tool_calls", bool, "parallel_tools"),
    "previous_response_id": _reject_previous,
    "prompt": refuse("prompt", "only OpenAI knows the prompts that are kept there"),
    "prompt_cache_key": assign("prompt_cache_key", str, "session"),
    "prompt_cache_options": _read_prompt_cache_options,
    "reasoning": _read_reasoning,
    "safety_identifier": assign("safety_identifier", str, "user"),
    "service_tier": _read_service_tier,
    "stream": assign("stream", bool),
    "temperature": assign("temperature", float),
    "text": _read_text_config,
    "top_p": assign("top_p", float),
    "truncation": _read_truncation,
    "user": assign("user", str, overrides=False),
}
_MEMBER_READERS |= dict.fromkeys(
    ("model", "input", "instructions", "tools", "tool_choice"), ignore
)  # read before the others, or after them
_MEMBER_READERS |= dict.fromkeys(
    ("background_options", "client_metadata", "metadata", "prompt_cache_retention", "store",
     "stream_options"), ignore,
)  # fmt: skip
_MEMBER_READERS |= {
    name: drop(name)
    for name in (
        "access_programs", "context_management", "image", "max_tool_calls", "top_logprobs",
    )
}  # fmt: skip
