"""A neutral prompt as a Gemini request (`GenerateContentParameters`).

`model` and `stream` are the pseudo-members that the provider puts into the URL.
"""

from gateway.dialect import Block, Crossing, Fields
from gateway.dialects.common.cache_marks import Marks
from gateway.dialects.common.names import settle_names
from gateway.dialects.common.parameters import limits
from gateway.dialects.gemini.contents_out import write_contents, write_system
from gateway.dialects.gemini.reasoning_out import write_reasoning
from gateway.dialects.gemini.schema_out import narrowed
from gateway.dialects.gemini.tools_out import write_choice, write_tools
from gateway.neutral.events import Prompt
from gateway.wire.raw_json import encoded

_BYTES_PER_TOKEN = 4
_SEEDS = 2**31
_JSON = "application/json"


def write_prompt(crossing: Crossing) -> Fields:
    """The upstream's request; settles names, local stops and the input estimate."""
    prompt = crossing.prompt
    settle_names(crossing)
    hints: list[str] = []  # instructions that stand in for members the upstream does not take
    tools = write_tools(crossing)
    config = limits(crossing, "maxOutputTokens") | _sampling(crossing) | _stops(crossing)
    config |= _format(crossing, hints, has_tools=bool(tools))
    if thinking := write_reasoning(crossing):
        config["thinkingConfig"] = thinking
    request: Block = {"model": crossing.model}
    if system := write_system(crossing, hints):
        request["systemInstruction"] = system
    request["contents"] = write_contents(crossing)
    if tools:
        request["tools"] = tools
    if choice := write_choice(crossing, tools):
        request["toolConfig"] = choice
    if config:
        request["generationConfig"] = config
    request |= _tier(crossing)
    _tell_unsaid(crossing)
    if prompt.stream:
        request["stream"] = True
    fields = encoded(request)
    read = ("systemInstruction", "contents", "tools")
    size = sum(memoryview(fields[name]).nbytes for name in read if name in fields)
    crossing.input_estimate = -(-size // _BYTES_PER_TOKEN)
    return fields


def _tell_unsaid(crossing: Crossing) -> None:
    """Notes what this API has no word for."""
    prompt, notes = crossing.prompt, crossing.notes
    if prompt.verbosity not in (None, "medium"):
        notes.drop("verbosity")
    if prompt.user:
        notes.note("user", "target_takes_no_user")
    if prompt.cache_implicit:
        notes.note("cache_control", "left_to_the_target")
    Marks().tell(crossing)


def _sampling(crossing: Crossing) -> Block:
    prompt, capability, notes = crossing.prompt, crossing.capability, crossing.notes
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
        elif not _changes_nothing(name, value):
            notes.drop(name, "unsupported_by_model")
    return sent | _seed(prompt, crossing)


def _changes_nothing(name: str, value: float) -> bool:
    return value == (0 if name.endswith("_penalty") else 1) and name != "top_k"


def _seed(prompt: Prompt, crossing: Crossing) -> Block:
    seed = prompt.seed
    if seed is None:
        return {}
    if not -_SEEDS <= seed < _SEEDS:
        crossing.notes.note("seed", "reduced_to_31_bits")
        seed %= _SEEDS
    return {"seed": seed}


def _stops(crossing: Crossing) -> Block:
    stops = [stop for stop in dict.fromkeys(crossing.prompt.stop) if stop]
    most = crossing.capability.stop_max
    crossing.local_stops = tuple(stops[most:])
    return {"stopSequences": stops[:most]} if stops[:most] else {}


def _format(crossing: Crossing, hints: list[str], *, has_tools: bool) -> Block:
    wanted, capability, notes = crossing.prompt.format, crossing.capability, crossing.notes
    if wanted is None:
        return {}
    allowed = capability.schema_with_tools or not has_tools
    if wanted.kind == "json_object" or wanted.schema is None:
        if allowed and capability.schema != "none":
            return {"responseMimeType": _JSON}
        hints.append("Respond with one JSON object and nothing else.")
        return {}
    if allowed and capability.schema == "native":
        schema = narrowed(wanted.schema, notes, "response_format.schema")
        return {"responseMimeType": _JSON, "responseJsonSchema": schema}
    notes.note("response_format", "schema_as_instruction")
    hints.append(
        "Respond with one JSON object and nothing else. It must meet this JSON Schema:\n"
        + bytes(wanted.schema).decode("utf-8", "replace")
    )
    return {"responseMimeType": _JSON} if allowed and capability.schema != "none" else {}


def _tier(crossing: Crossing) -> Block:
    tier = crossing.prompt.service_tier
    if crossing.capability.service_tier and tier in ("default", "fast"):
        return {"serviceTier": "standard" if tier == "default" else "priority"}
    if tier == "fast":
        crossing.notes.drop("service_tier")
    return {}
