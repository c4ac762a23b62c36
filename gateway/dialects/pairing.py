"""Tool calls and their results, matched as every upstream demands.

A result stands in the user turn right after its call, before anything else there, in the order of
the calls; a call has exactly one. What breaks this is repaired and noted. The output for a prompt
is a prefix of the output for the same prompt gone on, or prompt caches would miss.
"""

from gateway.events import Part, Text, ToolCall, ToolResult, Turn
from gateway.notes import Notes

NO_RESULT = "No result was provided for this call."
_FIELD = "messages.tool_result"


def paired(turns: list[Turn], notes: Notes) -> list[Turn]:
    """The turns with one result for each call, in place; the input is left as it was."""
    if len(turns) == 1 and not [part for part in turns[0].parts if isinstance(part, ToolResult)]:
        return turns
    starts = [at for at, turn in enumerate(turns) if turn.role == "assistant"]
    ends = [*starts, len(turns)]
    out = _answered([], turns[: ends[0]], notes)
    for start, end in zip(starts, ends[1:], strict=True):
        out.append(turns[start])
        if start + 1 == len(turns):
            break  # calls of the last turn still wait for their results
        ids = dict.fromkeys(part.id for part in turns[start].parts if isinstance(part, ToolCall))
        out += _answered(list(ids), turns[start + 1 : end], notes)
    return out


def _answered(calls: list[str], turns: list[Turn], notes: Notes) -> list[Turn]:
    """The turns between two assistant turns, with the results of `calls` in the first."""
    answers: dict[str, ToolResult] = {}
    rests: list[Turn] = []
    for turn in turns:
        if turn.role == "user" and any(isinstance(part, ToolResult) for part in turn.parts):
            found, rest = _split(turn, {*calls} - {*answers}, notes)
            answers |= found
            if rest or not rests:  # else all of it moves to an earlier turn
                rests.append(Turn(turn.role, rest, turn.name))
        else:
            rests.append(turn)
    results = [answers.get(call) or _missing(call, notes) for call in calls]
    if not results:
        return rests
    if rests and rests[0].role == "user":
        first = rests.pop(0)
        return [Turn("user", [*results, *first.parts], first.name), *rests]
    return [Turn("user", [*results]), *rests]


def _split(
    turn: Turn, open_calls: set[str], notes: Notes
) -> tuple[dict[str, ToolResult], list[Part]]:
    """The turn's results for open calls, and its other parts; other results become text."""
    found: dict[str, ToolResult] = {}
    rest: list[Part] = []
    for part in turn.parts:
        if not isinstance(part, ToolResult):
            rest.append(part)
        elif part.call_id in open_calls:
            if part.call_id in found:
                notes.note(_FIELD, "duplicate_dropped")
            found[part.call_id] = part
        else:
            notes.note(_FIELD, "without_call_made_text")
            rest += _as_text(part)
    return found, rest


def _as_text(result: ToolResult) -> list[Part]:
    lines = [f"[result of an earlier tool call {result.call_id}]"]
    lines += [part.text for part in result.parts if isinstance(part, Text)]
    others = [part for part in result.parts if not isinstance(part, Text)]
    return [Text("\n".join(lines), cache=result.cache), *others]


def _missing(call_id: str, notes: Notes) -> ToolResult:
    notes.note(_FIELD, "missing_filled_in")
    return ToolResult(call_id, [Text(NO_RESULT)], is_error=True)
