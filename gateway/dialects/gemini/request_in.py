"""A Gemini client's request in neutral form (`GenerateContentParameters`).

Each member has one reader. Members that other dialects do not have are dropped where they cannot
change the answer, noted where they can, and refused where the answer would be wrong.
"""

from typing import Any

from msgspec import Raw

from gateway.dialect import Fields
from gateway.dialects.common.members import MemberReader, assign, assign_integer, require_integer
from gateway.dialects.gemini.camel_case import rename_members, to_camel_case
from gateway.dialects.gemini.contents_in import read_system, read_turns
from gateway.dialects.gemini.schema_in import read_schema
from gateway.dialects.gemini.tools_in import read_tool_choice, read_tools
from gateway.dialects.gemini.wire_in import ThinkingConfig
from gateway.errors import InvalidRequest
from gateway.neutral.events import Format, Prompt, Reasoning
from gateway.neutral.notes import LossReport
from gateway.wire.raw_json import LIST, NUMBER, RAWS, filled_list, member, opens, present

_MEMBER_TYPES: dict[str, Any] = {
    "stream": bool | None,
    "tools": list[Raw] | None,
    "toolConfig": dict[str, Raw] | None,
    "generationConfig": dict[str, Raw] | None,
}
_EMPTY_VALUES = frozenset({b"[]", b"{}", b'""', b"false", b"0", b"0.0"})
"""Values with which an unsupported member has no effect."""


def check(fields: Fields) -> None:
    """Raises InvalidRequest if a top-level member is missing or of a wrong type."""
    if "model" not in fields or not member(fields["model"], str, "model"):
        raise InvalidRequest("model: the path must name one", param="model")
    contents = fields.get("contents")
    if contents is None:
        raise InvalidRequest("contents: Field required", param="contents")
    if not filled_list(contents) and not member(contents, RAWS, "contents"):
        raise InvalidRequest("contents: at least one content is required", param="contents")
    for given, raw in fields.items():
        shape = _MEMBER_TYPES.get(to_camel_case(given))
        if shape is not None and not (opens(raw) == LIST and to_camel_case(given) == "tools"):
            member(raw, shape, to_camel_case(given))


def read_prompt(fields: Fields, notes: LossReport) -> Prompt:
    """The prompt of a checked request; InvalidRequest names the path of a wrong member."""
    prompt = Prompt(member(fields["model"], str, "model"), [])
    members = {to_camel_case(given): raw for given, raw in fields.items() if present(raw)}
    for name, read in _MEMBER_READERS.items():  # in this order: toolConfig changes the tools
        if name in members:
            read(members[name], prompt, notes)
    for name, raw in members.items():
        if name not in _MEMBER_READERS and name != "model":
            _report_unread_member(raw, name, _REFUSED_MEMBERS, notes)
    return prompt


def _report_unread_member(raw: Raw, path: str, refused: dict[str, str], notes: LossReport) -> None:
    name = path.rpartition(".")[2]
    if bytes(raw) in _EMPTY_VALUES:
        return
    if reason := refused.get(name):
        notes.refuse(path, reason)
    elif name in _DROPPED_MEMBERS:
        notes.drop(path)
    elif name == "labels":
        notes.note(path, "not_stored")  # no effect on the answer, so allowed under strict
    else:
        notes.drop(path, "unknown")


# --- members of the request -----------------------------------------------------------------------


