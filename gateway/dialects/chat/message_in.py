"""A whole Chat answer of an upstream (`ChatCompletion`)."""

import msgspec
from msgspec import Raw

from gateway.dialect import Conversion
from gateway.dialects.chat.answer import (
    ERROR_FINISH_REASONS,
    TRUNCATED_FINISH_REASONS,
    AnswerOutcome,
    Choice,
    Chunk,
    Delta,
    ToolFragment,
    read_native_stop,
    read_stop,
)
from gateway.dialects.chat.errors import make_finish_error
from gateway.dialects.chat.parts import read_citation, read_content_pieces
from gateway.dialects.chat.reasoning import read_reasoning
from gateway.dialects.chat.scan import ContentPiece, ThinkTagSplitter
from gateway.dialects.chat.wire import NAME
from gateway.dialects.common.arguments import (
    make_call_id,
    normalize_arguments,
    read_custom_input,
    wrapped_tool_names,
)
from gateway.dialects.common.extra_content import read_signature
from gateway.dialects.common.faults import find_error
from gateway.dialects.common.parameters import SERVICE_TIERS
from gateway.dialects.common.signatures import CALL_SIGNATURE
from gateway.dialects.common.stops import cut_at_stop
from gateway.dialects.common.usage import read_usage
from gateway.errors import BadAnswer
from gateway.neutral.events import (
    Ending,
    Message,
    Part,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from gateway.wire.raw_json import ABSENT, decode, present


def read_message(body: bytes, conversion: Conversion) -> Message:
    """The answer in an upstream's body; Refused for an error, BadAnswer for anything else."""
    try:
        chunk = decode(body.strip(), Chunk)
        if (chunk.error is not ABSENT and present(chunk.error)) or not chunk.choices:
            raise find_error(body.strip()) or BadAnswer("upstream returned no choices")
        return _read_chunk(chunk, chunk.choices, conversion)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise find_error(body.strip()) or BadAnswer(
            f"upstream sent an answer that cannot be read: {fault}"
        ) from None


def _read_chunk(chunk: Chunk, choices: list[Choice], conversion: Conversion) -> Message:
    choice = choices[0]
    if len(choices) > 1:
        choice = next((one for one in choices if not one.index), choice)
        conversion.notes.note("choices", "only_the_first_told")
    failed = choice.error is not ABSENT and present(choice.error)
    if failed or choice.finish_reason in ERROR_FINISH_REASONS:
        raise make_finish_error(choice.finish_reason or "error", choice.error)
    said = choice.message or choice.delta or Delta()
    parts, matched = _read_parts(said, conversion), None
    if conversion.local_stops:
        parts, matched = cut_at_stop(parts, conversion.local_stops)
    if matched is None:
        parts += _read_calls(said, choice.finish_reason, conversion)
    own = choice.stop_reason
    if matched is None and isinstance(own, str) and own in conversion.prompt.stop:
        matched = own
    outcome = AnswerOutcome(
        bool([1 for part in parts if isinstance(part, ToolCall)]), bool(said.refusal), matched
    )
    stop = read_stop(choice.finish_reason, outcome, conversion.notes)
    if conversion.local_stops and matched in conversion.local_stops:
        stop = "stop_sequence"
    counts = chunk.usage or choice.usage or (chunk.x_groq.usage if chunk.x_groq else None)
    ending = Ending(
        stop,
        matched if stop == "stop_sequence" else None,
        usage=read_usage(counts) if counts is not None else None,
        service_tier=SERVICE_TIERS.get(chunk.service_tier or ""),
        native=read_native_stop(choice.finish_reason),
    )
    return Message(str(chunk.id or ""), chunk.model or "", parts, ending)


def _read_parts(said: Delta, conversion: Conversion) -> list[Part]:
    """The reasoning, the text and the refusal of an answer."""
    thought = (
        said.reasoning_content or said.reasoning or said.reasoning_details or said.thinking_blocks
    )
    parts = read_reasoning(said) if thought else []
    for kind, text in _split_content(said, conversion):
        if kind == "thinking":
            parts.append(Thinking(text, origin=NAME))
        elif text:
            parts.append(Text(text))
    if said.audio is not None and said.audio.transcript:
        conversion.notes.note("audio", "transcript_only")
        parts.append(Text(said.audio.transcript))
    if said.annotations:
        _add_citations(parts, said.annotations, conversion)
    if said.refusal:
        parts.append(Refusal(said.refusal))
    return parts


def _split_content(said: Delta, conversion: Conversion) -> list[ContentPiece]:
    if isinstance(said.content, list):
        return read_content_pieces(said.content)
    if not said.content:
        return []
    if conversion.capability.think_tags:
        tags = ThinkTagSplitter()
        return [*tags.feed(said.content), *tags.finish()]
    return [("text", said.content)]


def _add_citations(parts: list[Part], annotations: list[Raw], conversion: Conversion) -> None:
    text = next((part for part in parts if isinstance(part, Text)), None)
    if conversion.prompt.web_search is None or text is None:
        conversion.notes.note("annotations", "not_asked_for")
        return
    found = [read_citation(raw, text.text) for raw in annotations]
    text.citations = [citation for citation in found if citation is not None]


def _read_calls(said: Delta, finish: str | None, conversion: Conversion) -> list[Part]:
    if not said.tool_calls and said.function_call is None:
        return []
    fragments = list(said.tool_calls or ())
    if said.function_call is not None:
        fragments.append(ToolFragment(function=said.function_call))
    wrapped = wrapped_tool_names(conversion)
    calls: list[Part] = []
    ids: set[str] = set()
    for fragment in fragments:
        call = _read_call(fragment, finish, wrapped, conversion)
        if call is None:
            continue
        if not call.id or call.id in ids:
            call.id = make_call_id()
        ids.add(call.id)
        if signature := read_signature(fragment.extra_content):
            calls.append(Redacted(signature, CALL_SIGNATURE))
        calls.append(call)
    return calls


def _read_call(
    fragment: ToolFragment, finish: str | None, wrapped: frozenset[str], conversion: Conversion
) -> ToolCall | None:
    id = str(fragment.id or "")  # the wire's word
    if fragment.custom is not None:
        name = conversion.names.to_client(fragment.custom.name or "")
        return ToolCall(id, name, fragment.custom.input or "", custom=True)
    if fragment.function is None or not fragment.function.name:
        conversion.notes.note("tool_calls", "without_name_dropped")
        return None
    name = conversion.names.to_client(fragment.function.name)
    arguments = normalize_arguments(fragment.function.arguments)
    if name in wrapped:
        return ToolCall(id, name, read_custom_input(arguments.text), custom=True)
    if arguments.repaired:
        if finish in TRUNCATED_FINISH_REASONS:
            conversion.notes.note("tool_calls", "cut_short_dropped")
            return None
        conversion.notes.note("tool_calls.function.arguments", "invalid_json_kept_as_text")
    return ToolCall(id, name, arguments.text)
