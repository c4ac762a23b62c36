"""A neutral prompt as a Gemini request (`GenerateContentParameters`).

`model` and `stream` are the pseudo-members that the provider puts into the URL.
"""

from gateway.dialect import Block, Conversion, Fields
from gateway.dialects.common.cache_marks import CacheMarks
from gateway.dialects.common.instructions import JSON_INSTRUCTION, render_schema_instruction
from gateway.dialects.common.names import assign_tool_names
from gateway.dialects.common.parameters import write_max_tokens, write_stop_sequences
from gateway.dialects.common.token_estimate import estimate_input
from gateway.dialects.gemini.contents_out import write_system, write_turns
from gateway.dialects.gemini.reasoning_out import write_reasoning
from gateway.dialects.gemini.schema_out import narrow_schema
from gateway.dialects.gemini.tools_out import write_tool_choice, write_tools
from gateway.neutral.events import Prompt
from gateway.wire.raw_json import encoded

_SEED_LIMIT = 2**31
_JSON_TYPE = "application/json"


def write_prompt(conversion: Conversion) -> Fields:
    """The upstream's request; sets the conversion's names, local stops and input estimate."""
    prompt = conversion.prompt
    assign_tool_names(conversion)
    hints: list[str] = []  # instructions in place of members that the upstream does not support
    tools = write_tools(conversion)
    config = (
        write_max_tokens(conversion, "maxOutputTokens")
        | _write_sampling(conversion)
        | write_stop_sequences(conversion, "stopSequences")
    )
    config |= _write_format(conversion, hints, has_tools=bool(tools))
    if thinking := write_reasoning(conversion):
        config["thinkingConfig"] = thinking
    request: Block = {"model": conversion.model}
    if system := write_system(conversion, hints):
        request["systemInstruction"] = system
    request["contents"] = write_turns(conversion)
    if tools:
        request["tools"] = tools
    if choice := write_tool_choice(conversion, tools):
        request["toolConfig"] = choice
    if config:
        request["generationConfig"] = config
    request |= _write_service_tier(conversion)
    _report_unsupported(conversion)
    if prompt.stream:
        request["stream"] = True
    fields = encoded(request)
    conversion.input_estimate = estimate_input(fields, "systemInstruction", "contents", "tools")
    return fields


def _report_unsupported(conversion: Conversion) -> None:
    """Notes the members that this API does not have."""
    prompt, notes = conversion.prompt, conversion.notes
    if prompt.verbosity not in (None, "medium"):
        notes.drop("verbosity")
    if prompt.user:
        notes.note("user", "target_takes_no_user")
    if prompt.cache_implicit:
        notes.note("cache_control", "left_to_the_target")
    CacheMarks().note_unplaced(conversion)


def _write_sampling(conversion: Conversion) -> Block:
    prompt, capability, notes = conversion.prompt, conversion.capability, conversion.notes
    rule = capability.sampling
    given = {
        "temperature": (prompt.temperature, "temperature", rule != "none"),
        "top_p": (prompt.top_p, "topP", rule != "none"),
        "top_k": (prompt.top_k, "topK", capability.top_k),
        "frequency_penalty": (prompt.frequency_penalty, "frequencyPenalty", capability.penalties),
        "presence_penalty": (prompt.presence_penalty, "presencePenalty", capability.penalties),
    }
    sent: Block = {}
    for name, (value, member, taken) in given.items():
        if value is None:
            continue
        if taken:
            sent[member] = value
        elif not _is_default(name, value):
            notes.drop(name, "unsupported_by_model")
    return sent | _write_seed(prompt, conversion)


def _is_default(name: str, value: float) -> bool:
    return value == (0 if name.endswith("_penalty") else 1) and name != "top_k"


def _write_seed(prompt: Prompt, conversion: Conversion) -> Block:
    seed = prompt.seed
    if seed is None:
        return {}
    if not -_SEED_LIMIT <= seed < _SEED_LIMIT:
        conversion.notes.note("seed", "reduced_to_31_bits")
        seed %= _SEED_LIMIT
    return {"seed": seed}


def _write_format(conversion: Conversion, hints: list[str], *, has_tools: bool) -> Block:
    wanted, capability, notes = conversion.prompt.format, conversion.capability, conversion.notes
    if wanted is None:
        return {}
    allowed = capability.schema_with_tools or not has_tools
    if wanted.kind == "json_object" or wanted.schema is None:
        if allowed and capability.schema != "none":
            return {"responseMimeType": _JSON_TYPE}
        hints.append(JSON_INSTRUCTION)
        return {}
    if allowed and capability.schema == "native":
        schema = narrow_schema(wanted.schema, "response_format.schema", notes)
        return {"responseMimeType": _JSON_TYPE, "responseJsonSchema": schema}
    notes.note("response_format", "schema_as_instruction")
    hints.append(render_schema_instruction(wanted.schema))
    return {"responseMimeType": _JSON_TYPE} if allowed and capability.schema != "none" else {}


def _write_service_tier(conversion: Conversion) -> Block:
    tier = conversion.prompt.service_tier
    if conversion.capability.service_tier and tier in ("default", "fast"):
        return {"serviceTier": "standard" if tier == "default" else "priority"}
    if tier == "fast":
        conversion.notes.drop("service_tier")
    return {}