def _read_service_tier(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    tier = member(raw, str, "serviceTier").lower().removeprefix("service_tier_")
    if tier == "standard":
        prompt.service_tier = "default"
    elif tier != "unspecified":
        notes.drop("serviceTier")


def _read_generation_config(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    given = member(raw, dict[str, Raw], "generationConfig")
    members = {to_camel_case(name): value for name, value in given.items() if present(value)}
    for name, value in members.items():
        read = _CONFIG_READERS.get(name)
        if read is not None:
            read(value, prompt, notes)
        elif name not in _FORMAT_MEMBERS:
            _report_unread_member(value, f"generationConfig.{name}", _REFUSED_CONFIG, notes)
    _read_format(members, prompt, notes)


# --- members of its generationConfig --------------------------------------------------------------


def _read_stop_sequences(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    prompt.stop = [
        stop for stop in member(raw, list[str], "generationConfig.stopSequences") if stop
    ]


def _read_candidate_count(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    path = "generationConfig.candidateCount"
    if require_integer(member(raw, NUMBER, path), path, 0) > 1:
        notes.refuse(path, "this provider gives one answer a call")


def _read_modalities(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    path = "generationConfig.responseModalities"
    wanted = {word.upper() for word in member(raw, list[str], path)}
    if wanted - {"TEXT", "MODALITY_UNSPECIFIED"}:
        notes.refuse(path, "this provider answers in text only")


def _read_reasoning(raw: Raw, prompt: Prompt, notes: LossReport) -> None:
    path = "generationConfig.thinkingConfig"
    found = member(rename_members(raw), ThinkingConfig, path)
    reasoning = Reasoning(display="summarized" if found.include_thoughts else "omitted")
    level = (found.thinking_level or "").lower().removeprefix("thinking_level_")
    if level and level != "unspecified":
        reasoning.effort = level
    elif found.thinking_budget is None or found.thinking_budget == -1:
        reasoning.mode = "adaptive"  # the default of these models
    elif found.thinking_budget == 0:
        reasoning.mode = "disabled"
    elif found.thinking_budget < 0 or found.thinking_budget != int(found.thinking_budget):
        where = f"{path}.thinkingBudget"
        raise InvalidRequest(f"{where}: must be a whole number, -1 or more", param=where)
    else:
        reasoning.mode, reasoning.budget = "enabled", int(found.thinking_budget)
    prompt.reasoning = reasoning


def _read_format(members: dict[str, Raw], prompt: Prompt, notes: LossReport) -> None:
    """Reads the answer's format, which up to three members define."""
    path = "generationConfig.responseMimeType"
    kind = member(members["responseMimeType"], str, path) if "responseMimeType" in members else ""
    if "responseJsonSchema" in members:
        where = "generationConfig.responseJsonSchema"
        member(members["responseJsonSchema"], dict[str, Raw], where)
        prompt.format = Format("json_schema", Raw(bytes(members["responseJsonSchema"])))
    elif "responseSchema" in members and kind != "text/x.enum":
        schema = read_schema(members["responseSchema"], "generationConfig.responseSchema")
        prompt.format = Format("json_schema", schema)
    elif kind == "application/json":
        prompt.format = Format("json_object")
    elif kind not in ("", "text/plain"):
        notes.drop(path)


_MEMBER_READERS: dict[str, MemberReader] = {
    "stream": assign("stream", bool),
    "systemInstruction": read_system,
    "contents": read_turns,
    "tools": read_tools,
    "toolConfig": read_tool_choice,
    "generationConfig": _read_generation_config,
    "serviceTier": _read_service_tier,
}
_REFUSED_MEMBERS = {
    "cachedContent": "this provider has no content cached by Google",
    "continuationToken": "this provider cannot go on with an answer of another",
}
_CONFIG_READERS: dict[str, MemberReader] = {
    "maxOutputTokens": assign_integer("generationConfig.maxOutputTokens", "max_tokens"),
    "temperature": assign("generationConfig.temperature", float, "temperature"),
    "topP": assign("generationConfig.topP", float, "top_p"),
    "topK": assign_integer("generationConfig.topK", "top_k", least=0),
    "seed": assign_integer("generationConfig.seed", "seed", least=-(2**63)),
    "presencePenalty": assign("generationConfig.presencePenalty", float, "presence_penalty"),
    "frequencyPenalty": assign("generationConfig.frequencyPenalty", float, "frequency_penalty"),
    "stopSequences": _read_stop_sequences,
    "candidateCount": _read_candidate_count,
    "responseModalities": _read_modalities,
    "thinkingConfig": _read_reasoning,
}
_FORMAT_MEMBERS = frozenset({"responseMimeType", "responseSchema", "responseJsonSchema"})
_REFUSED_CONFIG = {
    "speechConfig": "this provider answers in text only",
    "imageConfig": "this provider answers in text only",
    "translationConfig": "this provider does not translate speech",
}
_DROPPED_MEMBERS = frozenset({
    "safetySettings", "store", "responseLogprobs",
    "logprobs", "mediaResolution", "audioTimestamp", "audioTranscriptionConfig", "responseFormat",
    "enableEnhancedCivicAnswers", "enableAffectiveDialog", "routingConfig", "modelSelectionConfig",
    "modelArmorConfig", "requestMetadata",
})  # fmt: skip
"""Members that other dialects do not have."""
