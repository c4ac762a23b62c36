"""A whole Chat answer of an upstream (`ChatCompletion`)."""

import msgspec
from msgspec import Raw

from gateway.dialect import Crossing
from gateway.dialects.chat.answer import (
    BROKEN,
    CUT_SHORT,
    Choice,
    Chunk,
    Delta,
    Outcome,
    ToolFragment,
    native_word,
    stop_of,
)
from gateway.dialects.chat.errors import broken
from gateway.dialects.chat.parts import citation_of, content_pieces
from gateway.dialects.chat.reasoning import reasoned
from gateway.dialects.chat.scan import Piece, ThinkTags
from gateway.dialects.chat.wire import NAME
from gateway.dialects.common.arguments import made_id, unwrapped, valid_arguments, wrapped_names
from gateway.dialects.common.extra_content import signature_in
from gateway.dialects.common.faults import error_in
from gateway.dialects.common.parameters import TIERS
from gateway.dialects.common.signatures import CALL
from gateway.dialects.common.stops import stopped
from gateway.dialects.common.usage import exclusive
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


def read_message(body: bytes, crossing: Crossing) -> Message:
    """The answer in an upstream's body; Refused for an error, BadAnswer for anything else."""
    try:
        chunk = decode(body.strip(), Chunk)
        if (chunk.error is not ABSENT and present(chunk.error)) or not chunk.choices:
            raise error_in(body.strip()) or BadAnswer("upstream returned no choices")
        return _read(chunk, chunk.choices, crossing)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise error_in(body.strip()) or BadAnswer(
            f"upstream sent an answer that cannot be read: {fault}"
        ) from None


def _read(chunk: Chunk, choices: list[Choice], crossing: Crossing) -> Message:
    choice = choices[0]
    if len(choices) > 1:
        choice = next((one for one in choices if not one.index), choice)
        crossing.notes.note("choices", "only_the_first_told")
    failed = choice.error is not ABSENT and present(choice.error)
    if failed or choice.finish_reason in BROKEN:
        raise broken(choice.finish_reason or "error", choice.error)
    said = choice.message or choice.delta or Delta()
    parts, matched = _spoken(said, crossing), None
    if crossing.local_stops:
        parts, matched = stopped(parts, crossing.local_stops)
    if matched is None:
        parts += _calls(said, choice.finish_reason, crossing)
    own = choice.stop_reason
    if matched is None and isinstance(own, str) and own in crossing.prompt.stop:
        matched = own
    outcome = Outcome(
        bool([1 for part in parts if isinstance(part, ToolCall)]), bool(said.refusal), matched
    )
    stop = stop_of(choice.finish_reason, outcome, crossing.notes)
    if crossing.local_stops and matched in crossing.local_stops:
        stop = "stop_sequence"
    counts = chunk.usage or choice.usage or (chunk.x_groq.usage if chunk.x_groq else None)
    ending = Ending(
        stop,
        matched if stop == "stop_sequence" else None,
        usage=exclusive(counts) if counts is not None else None,
        service_tier=TIERS.get(chunk.service_tier or ""),
        native=native_word(choice.finish_reason),
    )
    return Message(str(chunk.id or ""), chunk.model or "", parts, ending)


def _spoken(said: Delta, crossing: Crossing) -> list[Part]:
    """The reasoning, the text and the refusal of an answer."""
    thought = (
        said.reasoning_content or said.reasoning or said.reasoning_details or said.thinking_blocks
    )
    parts = reasoned(said) if thought else []
    for kind, text in _pieces(said, crossing):
        if kind == "thinking":
            parts.append(Thinking(text, origin=NAME))
        elif text:
            parts.append(Text(text))
    if said.audio is not None and said.audio.transcript:
        crossing.notes.note("audio", "transcript_only")
        parts.append(Text(said.audio.transcript))
    if said.annotations:
        _cite(parts, said.annotations, crossing)
    if said.refusal:
        parts.append(Refusal(said.refusal))
    return parts


def _pieces(said: Delta, crossing: Crossing) -> list[Piece]:
    if isinstance(said.content, list):
        return content_pieces(said.content)
    if not said.content:
        return []
    if crossing.capability.think_tags:
        tags = ThinkTags()
        return [*tags.feed(said.content), *tags.finish()]
    return [("text", said.content)]


def _cite(parts: list[Part], annotations: list[Raw], crossing: Crossing) -> None:
    text = next((part for part in parts if isinstance(part, Text)), None)
    if crossing.prompt.web_search is None or text is None:
        crossing.notes.note("annotations", "not_asked_for")
        return
    found = [citation_of(raw, text.text) for raw in annotations]
    text.citations = [citation for citation in found if citation is not None]


def _calls(said: Delta, finish: str | None, crossing: Crossing) -> list[Part]:
    if not said.tool_calls and said.function_call is None:
        return []
    fragments = list(said.tool_calls or ())
    if said.function_call is not None:
        fragments.append(ToolFragment(function=said.function_call))
    wrapped = wrapped_names(crossing)
    calls: list[Part] = []
    ids: set[str] = set()
    for fragment in fragments:
        call = _call(fragment, finish, wrapped, crossing)
        if call is None:
            continue
        if not call.id or call.id in ids:
            call.id = made_id()
        ids.add(call.id)
        if signature := signature_in(fragment.extra_content):
            calls.append(Redacted(signature, CALL))
        calls.append(call)
    return calls


def _call(
    fragment: ToolFragment, finish: str | None, wrapped: frozenset[str], crossing: Crossing
) -> ToolCall | None:
    id = str(fragment.id or "")  # the wire's word
    if fragment.custom is not None:
        name = crossing.names.known(fragment.custom.name or "")
        return ToolCall(id, name, fragment.custom.input or "", custom=True)
    if fragment.function is None or not fragment.function.name:
        crossing.notes.note("tool_calls", "without_name_dropped")
        return None
    name = crossing.names.known(fragment.function.name)
    arguments = valid_arguments(fragment.function.arguments)
    if name in wrapped:
        return ToolCall(id, name, unwrapped(arguments.text), custom=True)
    if arguments.repaired:
        if finish in CUT_SHORT:
            crossing.notes.note("tool_calls", "cut_short_dropped")
            return None
        crossing.notes.note("tool_calls.function.arguments", "invalid_json_kept_as_text")
    return ToolCall(id, name, arguments.text)
